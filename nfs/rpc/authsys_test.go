package rpc_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// acceptSys gives a credential's body to AUTH_SYS.
func acceptSys(body []byte) (*rpc.Auth, rpc.AuthStat) {
	var c rpc.Call
	stat := rpc.Sys{}.Accept(&c, &rpc.Presented{Cred: body})
	return &c.Auth, stat
}

func TestAuthSysBody(t *testing.T) {
	name := func(n int) rpctest.Args { return rpctest.Args(nil).U32(1).String(strings.Repeat("m", n)) }
	for _, c := range []struct {
		name   string
		body   []byte
		stat   rpc.AuthStat
		groups []uint32
	}{
		{"no groups", name(3).U32(10, 20, 0), rpc.AuthOK, nil},
		{"no name", name(0).U32(10, 20, 1, 5), rpc.AuthOK, []uint32{5}},
		{"name of 255 bytes", name(255).U32(10, 20, 1, 5), rpc.AuthOK, []uint32{5}},
		{"name of 256 bytes", name(256).U32(10, 20, 1, 5), rpc.AuthBadCred, nil},
		{"name of 2^32-1 bytes", rpctest.Args(nil).U32(1, 0xffffffff, 10, 20, 0), rpc.AuthBadCred, nil},
		{"name beyond the body", rpctest.Args(nil).U32(1, 255, 10, 20, 0), rpc.AuthBadCred, nil},
		{"more groups than follow", name(4).U32(10, 20, 2, 5), rpc.AuthBadCred, nil},
		{"2^32-1 groups", name(4).U32(10, 20, 0xffffffff, 5), rpc.AuthBadCred, nil},
		{"2^30 groups, whose bytes wrap around", name(4).U32(10, 20, 1<<30, 5), rpc.AuthBadCred, nil},
		{"17 groups", name(4).U32(10, 20, 17).U32(make([]uint32, 17)...), rpc.AuthBadCred, nil},
		{"bytes behind the groups", name(4).U32(10, 20, 1, 5, 99, 98), rpc.AuthOK, []uint32{5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, stat := acceptSys(c.body)
			require.Equal(t, c.stat, stat)
			if stat == rpc.AuthOK {
				require.EqualValues(t, 10, a.UID)
				require.EqualValues(t, 20, a.GID)
				require.Equal(t, len(c.groups), len(a.Groups()))
				require.Subset(t, a.Groups(), c.groups)
			}
		})
	}
	full := rpctest.Sys(1, 2, 3, 4, 5).Body
	for n := range full {
		_, stat := acceptSys(full[:n])
		require.Equal(t, rpc.AuthBadCred, stat, "the first %d bytes", n)
	}
}

func TestSetGroupsKeepsAsManyAsThereIsRoomFor(t *testing.T) {
	var a rpc.Auth
	a.SetGroups([]uint32{1, 2})
	require.Equal(t, []uint32{1, 2}, a.Groups())
	a.SetGroups(make([]uint32, 20))
	require.Len(t, a.Groups(), rpc.GroupsMax)
	a.SetGroups(nil)
	require.Empty(t, a.Groups())
}

func FuzzAuthSys(f *testing.F) {
	f.Add(rpctest.Sys(0, 0).Body)
	f.Add(rpctest.Sys(1000, 1000, 1, 2, 3).Body)
	f.Add([]byte(rpctest.Args(nil).U32(1, 0xfffffffd, 1, 1, 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, stat := acceptSys(body)
		if stat != rpc.AuthOK {
			require.Equal(t, rpc.AuthBadCred, stat)
			return
		}
		// Building the same credential again finds what was understood.
		name := body[8 : 8+words32(body[4:])]
		again := rpctest.Args(nil).U32(words32(body)).Opaque(name).
			U32(a.UID, a.GID, uint32(len(a.Groups()))).U32(a.Groups()...)
		b, stat := acceptSys(again)
		require.Equal(t, rpc.AuthOK, stat)
		require.Equal(t, *a, *b)
		require.LessOrEqual(t, len(again), len(body))
	})
}
