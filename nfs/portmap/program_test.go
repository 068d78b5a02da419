package portmap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

func TestNobodyRegistersOverTheNetwork(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	for _, proc := range []uint32{portmap.PMAPPROC_SET, portmap.PMAPPROC_UNSET} {
		require.Zero(t, p.number(2, proc, rpctest.Args(nil).U32(nfsProgram, 3, portmap.IPPROTO_TCP, 666)))
		for vers := uint32(3); vers <= 4; vers++ {
			args := rpctest.Args(nil).U32(nfsProgram, 3).String("tcp").String("127.0.0.1.2.2").String("me")
			require.Zero(t, p.number(vers, proc, args))
		}
	}
	require.EqualValues(
		t,
		2049,
		p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram, 3, portmap.IPPROTO_TCP)),
	)
}

func TestNoCallIsMadeForOthers(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", true)
	for _, c := range [][2]uint32{{2, 5}, {3, 5}, {4, 5}, {4, 10}} {
		args := rpctest.Args(nil).U32(nfsProgram, 3, 0).Opaque(nil)
		require.EqualValues(t, rpctest.ProcUnavail, p.reply(c[0], c[1], args).Accept)
	}
}

func TestVersionsAndProceduresThatAreNotThere(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	for _, vers := range []uint32{0, 1, 5} {
		r := p.reply(vers, 0, nil)
		require.EqualValues(t, rpctest.ProgMismatch, r.Accept)
		require.Equal(t, [2]uint32{2, 4}, [2]uint32{r.Low, r.High})
	}
	for _, c := range [][2]uint32{{2, 6}, {3, 9}, {4, 13}} {
		require.EqualValues(t, rpctest.ProcUnavail, p.reply(c[0], c[1], nil).Accept)
	}
	for vers := uint32(2); vers <= 4; vers++ {
		p.ask(vers, 0, nil, nil)
	}
}

// A program answers for all its versions at one port, so any version tells that port, except to a
// caller that asks for exactly one version.
func TestAnotherVersionIsNoAnswerToWhoWantsJustOne(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	text := func(vers, proc, of uint32) string {
		var got portmap.RpcbString
		p.ask(vers, proc, rpcb(nfsProgram, of, "tcp"), &got)
		return string(got)
	}
	const here = "127.0.0.1.8.1" // port 2049
	for of, exact := range map[uint32]string{2: "", 3: here, 4: ""} {
		require.Equal(t, exact, text(4, portmap.RPCBPROC_GETVERSADDR, of), "version %d", of)
		for vers := uint32(3); vers <= 4; vers++ {
			require.Equal(t, here, text(vers, portmap.RPCBPROC_GETADDR, of), "version %d", of)
		}
		require.EqualValues(
			t,
			2049,
			p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram, of, portmap.IPPROTO_TCP)),
		)
		var list portmap.RpcbEntryListPtr
		p.ask(4, portmap.RPCBPROC_GETADDRLIST, rpcb(nfsProgram, of, "tcp"), &list)
		require.Len(t, list, map[uint32]int{3: 1}[of], "version %d", of)
	}
}

// Versions may be at ports of their own. Then a caller gets another version's port only if the
// version that it asks for does not exist, and that of the last version.
func TestTheVersionThatIsAskedForComesBeforeAnyOther(t *testing.T) {
	r := &portmap.Registry{}
	for _, vers := range []uint32{5, 3, 4, 3} { // the second 3 does not count
		port := uint16(1000 + uint32(len(r.Mappings))*10 + vers)
		r.Mappings = append(
			r.Mappings,
			portmap.Mapping{Prog: nfsProgram, Vers: vers, Netid: portmap.TCP, Port: port},
		)
	}
	p := newPeer(t, r, "127.0.0.1:111", false)
	for vers, port := range map[uint32]uint32{5: 1005, 3: 1013, 4: 1024, 6: 1024, 2: 1024} {
		require.Equal(
			t,
			port,
			p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram, vers, portmap.IPPROTO_TCP)),
			"%d",
			vers,
		)
	}
	require.Zero(t, p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram, 3, portmap.IPPROTO_UDP)))
	require.Zero(t, p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram+1, 3, portmap.IPPROTO_TCP)))
}

func TestCallsAreCounted(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	p.ask(2, 0, nil, nil)
	p.ask(2, 0, nil, nil)
	p.number(3, portmap.RPCBPROC_GETTIME, nil)
	p.reply(4, portmap.RPCBPROC_GETADDR, []byte{1}) // garbage does not count
	var got portmap.RpcbStatByvers
	p.ask(4, portmap.RPCBPROC_GETSTAT, nil, &got)
	require.Equal(t, portmap.RpcbsProc{0: 2}, got[0].Info)
	require.Equal(t, portmap.RpcbsProc{portmap.RPCBPROC_GETTIME: 1}, got[1].Info)
	require.Equal(t, portmap.RpcbsProc{}, got[2].Info)
}

func TestArgumentsThatCannotBeDecodedAreGarbage(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	full := rpcb(nfsProgram, 3, "tcp")
	for n := 0; n < len(full); n += 3 {
		for _, proc := range []uint32{portmap.RPCBPROC_SET, portmap.RPCBPROC_UNSET, portmap.RPCBPROC_GETADDR,
			portmap.RPCBPROC_GETVERSADDR, portmap.RPCBPROC_GETADDRLIST} {
			require.EqualValues(t, rpctest.GarbageArgs, p.reply(4, proc, full[:n]).Accept)
		}
	}
	for proc := uint32(1); proc <= 3; proc++ {
		require.EqualValues(t, rpctest.GarbageArgs, p.reply(2, proc, full[:12]).Accept)
	}
	for _, proc := range []uint32{portmap.RPCBPROC_UADDR2TADDR, portmap.RPCBPROC_TADDR2UADDR} {
		require.EqualValues(t, rpctest.GarbageArgs, p.reply(3, proc, []byte{255, 255, 255, 255}).Accept)
	}
}

func TestLargestRegistryFitsItsReply(t *testing.T) {
	r := &portmap.Registry{Owner: strings.Repeat("o", 16)}
	for i := range 64 {
		r.Mappings = append(
			r.Mappings,
			portmap.Mapping{Prog: 1, Vers: uint32(i), Netid: portmap.UDP6, Port: 65535},
		)
	}
	p := newPeer(t, r, "[2001:db8:1111:2222:3333:4444:5555:6666]:111", true)
	var got portmap.RpcblistPtr
	p.ask(4, portmap.RPCBPROC_DUMP, nil, &got)
	require.Len(t, got, 64)
	require.Equal(t, "2001:db8:1111:2222:3333:4444:5555:6666.255.255", string(got[63].RpcbMap.RAddr))
	for _, m := range r.Mappings[:64] {
		m.Port = 1 // a second port does not count
		r.Mappings = append(r.Mappings, m)
	}
	require.NotPanics(t, func() { portmap.New(r) })
	r.Mappings = append(r.Mappings, portmap.Mapping{Prog: 2, Netid: portmap.TCP})
	require.Panics(t, func() { portmap.New(r) })
	require.Panics(t, func() {
		portmap.New(&portmap.Registry{Mappings: []portmap.Mapping{{Netid: "carrier pigeon"}}})
	})
}

func TestMessagesComeBack(t *testing.T) {
	for _, make := range messages {
		xdrtest.Check(t, make)
	}
}

var messages = []func() xdrtest.Message{
	func() xdrtest.Message { return new(portmap.Pmap) },
	func() xdrtest.Message { return new(portmap.PmaplistPtr) },
	func() xdrtest.Message { return new(portmap.Rpcb) },
	func() xdrtest.Message { return new(portmap.RpcblistPtr) },
	func() xdrtest.Message { return new(portmap.RpcbString) },
	func() xdrtest.Message { return new(portmap.Netbuf) },
	func() xdrtest.Message { return new(portmap.RpcbEntryListPtr) },
	func() xdrtest.Message { return new(portmap.RpcbStatByvers) },
}

func FuzzMessages(f *testing.F) { xdrtest.Fuzz(f, messages...) }

// FuzzProgram calls any procedure with anything. There must be a reply that can be taken apart.
func FuzzProgram(f *testing.F) {
	f.Add(byte(2), byte(3), pmap(nfsProgram, 3, 6), false)
	f.Add(byte(3), byte(3), rpcb(nfsProgram, 3, "tcp"), true)
	f.Add(byte(4), byte(11), rpcb(portmap.RPCBPROG, 4, "udp"), true)
	f.Add(byte(4), byte(7), []byte(rpctest.Args(nil).String("::1.8.1")), false)
	f.Add(
		byte(4),
		byte(8),
		[]byte(rpctest.Args(nil).U32(16).Opaque([]byte{2, 0, 0, 111, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})),
		false,
	)
	f.Fuzz(func(t *testing.T, vers, proc byte, args []byte, datagram bool) {
		newPeer(t, sample(), "[::1]:111", datagram).reply(uint32(vers), uint32(proc), args)
	})
}

// It does not matter here whose a socket is, so the server need not find that out.
func TestItDoesNotMatterWhoAsks(t *testing.T) {
	for _, trust := range []rpc.Trust{rpc.Remote, rpc.Bound, rpc.Nameless, rpc.Shut} {
		p := newPeer(t, sample(), "127.0.0.1:111", true)
		p.call.Origin = &rpc.Origin{Trust: trust, UID: 1000}
		require.EqualValues(
			t,
			2049,
			p.number(2, portmap.PMAPPROC_GETPORT, pmap(nfsProgram, 3, portmap.IPPROTO_TCP)),
		)
		require.False(t, p.server.Asks(&p.call))
	}
}
