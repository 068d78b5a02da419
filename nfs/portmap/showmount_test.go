package portmap_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// showmount finds the MOUNT program through the port mapper, so the test is here.
func TestShowmountUnderstandsTheAnswers(t *testing.T) {
	if !inside(t, "showmount", "unshare") {
		return
	}
	const places = 3 // of TCP, of UDP, and of the test's own goroutine
	table, err := export.NewTable(export.Key{1}, places, []export.Export{
		{Path: "/srv/open", FS: memfs.New(memfs.Config{}), Options: export.Options{Allow: []netip.Prefix{
			netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}},
		{Path: "/srv/some", FS: memfs.New(memfs.Config{}), Options: export.Options{Allow: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}},
	})
	require.NoError(t, err)
	var at [places]rpc.Place
	for i := range at {
		at[i] = rpc.Place{Index: i, Thread: &vfs.Thread{MayWait: true}}
		require.NoError(t, table.Attach(i, at[i].Thread))
	}
	t.Cleanup(func() {
		for i := range at {
			table.Detach(i)
		}
		require.NoError(t, table.Close())
	})
	r := sample()
	for vers := uint32(1); vers <= 3; vers++ {
		for _, id := range []portmap.Netid{portmap.TCP, portmap.UDP} {
			r.Mappings = append(
				r.Mappings,
				portmap.Mapping{Prog: mount3.MOUNT_PROGRAM, Vers: vers, Netid: id, Port: 20048},
			)
		}
	}
	s := rpc.NewServer(portmap.New(r), mount.New(table, mount.Config{}))
	serve(t, s, "127.0.0.1:111", nil, nil)
	serve(t, s, "127.0.0.1:20048", &at[0], &at[1])

	lines := run(t, "showmount", "-e", "127.0.0.1")
	require.Equal(t, [][]string{
		{"Export", "list", "for", "127.0.0.1:"},
		{"/srv/open", "(everyone)"},
		{"/srv/some", "127.0.0.0/8,2001:db8::/32"},
	}, lines)

	require.Len(t, run(t, "showmount", "-a", "127.0.0.1"), 1)
	c := &rpc.Call{Peer: netip.MustParseAddrPort("127.0.0.9:700")}
	args := rpctest.Args(nil).String("/srv/some")
	_, err = rpctest.Serve(
		s,
		&at[2],
		c,
		rpctest.NewCall(1, mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, args).Bytes(),
	)
	require.NoError(t, err)
	require.Contains(t, run(t, "showmount", "-a", "127.0.0.1"), []string{"127.0.0.9:/srv/some"})
	require.Contains(t, run(t, "showmount", "-d", "127.0.0.1"), []string{"/srv/some"})
}
