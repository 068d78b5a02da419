package object_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// open is an Opener of two exports, of which the second is read-only and for one address, and
// calls of a place.
func open(t *testing.T) (p *object.Opener, c *rpc.Call, handles [2][]byte, refused *int) {
	t.Helper()
	only := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	table, err := export.NewTable(export.Key{1}, 1, []export.Export{
		{Path: "/rw", FS: memfs.New(memfs.Config{Mode: 0o777}), Options: export.Options{Allow: only}},
		{
			Path:    "/ro",
			FS:      memfs.New(memfs.Config{Mode: 0o777}),
			Options: export.Options{ReadOnly: true, Allow: only},
		},
	})
	require.NoError(t, err)
	thread := &vfs.Thread{MayWait: true}
	require.NoError(t, table.Attach(0, thread))
	t.Cleanup(func() {
		table.Detach(0)
		require.NoError(t, table.Close())
	})
	for i, x := range table.Exports() {
		h := x.FS.Root()
		handles[i] = table.Seal(x, &h, nil)
	}
	refused = new(int)
	p = &object.Opener{Table: table, Refused: func(*rpc.Call, *export.Export, export.Refusal) { *refused++ }}
	c = &rpc.Call{Place: &rpc.Place{Thread: thread}, Peer: netip.MustParseAddrPort("192.0.2.1:700")}
	return p, c, handles, refused
}

func TestAHandleIsOpenedForThoseWhomItsExportServes(t *testing.T) {
	p, c, handles, refused := open(t)
	var last object.Served
	for _, memory := range []*object.Served{nil, &last} {
		var o object.Object
		require.Equal(t, vfs.OK, p.Open(c, handles[1], &o, memory))
		require.Equal(t, "/ro", o.Export.Path)
		require.NotNil(t, o.View)
		var a vfs.Attr
		require.True(t, o.Fill(c, &a))
		require.Equal(t, vfs.TypeDir, a.Type)
		require.NotNil(t, o.Cred(c))
	}
	require.Zero(t, *refused)
	c.Peer = netip.MustParseAddrPort("198.51.100.1:700") // another peer was served last
	for i, memory := range []*object.Served{nil, &last, &last} {
		var o object.Object
		require.Equal(t, vfs.Access, p.Open(c, handles[1], &o, memory))
		require.Nil(t, o.View)
		var a vfs.Attr
		require.True(t, o.Fill(c, &a), "there is nobody to ask")
		require.False(t, a.Filled())
		require.Equal(t, i+1, *refused)
	}
}

func TestAReadOnlyExportIsNotOpenedForChanges(t *testing.T) {
	p, c, handles, _ := open(t)
	var o object.Object
	require.Equal(t, vfs.OK, p.OpenChange(c, handles[0], &o, nil))
	require.Equal(t, vfs.ROFS, p.OpenChange(c, handles[1], &o, nil))
	require.NotNil(t, o.View, "for the attributes of the refusal")
	require.Equal(t, vfs.BadHandle, p.OpenChange(c, []byte("nobody's"), &object.Object{}, nil))
}

func TestOnlyALaneWaits(t *testing.T) {
	_, c, _, _ := open(t)
	require.False(t, object.Waits(c, vfs.Again), "a worker's Again is a fault")
	c.Place.Thread = &vfs.Thread{}
	require.True(t, object.Waits(c, vfs.Again))
	require.False(t, object.Waits(c, vfs.IO))
	for st := range vfs.NumStatus {
		require.Equal(t, st == vfs.Stale || st == vfs.BadHandle, object.Gone(st), "%v", st)
	}
}
