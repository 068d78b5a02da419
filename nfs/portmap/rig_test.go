package portmap_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

const nfsProgram = 100003

func sample() *portmap.Registry {
	r := &portmap.Registry{Owner: "superuser", Now: func() time.Time { return time.Unix(1700000000, 5) }}
	for _, id := range []portmap.Netid{portmap.TCP, portmap.UDP, portmap.TCP6, portmap.UDP6} {
		for vers := uint32(4); vers >= 2; vers-- {
			r.Mappings = append(
				r.Mappings,
				portmap.Mapping{Prog: portmap.RPCBPROG, Vers: vers, Netid: id, Port: 111},
			)
		}
	}
	r.Mappings = append(r.Mappings,
		portmap.Mapping{Prog: nfsProgram, Vers: 3, Netid: portmap.TCP, Port: 2049},
		portmap.Mapping{Prog: nfsProgram, Vers: 3, Netid: portmap.TCP6, Port: 2050},
	)
	return r
}

// peer calls a program as one client.
type peer struct {
	t      testing.TB
	server *rpc.Server
	call   rpc.Call
}

func newPeer(t testing.TB, r *portmap.Registry, local string, datagram bool) *peer {
	return &peer{t: t, server: rpc.NewServer(portmap.New(r)), call: rpc.Call{
		Peer:     netip.MustParseAddrPort("[::1]:700"),
		Local:    netip.MustParseAddrPort(local),
		Datagram: datagram,
	}}
}

func (p *peer) reply(vers, proc uint32, args []byte) rpctest.Reply {
	p.t.Helper()
	b, err := rpctest.Serve(
		p.server,
		nil,
		&p.call,
		rpctest.NewCall(7, portmap.RPCBPROG, vers, proc, args).Bytes(),
	)
	require.NoError(p.t, err)
	r, err := rpctest.ParseReply(b)
	require.NoError(p.t, err)
	require.False(p.t, r.Denied)
	return r
}

// ask calls a procedure that succeeds and decodes its results, all of them.
func (p *peer) ask(vers, proc uint32, args []byte, res xdrtest.Message) {
	p.t.Helper()
	r := p.reply(vers, proc, args)
	require.EqualValues(p.t, rpctest.Success, r.Accept)
	xdrtest.Decode(p.t, r.Results, res)
}

func (p *peer) number(vers, proc uint32, args []byte) uint32 {
	p.t.Helper()
	var n number
	p.ask(vers, proc, args, &n)
	return uint32(n)
}

// number is an unsigned integer or a boolean as a message.
type number uint32

func (n *number) Encode(e *xdr.Encoder) { e.Uint32(uint32(*n)) }

func (n *number) Decode(d *xdr.Decoder) { *n = number(d.Uint32()) }

func pmap(prog, vers, prot uint32) []byte { return rpctest.Args(nil).U32(prog, vers, prot, 0) }

func rpcb(prog, vers uint32, id string) []byte {
	return rpctest.Args(nil).U32(prog, vers).String(id).String("").String("")
}
