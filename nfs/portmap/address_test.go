package portmap_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

func TestPortOfAProgram(t *testing.T) {
	p := newPeer(t, sample(), "192.0.2.1:111", true)
	for _, c := range []struct {
		name             string
		prog, vers, prot uint32
		local            string
		want             uint32
	}{
		{"registered", nfsProgram, 3, portmap.IPPROTO_TCP, "192.0.2.1:111", 2049},
		{"not over this protocol", nfsProgram, 3, portmap.IPPROTO_UDP, "192.0.2.1:111", 0},
		{"no such protocol", nfsProgram, 3, 99, "192.0.2.1:111", 0},
		{"no such program", 100999, 3, portmap.IPPROTO_TCP, "192.0.2.1:111", 0},
		{"another version will do", nfsProgram, 4, portmap.IPPROTO_TCP, "192.0.2.1:111", 2049},
		{"IPv4 first for who calls over IPv6", nfsProgram, 3, portmap.IPPROTO_TCP, "[2001:db8::1]:111", 2049},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.call.Local = netip.MustParseAddrPort(c.local)
			require.Equal(t, c.want, p.number(2, portmap.PMAPPROC_GETPORT, pmap(c.prog, c.vers, c.prot)))
		})
	}
	only6 := &portmap.Registry{Mappings: []portmap.Mapping{{Prog: 1, Vers: 1, Netid: portmap.TCP6, Port: 9}}}
	require.EqualValues(t, 9, newPeer(t, only6, "[::1]:111", false).number(2, portmap.PMAPPROC_GETPORT, pmap(1, 1, 6)))
	require.EqualValues(t, 0, newPeer(t, only6, "127.0.0.1:111", false).number(2, portmap.PMAPPROC_GETPORT, pmap(1, 1, 6)))
}

func TestPortsAreListedForIPv4(t *testing.T) {
	var got portmap.PmaplistPtr
	newPeer(t, sample(), "192.0.2.1:111", true).ask(2, portmap.PMAPPROC_DUMP, nil, &got)
	require.Len(t, got, 7)
	require.Equal(t, portmap.Pmap{Prog: portmap.RPCBPROG, Vers: 4, Prot: portmap.IPPROTO_TCP, Port: 111}, got[0].Map)
	require.Equal(t, portmap.Pmap{Prog: nfsProgram, Vers: 3, Prot: portmap.IPPROTO_TCP, Port: 2049}, got[6].Map)
}

func TestUniversalAddressIsOneThatTheCallerReaches(t *testing.T) {
	for _, c := range []struct {
		name, local, netid string
		datagram           bool
		vers               uint32
		want               string
	}{
		{"IPv4", "192.0.2.1:111", "tcp", false, 3, "192.0.2.1.8.1"},
		{"IPv6", "[2001:db8::1]:111", "tcp6", false, 3, "2001:db8::1.8.2"},
		{"IPv4 mapped into IPv6", "[::ffff:192.0.2.1]:111", "tcp", false, 3, "192.0.2.1.8.1"},
		{"zone is left out", "[fe80::1%eth0]:111", "tcp6", false, 3, "fe80::1.8.2"},
		{"transport of the call, not of the arguments", "192.0.2.1:111", "tcp6", false, 3, "192.0.2.1.8.1"},
		{"no transport in the arguments", "192.0.2.1:111", "", false, 3, "192.0.2.1.8.1"},
		{"not over UDP but over what is asked for", "192.0.2.1:111", "tcp", true, 3, "192.0.2.1.8.1"},
		{"not over UDP", "192.0.2.1:111", "udp", true, 3, ""},
		{"another version will do", "192.0.2.1:111", "tcp", false, 4, "192.0.2.1.8.1"},
	} {
		for vers := uint32(3); vers <= 4; vers++ {
			t.Run(fmt.Sprintf("%s/version %d", c.name, vers), func(t *testing.T) {
				var got portmap.RpcbString
				p := newPeer(t, sample(), c.local, c.datagram)
				p.ask(vers, portmap.RPCBPROC_GETADDR, rpcb(nfsProgram, c.vers, c.netid), &got)
				require.Equal(t, c.want, string(got))
			})
		}
	}
}

func TestGetversaddrWantsTheVersion(t *testing.T) {
	p := newPeer(t, sample(), "192.0.2.1:111", false)
	var got portmap.RpcbString
	p.ask(4, portmap.RPCBPROC_GETVERSADDR, rpcb(nfsProgram, 3, "tcp"), &got)
	require.Equal(t, "192.0.2.1.8.1", string(got))
	p.ask(4, portmap.RPCBPROC_GETVERSADDR, rpcb(nfsProgram, 4, "tcp"), &got)
	require.Empty(t, got)
}

func TestEverythingIsListed(t *testing.T) {
	for vers := uint32(3); vers <= 4; vers++ {
		var got portmap.RpcblistPtr
		newPeer(t, sample(), "192.0.2.1:111", false).ask(vers, portmap.RPCBPROC_DUMP, nil, &got)
		require.Len(t, got, 14)
		require.Equal(t, portmap.Rpcb{RProg: nfsProgram, RVers: 3, RNetid: []byte("tcp6"),
			RAddr: []byte("::.8.2"), ROwner: []byte("superuser")}, got[13].RpcbMap)
		require.Equal(t, "192.0.2.1.8.1", string(got[12].RpcbMap.RAddr))
	}
}

func TestAddressesOfTheCallersFamilyAreListed(t *testing.T) {
	var got portmap.RpcbEntryListPtr
	newPeer(t, sample(), "[::1]:111", false).ask(4, portmap.RPCBPROC_GETADDRLIST, rpcb(portmap.RPCBPROG, 4, ""), &got)
	require.Len(t, got, 2)
	require.Equal(t, portmap.RpcbEntry{RMaddr: []byte("::1.0.111"), RNcNetid: []byte("tcp6"), RNcSemantics: 3,
		RNcProtofmly: []byte("inet6"), RNcProto: []byte("tcp")}, got[0].RpcbEntryMap)
	require.Equal(t, portmap.RpcbEntry{RMaddr: []byte("::1.0.111"), RNcNetid: []byte("udp6"), RNcSemantics: 1,
		RNcProtofmly: []byte("inet6"), RNcProto: []byte("udp")}, got[1].RpcbEntryMap)
}

func TestTimeIsThatOfTheClock(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	require.EqualValues(t, 1700000000, p.number(3, portmap.RPCBPROC_GETTIME, nil))
	require.EqualValues(t, 1700000000, p.number(4, portmap.RPCBPROC_GETTIME, nil))
}

func TestUniversalAddressesAndSockaddrsTurnIntoEachOther(t *testing.T) {
	p := newPeer(t, sample(), "127.0.0.1:111", false)
	for _, u := range []string{"192.0.2.1.8.1", "0.0.0.0.0.111", "2001:db8::1.255.255", "::.0.0"} {
		var addr portmap.Netbuf
		p.ask(3, portmap.RPCBPROC_UADDR2TADDR, rpctest.Args(nil).String(u), &addr)
		require.EqualValues(t, len(addr.Buf), addr.Maxlen)
		var back portmap.RpcbString
		p.ask(4, portmap.RPCBPROC_TADDR2UADDR, xdrtest.Encode(t, &addr), &back)
		require.Equal(t, u, string(back))
	}
	for _, u := range []string{"", "192.0.2.1", "192.0.2.1.8", "192.0.2.1.256.1", "192.0.2.1.-1.1", "192.0.2.1..1",
		"x.8.1", "fe80::1%eth0.8.1", "....", strings.Repeat("1.", 500)} {
		var addr portmap.Netbuf
		p.ask(3, portmap.RPCBPROC_UADDR2TADDR, rpctest.Args(nil).String(u), &addr)
		require.Empty(t, addr.Buf, u)
	}
	for _, b := range [][]byte{nil, {2, 0}, make([]byte, 16), append([]byte{10, 0}, make([]byte, 14)...)} {
		var got portmap.RpcbString
		p.ask(3, portmap.RPCBPROC_TADDR2UADDR, rpctest.Args(nil).U32(0).Opaque(b), &got)
		require.Empty(t, got)
	}
}
