package nfs

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/sockdiag"
	"github.com/ringnfs/ringnfs/nfs/transport"
)

// fakeKernel has sockets with owners, and addresses of its own.
type fakeKernel struct {
	owner map[string]uint32 // by address and port
	local string
	err   error
}

func (k fakeKernel) Owner(_ sockdiag.Protocol, own, _ netip.AddrPort, _ uint32) (uint32, error) {
	if uid, ok := k.owner[own.String()]; ok {
		return uid, nil
	}
	if k.err != nil {
		return 0, k.err
	}
	return 0, sockdiag.ErrNotFound
}

func (k fakeKernel) Local(a netip.Addr, _ uint32) (bool, error) {
	return a.String() == k.local, k.err
}

func TestWhoAPeerIs(t *testing.T) {
	const local, remotely, user = "10.0.0.1:1000", "10.0.0.2:1000", "10.0.0.1:50000"
	kernel := fakeKernel{
		local: "10.0.0.1",
		owner: map[string]uint32{local: 0, user: 1000, "10.0.0.1:3": 65534, "10.0.0.1:4": 7},
	}
	noUDP := map[sockdiag.Protocol]bool{sockdiag.UDP: true}
	broken := fakeKernel{err: errors.New("no memory")}
	for _, c := range []struct {
		name    string
		o       *origins
		peer    string
		trust   rpc.Trust
		waiting bool
	}{
		{"root", &origins{kernel: kernel}, local, rpc.Believed, false},
		{"a user", &origins{kernel: kernel}, user, rpc.Bound, true},
		{"another machine", &origins{kernel: kernel}, remotely, rpc.Remote, false},
		{"a socket that is gone", &origins{kernel: kernel}, "10.0.0.1:9", rpc.Nameless, false},
		{"no address", &origins{kernel: kernel}, "", rpc.Nameless, false},
		{"the kernel fails", &origins{kernel: broken}, remotely, rpc.Nameless, false},
		{"a user of a server of his", &origins{kernel: kernel, euid: 1000, alone: true}, user, rpc.Believed, false},
		{"root, to a user's server", &origins{kernel: kernel, euid: 1000, alone: true}, local, rpc.Believed, false},
		{"another, to a user's server", &origins{kernel: kernel, euid: 1000, alone: true}, "10.0.0.1:4", rpc.Shut, false},
		{"a socket that is gone, to a user's server", &origins{kernel: kernel, euid: 1000, alone: true}, "10.0.0.1:9", rpc.Shut, false},
		{"a user of a namespace's only user", &origins{kernel: kernel, alone: true}, user, rpc.Shut, false},
		{"root, to a namespace's only user", &origins{kernel: kernel, alone: true}, local, rpc.Believed, false},
		{"one from outside, to a namespace's only user", &origins{kernel: kernel, alone: true, foreign: true}, "10.0.0.1:3", rpc.Shut, false},
		{"the machine's root, from outside", &origins{kernel: kernel, foreign: true, reserved: 4}, "10.0.0.1:3", rpc.Believed, false},
		{"nobody's, from a port of root's", &origins{kernel: kernel, reserved: 1024}, "10.0.0.1:9", rpc.Believed, false},
		{"nobody's, from a port of anybody's", &origins{kernel: kernel, reserved: 9}, "10.0.0.1:9", rpc.Nameless, false},
		{"another machine, to a user's server", &origins{kernel: kernel, euid: 1000, alone: true}, remotely, rpc.Remote, false},
		{"nobody, who may be anybody outside", &origins{kernel: kernel, euid: 65534, alone: true, foreign: true}, "10.0.0.1:3", rpc.Shut, false},
		{"nobody himself", &origins{kernel: kernel, euid: 65534, alone: true}, "10.0.0.1:3", rpc.Believed, false},
		{"trusted", &origins{kernel: kernel, trust: true}, user, rpc.Believed, false},
		{"trusted and gone", &origins{kernel: kernel, trust: true}, "10.0.0.1:9", rpc.Believed, false},
		{"another machine, where local ones are trusted", &origins{kernel: kernel, trust: true}, remotely, rpc.Remote, false},

		{"no sock_diag, a reserved port", &origins{reserved: 1024}, "127.0.0.1:1023", rpc.Believed, false},
		{"no sock_diag, another port", &origins{reserved: 1024}, "127.0.0.1:1024", rpc.Nameless, false},
		{"no sock_diag, an address called from itself", &origins{reserved: 1024}, "10.0.0.9:1024", rpc.Nameless, false},
		{"no sock_diag, no port is reserved", &origins{}, "127.0.0.1:1", rpc.Nameless, false},
		{"no sock_diag, to a user's server", &origins{reserved: 1024, euid: 1000, alone: true}, "127.0.0.1:1024", rpc.Shut, false},
		{"no sock_diag, another machine", &origins{reserved: 1024}, remotely, rpc.Remote, false},
		{"no sock_diag, another of the machine's addresses", &origins{reserved: 1024}, "10.0.0.1:1024", rpc.Nameless, false},
		{"no sock_diag, an address of which nothing is known", &origins{reserved: 1024}, "10.0.0.3:1024", rpc.Nameless, false},
		{"no sockets of UDP, another machine", &origins{kernel: kernel, silent: noUDP, reserved: 1024}, remotely, rpc.Remote, false},
		{"no sockets of UDP, a user", &origins{kernel: kernel, silent: noUDP, reserved: 1024}, user, rpc.Nameless, false},
		{"no sockets of TCP, a user by UDP", &origins{kernel: kernel, silent: map[sockdiag.Protocol]bool{sockdiag.TCP: true}}, user, rpc.Bound, true},
		{"no sock_diag, trusted", &origins{trust: true}, "127.0.0.1:5000", rpc.Believed, false},
		{"no sock_diag, no address", &origins{reserved: 1024}, "", rpc.Nameless, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.groups.lookup = func(uid uint32) ([]uint32, error) { return []uint32{uid, 27}, nil }
			c.o.ours = func(a netip.Addr) (bool, error) {
				if a.String() == "10.0.0.3" {
					return false, errors.New("no descriptors")
				}
				return a.String() == "10.0.0.1", nil
			}
			e := transport.Ends{Local: netip.MustParseAddrPort("10.0.0.9:2049"), Datagram: true, FD: -1}
			if c.peer != "" {
				e.Peer = netip.MustParseAddrPort(c.peer)
			}
			is, later := c.o.origin(e)
			require.Equal(t, c.waiting, later != nil)
			if later != nil {
				require.Equal(t, rpc.Nameless, is.Trust, "nobody, as long as it is not known")
				is = later()
				require.Equal(t, []uint32{1000, 27}, is.GIDs)
				again, later := c.o.origin(e)
				require.Nil(t, later, "the groups are remembered")
				require.Equal(t, is, again)
			}
			require.Equal(t, c.trust, is.Trust)
		})
	}
}

func TestOneProtocolThatTheKernelDoesNotKnowIsNotAll(t *testing.T) {
	a, b := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	listeners := []transport.Listener{{Addr: a}, {Addr: b}, {Addr: a, Datagram: true}}
	silent, err := answers(func(p sockdiag.Protocol, at netip.AddrPort) (uint32, error) {
		if p == sockdiag.UDP || at == b {
			return 0, sockdiag.ErrNotFound
		}
		return 0, nil
	}, listeners)
	require.ErrorIs(t, err, sockdiag.ErrNotFound)
	require.ErrorContains(t, err, "UDP")
	require.NotContains(t, err.Error(), "TCP")
	require.Equal(t, map[sockdiag.Protocol]bool{sockdiag.UDP: true}, silent)
}

func TestAddressesOfThisMachineCanBeBoundTo(t *testing.T) {
	own := []string{"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"}
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; !ip.IsLinkLocalUnicast() {
			own = append(own, ip.String())
		}
	}
	for _, a := range own {
		ours, err := canBindTo(netip.MustParseAddr(a))
		require.NoError(t, err, a)
		require.True(t, ours, a)
	}
	ours, err := canBindTo(netip.MustParseAddr("192.0.2.1"))
	require.NoError(t, err)
	require.False(t, ours)
	_, err = canBindTo(netip.MustParseAddr("fe80::a:b:c:d"))
	require.Error(t, err)
}

func TestGroupsAreLookedUpOnceForAllWhoAsk(t *testing.T) {
	now := time.Unix(1, 0)
	begun, answer := make(chan struct{}), make(chan []uint32)
	g := groupCache{now: func() time.Time { return now }, lookup: func(uint32) ([]uint32, error) {
		begun <- struct{}{}
		return <-answer, nil
	}}
	got := make(chan []uint32)
	of := func() {
		gids, err := g.of(7)
		if err != nil {
			t.Error(err)
		}
		got <- gids
	}
	for range 3 {
		go of()
	}
	<-begun
	_, ok := g.known(7)
	require.False(t, ok)
	answer <- []uint32{1, 2}
	for range 3 {
		require.Equal(t, []uint32{1, 2}, <-got)
	}
	now = now.Add(30*time.Second - 1)
	_, ok = g.known(7)
	require.True(t, ok)
	now = now.Add(1)
	_, ok = g.known(7)
	require.False(t, ok, "a user's groups change")
	go of()
	<-begun
	answer <- []uint32{3}
	require.Equal(t, []uint32{3}, <-got)
	g.lookup = func(uid uint32) ([]uint32, error) { return []uint32{uid}, nil }
	for uid := range uint32(5000) {
		_, err := g.of(uid)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(g.by), 1024)
}

func TestFewLookUpsOfGroupsAreUnderWayAtOnce(t *testing.T) {
	const users = 50
	var running, most atomic.Int32
	begun, answer := make(chan struct{}), make(chan struct{})
	g := groupCache{lookup: func(uid uint32) ([]uint32, error) {
		now := running.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		begun <- struct{}{}
		<-answer
		running.Add(-1)
		return []uint32{uid}, nil
	}}
	got := make(chan uint32, users)
	for uid := range uint32(users) {
		go func() {
			gids, _ := g.of(uid)
			got <- gids[0]
		}()
	}
	for range lookupsMax {
		<-begun
	}
	for range users - lookupsMax {
		answer <- struct{}{}
		<-begun
	}
	for range lookupsMax {
		answer <- struct{}{}
	}
	seen := map[uint32]bool{}
	for range users {
		seen[<-got] = true
	}
	require.Len(t, seen, users)
	require.EqualValues(t, lookupsMax, most.Load())
}

func TestGroupsOfTheSystemsUsers(t *testing.T) {
	gids, err := groupsOf(0)
	require.NoError(t, err)
	require.Contains(t, gids, uint32(0))
	gids, err = groupsOf(61001)
	require.NoError(t, err)
	require.Empty(t, gids, "the group of that number may be somebody's")
}

func TestGroupsAreRenewedAsFarAsTheyCanBeFoundOut(t *testing.T) {
	now := time.Unix(1, 0)
	gids, failure := []uint32{1, 2}, error(nil)
	o := &origins{
		groups: groupCache{
			now:    func() time.Time { return now },
			lookup: func(uint32) ([]uint32, error) { return gids, failure },
		},
	}
	old := &rpc.Origin{Trust: rpc.Bound, UID: 1000, GIDs: gids}
	next := func() *rpc.Origin {
		now = now.Add(time.Minute)
		return o.renew(old)
	}
	require.Equal(t, old, next())
	gids = []uint32{2}
	require.Equal(t, &rpc.Origin{Trust: rpc.Bound, UID: 1000, GIDs: []uint32{2}}, next())
	gids, failure = nil, errors.New("the database is away")
	require.Nil(t, next())
	again, ok := o.groups.known(1000)
	require.True(t, ok)
	require.Equal(t, []uint32{2}, again, "whoever connects has what was known")
	failure = nil
	require.Empty(t, next().GIDs, "now it says so")
}

// A database is down while a user connects. When it is back, it is asked again: for the same
// connection, for the next one, and for the next datagram.
func TestAFirstLookUpOfGroupsThatFailsIsNotBelieved(t *testing.T) {
	now := time.Unix(1, 0)
	failure, asked := errors.New("the database is away"), 0
	o := &origins{
		groups: groupCache{now: func() time.Time { return now }, lookup: func(uint32) ([]uint32, error) {
			if asked++; failure != nil {
				return nil, failure
			}
			return []uint32{1000}, nil
		}},
	}
	peer := netip.MustParseAddrPort("127.0.0.1:40000")
	connect := func() *rpc.Origin {
		is, later := o.user(1000, peer)
		require.Equal(t, rpc.Nameless, is.Trust)
		require.NotNil(t, later, "nothing is known yet")
		return later()
	}
	none := &rpc.Origin{Trust: rpc.Bound, UID: 1000, Unsure: true}
	require.Equal(t, none, connect())
	require.Equal(t, none, connect())
	require.Equal(t, 1, asked, "it is left alone for a moment")
	now = now.Add(time.Second)
	require.Equal(t, none, connect())
	require.Nil(t, o.renew(none))
	require.Equal(t, 2, asked)
	failure = nil
	now = now.Add(time.Second)
	sure := &rpc.Origin{Trust: rpc.Bound, UID: 1000, GIDs: []uint32{1000}}
	require.Equal(t, sure, o.renew(none))
	is, later := o.user(1000, peer)
	require.Nil(t, later)
	require.Equal(t, sure, is)
}

func TestALogOfGroupsThatCouldNotBeLookedUpSaysSo(t *testing.T) {
	for unsure, says := range map[bool]string{
		false: "make the user a member", true: "does not tell the groups of user 1000",
	} {
		var text bytes.Buffer
		c := &rpc.Call{Origin: &rpc.Origin{Trust: rpc.Bound, UID: 1000, Unsure: unsure}}
		newJournal(slog.New(slog.NewTextHandler(&text, nil))).claimed(c, rpc.ClaimGroup, 1000)
		require.Contains(t, text.String(), says)
	}
}
