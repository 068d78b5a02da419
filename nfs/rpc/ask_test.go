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
