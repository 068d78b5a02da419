package mount

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

// rig is a server with two exports, /srv/a for everybody's loopback and /srv/b
// for one network, and a client.
type rig struct {
	t      testing.TB
	table  *export.Table
	server *rpc.Server
	place  rpc.Place
	call   rpc.Call
	cred   rpctest.Opaque
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOf(t, []export.Export{
		{Path: "/srv/a", FS: tree(t)},
		{Path: "/srv/b", FS: tree(t), Options: export.Options{
			Squash: export.SquashAll, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
	})
}

func newRigOf(t testing.TB, exports []export.Export) *rig {
	t.Helper()
	return newRigWith(t, exports, Config{})
}

func newRigWith(t testing.TB, exports []export.Export, cfg Config) *rig {
	t.Helper()
	table, err := export.NewTable(export.Key{1, 2, 3}, 1, exports)
	require.NoError(t, err)
	r := &rig{t: t, table: table, server: rpc.NewServer(New(table, cfg)),
		place: rpc.Place{Thread: &vfs.Thread{MayWait: true}}}
	require.NoError(t, table.Attach(0, r.place.Thread))
	t.Cleanup(func() {
		table.Detach(0)
		require.NoError(t, table.Close())
	})
	r.from("127.0.0.1:700")
	return r
}

// tree has dir/deep, a directory that only its owner may enter, a file, a FIFO,
// and links to a directory inside, outside and to themselves.
func tree(t testing.TB) vfs.FS {
	fs := memfs.New(memfs.Config{})
	var th vfs.Thread
	v, err := fs.View(&th)
	require.NoError(t, err)
	defer v.Close()
	root := &vfs.Cred{}
	var w vfs.WCC
	mkdir := func(at vfs.Handle, name string, mode uint32) vfs.Handle {
		var e vfs.Entry
		require.Equal(
			t,
			vfs.OK,
			v.Mkdir(
				root,
				at,
				&vfs.MkdirArgs{Name: []byte(name), Set: &vfs.SetAttr{HasMode: true, Mode: mode}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
		return e.Handle
	}
	var e vfs.Entry
	mkdir(mkdir(fs.Root(), "dir", 0o755), "deep", 0o755)
	mkdir(mkdir(fs.Root(), "private", 0o700), "in", 0o700)
	require.Equal(
		t,
		vfs.OK,
		v.Create(
			root,
			fs.Root(),
			&vfs.CreateArgs{Name: []byte("file"), How: vfs.Guarded, Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	require.Equal(
		t,
		vfs.OK,
		v.Mknod(
			root,
			fs.Root(),
			&vfs.MknodArgs{Name: []byte("fifo"), Type: vfs.TypeFifo, Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	for name, target := range map[string]string{"link": "dir/deep", "out": "../../etc", "abs": "/etc", "loop": "loop"} {
		require.Equal(
			t,
			vfs.OK,
			v.Symlink(
				root,
				fs.Root(),
				&vfs.SymlinkArgs{Name: []byte(name), Target: []byte(target), Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
	}
	return fs
}

func (r *rig) from(peer string) { r.call.Peer = netip.MustParseAddrPort(peer) }

func (r *rig) reply(vers, proc uint32, args []byte) rpctest.Reply {
	r.t.Helper()
	msg := rpctest.NewCall(1, mount3.MOUNT_PROGRAM, vers, proc, args).As(r.cred).Bytes()
	b, err := rpctest.Serve(r.server, &r.place, &r.call, msg)
	require.NoError(r.t, err)
	reply, err := rpctest.ParseReply(b)
	require.NoError(r.t, err)
	require.False(r.t, reply.Denied)
	return reply
}

// ask calls a procedure that succeeds and decodes its results, all of them.
func (r *rig) ask(vers, proc uint32, args []byte, res xdrtest.Message) {
	r.t.Helper()
	reply := r.reply(vers, proc, args)
	require.EqualValues(r.t, rpctest.Success, reply.Accept)
	xdrtest.Decode(r.t, reply.Results, res)
}

func path(p string) []byte { return rpctest.Args(nil).String(p) }

func (r *rig) mnt(p string) *mount3.Mountres3 {
	r.t.Helper()
	res := new(mount3.Mountres3)
	r.ask(3, mount3.MOUNTPROC3_MNT, path(p), res)
	return res
}

// open returns the export and the attributes that a handle stands for.
func (r *rig) open(fh []byte) (*export.Export, vfs.Attr) {
	r.t.Helper()
	x, h, s := r.table.Open(fh)
	require.Equal(r.t, vfs.OK, s)
	var a vfs.Attr
	require.Equal(r.t, vfs.OK, r.table.View(0, x).GetAttr(h, &a))
	return x, a
}

// dump returns the list of mounts as host:path, as told to root of the server's machine.
func (r *rig) dump(vers uint32) []string {
	r.t.Helper()
	r.call.Origin = &rpc.Origin{Trust: rpc.Believed}
	defer func() { r.call.Origin = nil }()
	return r.told(vers)
}

// told returns the list as told to the caller.
func (r *rig) told(vers uint32) []string {
	r.t.Helper()
	var list mount3.Mountlist
	r.ask(vers, mount3.MOUNTPROC3_DUMP, nil, &list)
	var lines []string
	for _, m := range list {
		lines = append(lines, string(m.MlHostname)+":"+string(m.MlDirectory))
	}
	return lines
}
