package rpc_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestAProcessOfThisMachineIsHeldToWhoItIs(t *testing.T) {
	user := &rpc.Origin{Trust: rpc.Bound, UID: 1000, GIDs: []uint32{1000, 27}}
	var claims []string
	procedures := []rpc.Procedure{
		{Name: "NULL", Handle: func(*rpc.Call) rpc.Outcome { return rpc.Done }},
		{Name: "WHO", Handle: func(*rpc.Call) rpc.Outcome { return rpc.Done }},
	}
	s := rpc.NewServer(
		&rpc.Program{Name: "p", Number: 7, Versions: []rpc.Version{{Number: 1, Procedures: procedures}}},
	)
	s.OnClaim = func(_ *rpc.Call, claim rpc.Claim, group uint32) {
		claims = append(claims, fmt.Sprint(claim, " ", group))
	}
	for _, x := range []struct {
		name   string
		origin *rpc.Origin
		cred   rpctest.Opaque
		proc   uint32
		claim  string // refused
	}{
		{"another machine says who it is", nil, rpctest.Sys(5, 5), 1, ""},
		{"so it does when it is named", &rpc.Origin{}, rpctest.Sys(0, 0), 1, ""},
		{"root is believed", &rpc.Origin{Trust: rpc.Believed}, rpctest.Sys(5, 6, 7), 1, ""},
		{"a user as himself", user, rpctest.Sys(1000, 1000, 27), 1, ""},
		{"with another of his groups first", user, rpctest.Sys(1000, 27), 1, ""},
		{"with nobody's group", user, rpctest.Sys(1000, 65534), 1, ""},
		{"as nobody", user, rpctest.Opaque{}, 1, ""},
		{"as root", user, rpctest.Sys(0, 0), 1, "1 0"},
		{"as another", user, rpctest.Sys(1001, 1000), 1, "1 0"},
		{"with a group that he is not in", user, rpctest.Sys(1000, 0), 1, "2 0"},
		{"with a further group that he is not in", user, rpctest.Sys(1000, 1000, 27, 4), 1, "2 4"},
		{"NULL is for all", user, rpctest.Sys(0, 0), 0, ""},
		{"unknown, as somebody", &rpc.Origin{Trust: rpc.Nameless}, rpctest.Sys(1000, 1000), 1, "3 0"},
		{"unknown, as nobody", &rpc.Origin{Trust: rpc.Nameless}, rpctest.Opaque{}, 1, ""},
		{"shut out, as nobody", &rpc.Origin{Trust: rpc.Shut, UID: 7}, rpctest.Opaque{}, 1, "4 0"},
		{"shut out, as himself", &rpc.Origin{Trust: rpc.Shut, UID: 7}, rpctest.Sys(7, 7), 1, "4 0"},
		{"shut out, NULL", &rpc.Origin{Trust: rpc.Shut, UID: 7}, rpctest.Opaque{}, 0, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			claims = nil
			place := rpc.Place{Thread: &vfs.Thread{MayWait: true}}
			c := rpc.Call{Peer: netip.MustParseAddrPort("127.0.0.1:700"), Origin: x.origin}
			b, err := rpctest.Serve(s, &place, &c, rpctest.NewCall(1, 7, 1, x.proc, nil).As(x.cred).Bytes())
			require.NoError(t, err)
			r, err := rpctest.ParseReply(b)
			require.NoError(t, err)
			if x.claim == "" {
				require.False(t, r.Denied)
				require.Empty(t, claims)
				return
			}
			require.True(t, r.Denied)
			require.EqualValues(t, rpctest.AuthTooWeak, r.Auth)
			require.Equal(t, []string{x.claim}, claims)
		})
	}
}
