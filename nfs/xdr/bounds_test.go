package xdr_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// An Encoder does not begin an opaque that does not fit with its padding: a reader would take bytes
// behind the last value for a value.
func TestAnOpaqueIsWrittenWholeWithItsPaddingOrNotAtAll(t *testing.T) {
	for n, size := range []int{0: 4, 1: 8, 2: 8, 3: 8, 4: 8, 5: 12, 8: 12} {
		if size == 0 {
			continue
		}
		data := bytes.Repeat([]byte{0x55}, n)
		for _, write := range []func(e *xdr.Encoder){
			func(e *xdr.Encoder) { e.Opaque(data) },
			func(e *xdr.Encoder) { e.String(string(data)) },
		} {
			for room := range size + 2 {
				buf := bytes.Repeat([]byte{0xaa}, room)
				var e xdr.Encoder
				e.Reset(buf)
				write(&e)
				if room < size {
					require.ErrorIs(t, e.Err(), xdr.ErrShort, "%d bytes in %d", n, room)
					require.Zero(t, e.Len(), "%d bytes in %d", n, room)
					require.Equal(t, bytes.Repeat([]byte{0xaa}, room), buf, "%d bytes in %d", n, room)
					continue
				}
				require.NoError(t, e.Err(), "%d bytes in %d", n, room)
				require.Equal(t, size, e.Len())
			}
		}
	}
}

func TestAFixedOpaqueWhosePaddingIsNotThereIsTooShort(t *testing.T) {
	record := bytes.Repeat([]byte{7}, 8)
	for _, left := range []int{5, 6, 7} {
		for cut := range left + 1 {
			var d xdr.Decoder
			d.ResetSegments(record[:cut], [][]byte{record[cut:left]})
			require.Nil(t, d.Fixed(5), "of %d bytes, cut at %d", left, cut)
			require.ErrorIs(t, d.Err(), xdr.ErrShort)
			require.Zero(t, d.Left())
		}
	}
}

// A Decoder has nothing left after an error, wherever the unread bytes lie.
func TestNothingIsReadAfterAnError(t *testing.T) {
	record := bytes.Repeat([]byte{0, 0, 0, 1}, 16)
	for cut := 4; cut <= len(record); cut += 12 {
		for name, read := range map[string]func(d *xdr.Decoder) any{
			"Uint32":         func(d *xdr.Decoder) any { return d.Uint32() },
			"Uint64":         func(d *xdr.Decoder) any { return d.Uint64() },
			"Bool":           func(d *xdr.Decoder) any { return d.Bool() },
			"Fixed":          func(d *xdr.Decoder) any { return d.Fixed(4) },
			"Opaque":         func(d *xdr.Decoder) any { return d.Opaque(9) },
			"OpaqueSegments": func(d *xdr.Decoder) any { return d.OpaqueSegments(9, nil) },
			"Count":          func(d *xdr.Decoder) any { return d.Count(9, 4) },
			"More":           func(d *xdr.Decoder) any { return d.More(4) },
		} {
			var d xdr.Decoder
			d.ResetSegments(record[:cut], [][]byte{record[cut:]})
			d.Fail(xdr.ErrValue)
			require.Zero(t, d.Left())
			require.Empty(t, read(&d), name)
			require.ErrorIs(t, d.Err(), xdr.ErrValue)
		}
	}
}

// If a list says that it goes on, one more element follows, a whole one.
func TestAListDoesNotGoOnWithoutRoomForItsNextElement(t *testing.T) {
	for left := range 14 {
		var d xdr.Decoder
		d.Reset(append([]byte{0, 0, 0, 1}, make([]byte, left)...))
		require.Equal(t, left >= 12, d.More(12), "%d bytes", left)
		if left < 12 {
			require.ErrorIs(t, d.Err(), xdr.ErrShort)
			continue
		}
		require.NoError(t, d.Err())
	}
	var d xdr.Decoder
	d.Reset(make([]byte, 4))
	require.False(t, d.More(12))
	require.NoError(t, d.Err(), "the end needs no room")
}
