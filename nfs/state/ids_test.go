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
	var tab Table
	tab.mint.Init(0xabc, bytes.NewReader(random))

	id, ok := tab.newClientID(0x12345)
	require.True(t, ok)
	require.Equal(t, ClientID(0xa1b2c3d4abc12345), id)
	require.EqualValues(t, 0x12345, id.index())

	var s SessionID
	require.True(t, tab.mint.Mint(s[:], 0x01020304))
	require.Equal(t, "01020304"+"e5f60718293a4b5c"+"a1b2cabc", hex.EncodeToString(s[:]))
	require.EqualValues(t, 0x01020304, s.index())
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
