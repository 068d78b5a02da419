package rpc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// What the server writes as a header, a server of ours reads.
func TestTheHeaderOfACallOfTheServerIsOne(t *testing.T) {
	s := NewServer(&Program{Name: "p", Number: 7, Versions: []Version{{Number: 3, Procedures: []Procedure{
		{Name: "NULL", Handle: func(*Call) Outcome { return Done }},
	}}}})
	many := make([]uint32, 20)
	for i := range many {
		many[i] = uint32(i)
	}
	for _, who := range []Caller{
		{Flavor: AuthNone},
		{Flavor: AuthSys, Machine: "here", UID: 5, GID: 6, GIDs: []uint32{7, 8}},
		{Flavor: AuthSys, Machine: strings.Repeat("x", 300), GIDs: many},
	} {
		var e xdr.Encoder
		e.Reset(make([]byte, 1024))
		PutHeader(&e, 7, 3, 0, &who)
		e.Uint32(99)
		require.NoError(t, e.Err())
		var c Call
		require.NoError(t, s.Parse(&c, e.Bytes(), nil))
		require.NotNil(t, c.Procedure())
		require.EqualValues(t, 99, c.Args.Uint32())
		require.Zero(t, c.Args.Left())
		require.Equal(t, who.Flavor, c.Auth.Flavor)
		if who.Flavor == AuthSys {
			require.Equal(t, [2]uint32{who.UID, who.GID}, [2]uint32{c.Auth.UID, c.Auth.GID})
			require.Equal(t, who.GIDs[:min(len(who.GIDs), 16)], c.Auth.Groups())
		}
	}
}

func TestOnlyAnAcceptedCallHasRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		words []uint32
		ok    bool
	}{
		{"accepted", []uint32{0, 0, 0, 0}, true},
		{"accepted, with a verifier", []uint32{0, 1, 4, 9, 0}, true},
		{"no such program", []uint32{0, 0, 0, 1}, false},
		{"no such version", []uint32{0, 0, 0, 2, 1, 1}, false},
		{"a fault of the peer", []uint32{0, 0, 0, 5}, false},
		{"denied", []uint32{1, 1, 5}, false},
		{"neither", []uint32{2, 0, 0, 0}, false},
		{"nothing", nil, false},
		{"cut off", []uint32{0, 0, 0}, false},
		{"too long a verifier", append([]uint32{0, 1, 404}, make([]uint32, 102)...), false},
	} {
		var e xdr.Encoder
		e.Reset(make([]byte, 1024))
		for _, w := range append(c.words, 7) {
			e.Uint32(w)
		}
		b := e.Bytes()
		if !c.ok && len(c.words) < 4 {
			b = b[:len(b)-4]
		}
		var d xdr.Decoder
		d.Reset(b)
		if err := Accepted(&d); c.ok {
			require.NoError(t, err, c.name)
			require.EqualValues(t, 7, d.Uint32(), "%s: the results", c.name)
		} else {
			require.Error(t, err, c.name)
		}
	}
}

func TestAReplyIsToldFromACall(t *testing.T) {
	for _, c := range []struct {
		record string
		ok     bool
	}{
		{"\x00\x00\x00\x09\x00\x00\x00\x01", true},
		{"\x00\x00\x00\x09\x00\x00\x00\x00", false},
		{"\x00\x00\x00\x09\x00\x00\x00\x02", false},
		{"\x00\x00\x00\x09\x00\x00\x00", false},
		{"", false},
	} {
		var d xdr.Decoder
		d.Reset([]byte(c.record))
		xid, ok := ReplyTo(&d)
		require.Equal(t, c.ok, ok, "%q", c.record)
		if ok {
			require.EqualValues(t, 9, xid)
			require.Zero(t, d.Left())
		}
	}
}
