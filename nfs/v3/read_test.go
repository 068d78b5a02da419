package v3

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// pattern returns n bytes that are all different from their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestReadHasAsManyBytesAsItSays(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(100)
	f.view.attr.Size = 100
	for _, bare := range []bool{false, true} {
		for _, attrSt := range []vfs.Status{vfs.OK, vfs.IO} {
			f.view.bare, f.view.attrSt = bare, attrSt
			for off := uint64(90); off < 110; off++ {
				for count := uint32(0); count < 15; count++ {
					want := f.view.content[min(off, 100):min(off+uint64(count), 100)]
					res := do[nfs3.READ3res](r, nfs3.NFSPROC3_READ, on(r.root(0)).u64(off).u32(count))
					require.Equal(t, nfs3.NFS3_OK, res.Status)
					require.True(t, bytes.Equal(want, res.Resok.Data), "%d at %d", count, off)
					require.EqualValues(t, len(want), res.Resok.Count)
					require.Equal(t, off+uint64(count) >= 100, res.Resok.Eof, "%d at %d", count, off)
					require.Equal(t, !bare, res.Resok.FileAttributes.AttributesFollow)
				}
			}
		}
	}
}

func TestReadIsCutToTheLargestTransfer(t *testing.T) {
	f := newFake()
	f.view.content = pattern(3 << 20)
	r := newRig(t, Config{ReadMax: 64 << 10}, export.Export{Path: "/x", FS: f})
	for _, count := range []uint32{64 << 10, 64<<10 + 1, 1 << 20, 1<<31 - 1, 1 << 31, math.MaxUint32} {
		res := do[nfs3.READ3res](r, nfs3.NFSPROC3_READ, on(r.root(0)).u64(5).u32(count))
		require.EqualValues(t, 64<<10, res.Resok.Count)
		require.False(t, res.Resok.Eof)
		require.True(t, bytes.Equal(f.view.content[5:5+64<<10], res.Resok.Data))
	}
}

func TestReadAsksForRoomBeforeItReads(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(10000)
	record := r.record(nfs3.NFSPROC3_READ, on(r.root(0)).u64(0).u32(5000).b)
	out, _, _ := r.run(record, make([]byte, 2048))
	require.Equal(t, rpc.Grow, out)
	require.Zero(t, f.view.calls)
	need := r.call.Need
	require.LessOrEqual(t, need, acceptedLen+readHeader+5000+3)
	out, _, b := r.run(record, make([]byte, need))
	require.Equal(t, rpc.Done, out)
	require.Equal(t, f.view.content[:5000], decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res).Resok.Data)
}

func TestReadIsShortWhereThereIsNotMoreMemory(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(100_000)
	f.view.attr.Size = 100_000
	record := r.record(nfs3.NFSPROC3_READ, on(r.root(0)).u64(8).u32(99_992).b)
	out, _, _ := r.run(record, make([]byte, 2048))
	require.Equal(t, rpc.Grow, out)
	least := r.call.Least
	require.Equal(t, acceptedLen+rpc.ReplyMin, least)
	for memory, want := range map[int]int{least: 512, 4092: 3584, 4096 + 511: 4096, 69_000: 65536} {
		out, _, _ := r.run(record, make([]byte, 2048))
		require.Equal(t, rpc.Grow, out)
		r.call.Short = true
		r.call.Reply.Reset(make([]byte, memory))
		require.Equal(t, rpc.Done, r.server.RunSettled(&r.call))
		res := decode(t, nfs3.NFSPROC3_READ, r.call.Reply.Bytes()[acceptedLen:]).(*nfs3.READ3res)
		require.EqualValues(t, want, res.Resok.Count)
		require.False(t, res.Resok.Eof, "there is more")
		require.Equal(t, f.view.content[8:8+want], res.Resok.Data)
	}
}

func TestReadGoesStraightIntoTheReply(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(4096)
	f.view.bare, f.view.attrSt = false, vfs.OK
	b := r.raw(nfs3.NFSPROC3_READ, on(r.root(0)).u64(0).u32(4096).b)
	require.Same(t, &r.reply[acceptedLen], &b[0])
	require.Equal(t, f.view.content, b[readHeader:])
}

func TestADatagramHasAsMuchDataAsItHolds(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(10000)
	c := &r.call
	c.Reset()
	c.Place, c.Peer, c.Datagram = &r.places[1], r.peer, true
	require.NoError(t, r.server.Parse(c, r.record(nfs3.NFSPROC3_READ, on(r.root(0)).u64(0).u32(8192).b), nil))
	c.Datagram = true
	c.Reply.Reset(make([]byte, 2000))
	require.Equal(t, rpc.Done, r.server.RunSettled(c))
	res := decode(t, nfs3.NFSPROC3_READ, c.Reply.Bytes()[acceptedLen:]).(*nfs3.READ3res)
	require.NotZero(t, res.Resok.Count)
	require.Zero(t, res.Resok.Count%4)
	require.False(t, res.Resok.Eof)
}

func TestReadlinkAsksForRoomForALongTarget(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.link = string(pattern(4096))
	record := r.record(nfs3.NFSPROC3_READLINK, on(r.root(0)).b)
	out, _, _ := r.run(record, make([]byte, 2048))
	require.Equal(t, rpc.Grow, out)
	out, _, b := r.run(record, make([]byte, r.call.Need))
	require.Equal(t, rpc.Done, out)
	require.Equal(
		t,
		f.view.link,
		string(decode(t, nfs3.NFSPROC3_READLINK, b).(*nfs3.READLINK3res).Resok.Data),
	)
}

func TestWriteHandsTheSegmentsOnAsTheyCame(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	data := pattern(1000)
	for _, segment := range []int{0, 4, 7, 100, 999, 1300} {
		r.segment = segment
		for _, n := range []int{0, 1, 2, 3, 4, 999, 1000} {
			res := do[nfs3.WRITE3res](
				r,
				nfs3.NFSPROC3_WRITE,
				on(r.root(0)).u64(77).u32(uint32(n), 1).opaque(data[:n]),
			)
			require.Equal(t, nfs3.NFS3_OK, res.Status)
			require.True(t, bytes.Equal(data[:n], f.view.written), "%d bytes in segments of %d", n, segment)
			require.EqualValues(t, n, res.Resok.Count)
			require.Equal(t, nfs3.FILE_SYNC, res.Resok.Committed, "better than was asked for")
			require.EqualValues(t, 1, f.view.how)
			require.EqualValues(t, 0x1122334455667788, binary.BigEndian.Uint64(res.Resok.Verf[:]))
			if n > 0 {
				require.EqualValues(t, 77, f.view.off)
			}
			if segment == 0 && n > 0 {
				require.Equal(t, 1, f.view.segments)
			}
		}
	}
}

func TestWriteMayBeShort(t *testing.T) {
	f := newFake()
	r := newRig(t, Config{WriteMax: 4096}, export.Export{Path: "/x", FS: f})
	data := pattern(10000)
	for _, segment := range []int{0, 1000} {
		r.segment = segment
		res := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(r.root(0)).u64(0).u32(10000, 0).opaque(data))
		require.Equal(t, nfs3.NFS3_OK, res.Status)
		require.EqualValues(t, 4096, res.Resok.Count, "what is above the limit is left to another WRITE")
		require.Equal(t, data[:4096], f.view.written)
	}
	f.view.took = 10
	res := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(r.root(0)).u64(0).u32(100, 0).opaque(data[:100]))
	require.EqualValues(t, 10, res.Resok.Count)
}

func TestWritesThatCannotBe(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	fh := r.root(0)
	for _, c := range []struct {
		name string
		a    *args
		want nfs3.Nfsstat3
	}{
		{"count above the data", on(fh).u64(0).u32(6, 0).str("hello"), nfs3.NFS3ERR_INVAL},
		{"count below the data", on(fh).u64(0).u32(4, 0).str("hello"), nfs3.NFS3ERR_INVAL},
		{"count of 2^32-1", on(fh).u64(0).u32(1<<32-1, 0).str("hello"), nfs3.NFS3ERR_INVAL},
		{"across 2^63", on(fh).u64(1<<63-3).u32(5, 0).str("hello"), nfs3.NFS3ERR_FBIG},
		{"at 2^63", on(fh).u64(1<<63).u32(5, 0).str("hello"), nfs3.NFS3ERR_FBIG},
		{"across 2^64", on(fh).u64(1<<64-3).u32(5, 0).str("hello"), nfs3.NFS3ERR_FBIG},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, r.status(nfs3.NFSPROC3_WRITE, c.a))
			require.Zero(t, f.view.calls)
		})
	}
	t.Run("a stability that there is not", func(t *testing.T) {
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(5, 3).str("hello").b),
		)
	})
	t.Run("up to the last byte", func(t *testing.T) {
		require.Equal(
			t,
			nfs3.NFS3_OK,
			r.status(nfs3.NFSPROC3_WRITE, on(fh).u64(1<<63-1-5).u32(5, 2).str("hello")),
		)
		require.EqualValues(t, 1<<63-6, f.view.off)
	})
	t.Run("nothing, anywhere", func(t *testing.T) {
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_WRITE, on(fh).u64(1<<64-1).u32(0, 2).str("")))
	})
}

func TestAScratchDoesNotKeepWhatAPeerSent(t *testing.T) {
	f := newFake()
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: f})
	s := newServer(r.table, Config{})
	r.server = rpc.NewServer(s.program())
	for _, segment := range []int{100, 4} {
		r.segment = segment
		require.Equal(
			t,
			nfs3.NFS3_OK,
			r.status(nfs3.NFSPROC3_WRITE, on(r.root(0)).u64(0).u32(20000, 2).opaque(pattern(20000))),
		)
		w := s.works[1]
		require.LessOrEqual(t, cap(w.segments), segmentsMax)
		for _, b := range w.segments[:cap(w.segments)] {
			require.Nil(t, b)
		}
	}
}

func TestCommitStaysWithinSignedOffsets(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	for _, c := range []struct {
		name    string
		off     uint64
		count   uint32
		wantOff uint64
		want    int
	}{
		{"all", 0, 0, 0, 0},
		{"a range", 10, 20, 10, 20},
		{"up to the end", 1<<63 - 1 - 20, 20, 1<<63 - 21, 20},
		{"across 2^63", 1<<63 - 20, 20, 1<<63 - 20, 0},
		{"at 2^63", 1 << 63, 20, 1<<63 - 1, 0},
		{"at 2^64", 1<<64 - 1, 1<<32 - 1, 1<<63 - 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := do[nfs3.COMMIT3res](r, nfs3.NFSPROC3_COMMIT, on(r.root(0)).u64(c.off).u32(c.count))
			require.Equal(t, nfs3.NFS3_OK, res.Status)
			require.Equal(t, c.wantOff, f.view.off)
			require.Equal(t, c.want, f.view.count)
			require.EqualValues(t, 0x1122334455667788, binary.BigEndian.Uint64(res.Resok.Verf[:]))
		})
	}
}
