package state

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersHoldIndexRandomBitsAndEpoch(t *testing.T) {
	random, err := hex.DecodeString(strings.Repeat("a1b2c3d4e5f60718293a4b5c", 22))
	require.NoError(t, err)
	m := minter{epoch: 0xabc, source: bytes.NewReader(random)}

	id, ok := m.client(0x12345)
	require.True(t, ok)
	require.Equal(t, ClientID(0xa1b2c3d4abc12345), id)
	require.EqualValues(t, 0x12345, id.index())

	s, ok := m.session(0x01020304)
	require.True(t, ok)
	require.Equal(t, "01020304"+"e5f60718293a4b5c"+"a1b2cabc", hex.EncodeToString(s[:]))
	require.EqualValues(t, 0x01020304, s.index())

	o, ok := m.other(0x05060708)
	require.True(t, ok)
	require.Equal(t, "05060708"+"e5f60718"+"293a4abc", hex.EncodeToString(o[:]))
	require.EqualValues(t, 0x05060708, o.index())
	require.EqualValues(t, 0xabc, o.epoch())
	require.Zero(t, [24]byte(m.buf[:24]), "what was drawn is not kept")

	_, ok = m.client(1) // that makes 28 of 256 bytes; the source has no 256 more
	require.True(t, ok)
	for range 228 / 12 {
		m.session(1)
	}
	_, ok = m.session(1)
	require.False(t, ok, "the source is empty")
}

func TestNumbersOfAnotherEpochAreUnknown(t *testing.T) {
	before := newRig(t, func(c *Config) { c.Epoch = 1 })
	id, session := before.client("client", 1, alice)
	after := newRig(t, func(c *Config) { c.Epoch = 2 }) // the same random bits
	id2, session2 := after.client("client", 1, alice)
	require.Equal(t, id>>32, id2>>32)
	require.NotEqual(t, session, session2)

	_, st := after.CreateSession(createArgs(id, 2, alice))
	require.Equal(t, StaleClientID, st)
	require.Equal(t, StaleClientID, after.DestroyClient(id))
	require.Equal(t, BadSession, after.DestroySession(session, 0))
	_, st = after.Begin(&Sequence{Session: session, Seqid: 1}, new(Ticket))
	require.Equal(t, BadSession, st)

	old, _ := before.mint.other(7)
	require.NotEqual(t, after.mint.epoch, old.epoch(), "STALE_STATEID or BAD_STATEID can be told")
	before.atRest()
	after.atRest()
}

func TestNumbersOutOfAnyRangeAreUnknown(t *testing.T) {
	r := newRig(t)
	for _, id := range []ClientID{0, 1, 0xfffff, 0xffffffffffffffff, 5120, 512} {
		_, st := r.CreateSession(createArgs(id, 1, alice))
		require.Equal(t, StaleClientID, st)
		require.Equal(t, StaleClientID, r.DestroyClient(id))
		require.Equal(t, StaleClientID, r.Renew(id))
		require.Equal(t, StaleClientID, r.ConfirmClientID(id, Verifier{}, alice))
	}
	for _, b := range []byte{0, 1, 0x7f, 0xff} {
		var id SessionID
		for i := range id {
			id[i] = b
		}
		_, st := r.Begin(&Sequence{Session: id, Seqid: 1}, new(Ticket))
		require.Equal(t, BadSession, st)
		_, st = r.BindConn(id, 1, Fore)
		require.Equal(t, BadSession, st)
	}
}

func TestIndexGivesOutWhatCameBack(t *testing.T) {
	var x index[int]
	x.init(1025)
	for want := range uint32(1025) {
		i, ok := x.take()
		require.True(t, ok)
		require.Equal(t, want, i)
		x.put(i, new(int))
	}
	_, ok := x.take()
	require.False(t, ok, "the 1026th")
	require.Equal(t, 1025, x.used())
	x.give(512)
	require.Nil(t, x.at(512))
	require.NotNil(t, x.at(1024))
	require.Nil(t, x.at(1025))
	require.Nil(t, x.at(1<<32-1))
	i, ok := x.take()
	require.True(t, ok)
	require.EqualValues(t, 512, i)
	n := 0
	x.all(func(*int) { n++ })
	require.Equal(t, 1024, n)
}
