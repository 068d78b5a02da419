package rpc_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// mark is a fragment header.
func mark(last bool, n uint32) []byte {
	if last {
		n |= 1 << 31
	}
	return binary.BigEndian.AppendUint32(nil, n)
}

// feed pushes the chunks into r and returns the records that came out.
func feed(t require.TestingT, r *rpc.Records, chunks ...[]byte) (records [][]byte, err error) {
	var record []byte
	for _, chunk := range chunks {
		for len(chunk) > 0 {
			seg, rest, complete, err := r.Next(chunk)
			if err != nil {
				return records, err
			}
			require.Less(t, len(rest), len(chunk), "Next makes progress")
			record = append(record, seg...)
			require.Equal(t, len(record), r.Size())
			if complete {
				records, record = append(records, record), nil
			}
			chunk = rest
		}
	}
	return records, nil
}

func newRecords(sizeMax, emptyMax int) *rpc.Records {
	var r rpc.Records
	r.Init(sizeMax, emptyMax)
	return &r
}

func TestRecordsYieldsEachRecordOfAStream(t *testing.T) {
	stream := bytes.Join([][]byte{
		rpctest.Record([]byte("one")),
		rpctest.Fragments([]byte("second"), 2, 0, 3),
		rpctest.Fragments([]byte("third"), 5),
		append(mark(false, 4), append([]byte("four"), mark(true, 0)...)...),
	}, nil)
	r := newRecords(100, 10)
	got, err := feed(t, r, stream)
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("one"), []byte("second"), []byte("third"), []byte("four")}, got)
	assert.True(t, r.Between())
}

func TestRecordsHandsOutViewsAndNotCopies(t *testing.T) {
	stream := append(rpctest.Record([]byte("body")), "next"...)
	seg, rest, complete, err := newRecords(100, 10).Next(stream)
	require.NoError(t, err)
	assert.True(t, complete)
	assert.Equal(t, "next", string(rest))
	assert.Same(t, &stream[4], &seg[0])
	assert.Equal(t, 4, cap(seg), "appending to a view does not reach what follows")
}

func TestRecordsWithoutAByteCompletesWithSizeZero(t *testing.T) {
	r := newRecords(100, 10)
	seg, rest, complete, err := r.Next(append(mark(true, 0), 'x'))
	require.NoError(t, err)
	assert.Empty(t, seg)
	assert.Equal(t, []byte("x"), rest)
	assert.True(t, complete)
	assert.Zero(t, r.Size())
}

func TestRecordsTellsWhatIsPendingAndWhereItStands(t *testing.T) {
	r := newRecords(100, 10)
	push := func(chunk []byte) {
		_, rest, _, err := r.Next(chunk)
		require.NoError(t, err)
		require.Empty(t, rest)
	}
	assert.True(t, r.Between())
	push([]byte{0x80, 0})
	assert.False(t, r.Between(), "within a header")
	assert.Zero(t, r.Pending())
	push([]byte{0, 7, 'a', 'b'})
	assert.Equal(t, 5, r.Pending())
	assert.Equal(t, 2, r.Size())
	assert.False(t, r.Between(), "within a body")
	push([]byte("cdefg"))
	assert.True(t, r.Between())
	assert.Equal(t, 7, r.Size(), "the size of the last record stays until the next one")
	push(nil)
	assert.Equal(t, 7, r.Size())
	push([]byte{0})
	assert.False(t, r.Between())
	assert.Zero(t, r.Size())
}

func TestRecordsRefusesTooLargeARecordBeforeItArrives(t *testing.T) {
	for name, chunks := range map[string][][]byte{
		"2^31-1 bytes announced":         {mark(true, 1<<31-1)},
		"2^31-1 bytes in an early part":  {mark(false, 1<<31-1)},
		"one byte more than the limit":   {mark(true, 101)},
		"header split over chunks":       {{0x80}, {0}, {0}, {101}},
		"limit passed by a later part":   {mark(false, 60), make([]byte, 60), mark(true, 41)},
		"later part near the integer":    {mark(false, 60), make([]byte, 60), mark(true, 1<<31-1)},
		"second record of a good stream": {rpctest.Record(make([]byte, 100)), mark(true, 101)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecords(100, 10)
			_, err := feed(t, r, chunks...)
			require.ErrorIs(t, err, rpc.ErrTooBig)
			assert.Zero(t, r.Pending())
			assert.False(t, r.Between())
			_, err = feed(t, r, mark(true, 0))
			require.ErrorIs(t, err, rpc.ErrTooBig, "the error sticks")
		})
	}
	_, err := feed(t, newRecords(100, 10), rpctest.Fragments(make([]byte, 100), 60))
	require.NoError(t, err, "the limit itself is allowed")
}

func TestRecordsBoundsTheEmptyFragmentsOfARecord(t *testing.T) {
	good := append(bytes.Repeat(mark(false, 0), 1023), mark(true, 0)...)
	got, err := feed(t, newRecords(1<<20, rpc.EmptyMax), good, good)
	require.NoError(t, err)
	require.Len(t, got, 2, "the count starts anew with each record")
	_, err = feed(t, newRecords(1<<20, rpc.EmptyMax), append(mark(false, 0), good...))
	require.ErrorIs(t, err, rpc.ErrFragments)
	mixed := append(mark(false, 1), 'x')
	mixed = append(mixed, mark(false, 0)...)
	_, err = feed(t, newRecords(1<<20, rpc.EmptyMax), bytes.Repeat(mixed, 1025))
	require.ErrorIs(t, err, rpc.ErrFragments, "others in between do not matter")
}

// RFC 5531, section 11, has no limit for them.
func TestRecordsTakesAsManyFragmentsAsARecordHasBytes(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	var stream []byte
	for i, c := range body {
		stream = append(append(stream, mark(i == len(body)-1, 1)...), c)
	}
	got, err := feed(t, newRecords(len(body), rpc.EmptyMax), stream)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, bytes.Equal(body, got[0]))
	_, err = feed(t, newRecords(len(body)-1, rpc.EmptyMax), stream)
	require.ErrorIs(t, err, rpc.ErrTooBig)
}

func TestRecordsDoesNotDependOnTheChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		for range rapid.IntRange(1, 5).Draw(t, "records") {
			body := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "body")
			left := len(body)
			var sizes []int
			for range rapid.IntRange(0, 4).Draw(t, "fragments") {
				n := rapid.IntRange(0, left).Draw(t, "size")
				sizes, left = append(sizes, n), left-n
			}
			stream = append(stream, rpctest.Fragments(body, sizes...)...)
			want = append(want, body)
		}
		var chunks [][]byte
		for rest := stream; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		got, err := feed(t, newRecords(100, 10), chunks...)
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.True(t, bytes.Equal(want[i], got[i]))
		}
	})
}

// wholeStream is what Records should make of a stream, found by reading it in one piece.
func wholeStream(b []byte, sizeMax, emptyMax int) (records [][]byte, err error) {
	var record []byte
	empty := 0
	for len(b) >= 4 {
		m := binary.BigEndian.Uint32(b)
		n := int(m &^ (1 << 31))
		if n == 0 {
			empty++
		}
		if len(record)+n > sizeMax {
			return records, rpc.ErrTooBig
		} else if empty > emptyMax {
			return records, rpc.ErrFragments
		}
		b = b[4:]
		if len(b) < n {
			return records, nil
		}
		record = append(record, b[:n]...)
		b = b[n:]
		if m>>31 == 1 {
			records, record, empty = append(records, record), nil, 0
		}
	}
	return records, nil
}

func FuzzRecords(f *testing.F) {
	f.Add(rpctest.Fragments([]byte("a record in pieces"), 1, 0, 7), []byte{1, 2, 3})
	f.Add(rpctest.Record(nil), []byte{1})
	f.Add(mark(true, 1<<31-1), []byte{})
	f.Add(bytes.Repeat(mark(false, 0), 20), []byte{5})
	f.Fuzz(func(t *testing.T, stream, splits []byte) {
		const sizeMax, emptyMax = 64, 8
		var chunks [][]byte
		rest := stream
		for _, s := range splits {
			n := min(int(s), len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		got, err := feed(t, newRecords(sizeMax, emptyMax), append(chunks, rest)...)
		want, wantErr := wholeStream(stream, sizeMax, emptyMax)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got)
	})
}
