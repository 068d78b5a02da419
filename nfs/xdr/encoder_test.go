package xdr_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func TestEncoderStopsAtItsRoom(t *testing.T) {
	vs := sample()
	want := encode(t, vs)
	for room := range len(want) {
		buf := bytes.Repeat([]byte{0xaa}, len(want)+8)
		var e xdr.Encoder
		e.Reset(buf[:room])
		for _, v := range vs {
			put(&e, v)
		}
		require.ErrorIs(t, e.Err(), xdr.ErrShort)
		require.LessOrEqual(t, e.Len(), room)
		require.Zero(t, e.Free())
		require.Equal(t, want[:e.Len()], e.Bytes())
		require.Equal(t, bytes.Repeat([]byte{0xaa}, len(buf)-room), buf[room:])
	}
}

func TestTruncateClearsTheErrorAndGivesRoomBack(t *testing.T) {
	var e xdr.Encoder
	e.Reset(make([]byte, 12))
	e.Uint32(1)
	e.Opaque([]byte("too long a text"))
	require.ErrorIs(t, e.Err(), xdr.ErrShort)
	require.Equal(t, 4, e.Len(), "an opaque is written whole or not at all")
	e.Uint32(2)
	require.Equal(t, 4, e.Len(), "nothing is written after an error")
	require.Nil(t, e.Reserve(0))
	e.Truncate(0)
	require.NoError(t, e.Err())
	require.Equal(t, 12, e.Free())
	e.Uint64(3)
	e.Uint32(4)
	require.NoError(t, e.Err())
	e.SetUint32(8, 5)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5}, e.Bytes())
	require.Panics(t, func() { e.Truncate(13) })
	require.Panics(t, func() { e.SetUint32(9, 0) })
}

func TestReserveLeavesPaddingToTheCaller(t *testing.T) {
	buf := bytes.Repeat([]byte{0xaa}, 12)
	var e xdr.Encoder
	e.Reset(buf)
	e.Uint32(5)
	dst := e.Reserve(5)
	require.Equal(t, 5, cap(dst))
	copy(dst, "hello")
	e.Pad(5)
	require.Equal(t, []byte("\x00\x00\x00\x05hello\x00\x00\x00"), e.Bytes())
	require.Nil(t, e.Reserve(1))
	require.ErrorIs(t, e.Err(), xdr.ErrShort)
	e.Truncate(4)
	require.Nil(t, e.Reserve(-1))
}
