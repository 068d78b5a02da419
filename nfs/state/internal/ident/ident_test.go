package ident

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersHoldPlaceRandomBitsAndEpoch(t *testing.T) {
	random, err := hex.DecodeString(strings.Repeat("a1b2c3d4e5f60718293a4b5c", 22))
	require.NoError(t, err)
	var m Minter
	m.Init(0xfabc, bytes.NewReader(random))
	require.EqualValues(t, 0xabc, m.Epoch())

	var b [4]byte
	require.True(t, m.Draw(b[:]))
	require.Equal(t, "a1b2c3d4", hex.EncodeToString(b[:]))

	var s [16]byte
	require.True(t, m.Mint(s[:], 0x01020304))
	require.Equal(t, "01020304"+"e5f60718293a4b5c"+"a1b2cabc", hex.EncodeToString(s[:]))
	require.EqualValues(t, 0x01020304, Place(s[:]))
	require.EqualValues(t, 0xabc, Epoch(s[:]))

	var o [12]byte
	require.True(t, m.Mint(o[:], 0x05060708))
	require.Equal(t, "05060708"+"e5f60718"+"293a4abc", hex.EncodeToString(o[:]))
	require.EqualValues(t, 0x05060708, Place(o[:]))
	require.EqualValues(t, 0xabc, Epoch(o[:]))
	require.Zero(t, [24]byte(m.buf[:24]), "what was drawn is not kept")

	require.True(t, m.Draw(b[:])) // that makes 28 of 256 bytes; the source has no 256 more
	for range 228 / 12 {
		require.True(t, m.Mint(s[:], 1))
	}
	require.False(t, m.Mint(s[:], 1), "the source is empty")
}

func TestIndexGivesOutWhatCameBack(t *testing.T) {
	var x Index[int]
	x.Init(1025)
	for want := range uint32(1025) {
		i, ok := x.Take()
		require.True(t, ok)
		require.Equal(t, want, i)
		x.Put(i, new(int))
	}
	_, ok := x.Take()
	require.False(t, ok, "the 1026th")
	require.Equal(t, 1025, x.Used())
	x.Give(512)
	require.Nil(t, x.At(512))
	require.NotNil(t, x.At(1024))
	require.Nil(t, x.At(1025))
	require.Nil(t, x.At(1<<32-1))
	i, ok := x.Take()
	require.True(t, ok)
	require.EqualValues(t, 512, i)
	require.Equal(t, 1025, x.Most())
	n := 0
	x.All(func(*int) { n++ })
	require.Equal(t, 1024, n)
}
