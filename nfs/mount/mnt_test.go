package mount

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestMountGivesTheHandleOfThePath(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		path string
		typ  vfs.FileType
	}{
		{"/srv/a", vfs.TypeDir}, {"/srv/a/", vfs.TypeDir}, {"//srv/./a", vfs.TypeDir},
		{"/srv/a/dir", vfs.TypeDir},
		{"/srv/a/dir/deep/", vfs.TypeDir}, {"/srv/a/file", vfs.TypeReg}, {"/srv/a/link", vfs.TypeDir},
	} {
		t.Run(c.path, func(t *testing.T) {
			res := r.mnt(c.path)
			require.Equal(t, mount3.MNT3_OK, res.FhsStatus)
			require.Equal(t, []int32{rpc.AuthSys, rpc.AuthNone}, res.Mountinfo.AuthFlavors)
			x, a := r.open(res.Mountinfo.Fhandle)
			require.Equal(t, "/srv/a", x.Path)
			require.Equal(t, c.typ, a.Type)
		})
	}
	_, link := r.open(r.mnt("/srv/a/link").Mountinfo.Fhandle)
	_, deep := r.open(r.mnt("/srv/a/dir/deep").Mountinfo.Fhandle)
	require.Equal(t, deep.FileID, link.FileID)
}

func TestMountIsRefusedWithItsReason(t *testing.T) {
	r := newRig(t)
	long := "/srv/a/" + strings.Repeat("x", mount3.MNTPATHLEN)
	for _, c := range []struct {
		name, path, peer string
		want             mount3.Mountstat3
	}{
		{"no such export", "/etc", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"above the exports", "/srv", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"root of several exports", "/", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"name that an export begins with", "/srv/abc", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"relative", "srv/a", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"empty", "", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"NUL", "/srv/a\x00", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"dots out of the export", "/srv/a/../../etc", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"nothing there", "/srv/a/none", "127.0.0.1:700", mount3.MNT3ERR_NOENT},
		{"below a file", "/srv/a/file/x", "127.0.0.1:700", mount3.MNT3ERR_NOTDIR},
		{"neither directory nor file", "/srv/a/fifo", "127.0.0.1:700", mount3.MNT3ERR_NOTDIR},
		{"link out of the export", "/srv/a/out", "127.0.0.1:700", mount3.MNT3ERR_ACCES},
		{"absolute link", "/srv/a/abs", "127.0.0.1:700", mount3.MNT3ERR_ACCES},
		{"loop of links", "/srv/a/loop", "127.0.0.1:700", mount3.MNT3ERR_ACCES},
		{"long name", "/srv/a/" + strings.Repeat("x", 300), "127.0.0.1:700", mount3.MNT3ERR_NAMETOOLONG},
		{"long path", long, "127.0.0.1:700", mount3.MNT3ERR_NAMETOOLONG},
		{"another network", "/srv/a", "192.0.2.1:700", mount3.MNT3ERR_ACCES},
		{"another network, nothing there", "/srv/a/none", "192.0.2.1:700", mount3.MNT3ERR_ACCES},
		{"other export, other network", "/srv/b", "127.0.0.1:700", mount3.MNT3ERR_ACCES},
		{"dots from a served export to another", "/srv/a/../b", "127.0.0.1:700", mount3.MNT3ERR_ACCES},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.from(c.peer)
			res := r.mnt(c.path)
			require.Equal(t, c.want, res.FhsStatus)
			require.Empty(t, res.Mountinfo.Fhandle)
			r.from("127.0.0.1:700")
			require.Empty(t, r.dump(3))
		})
	}
}

func TestMountIsServedToTheNetworkOfTheExport(t *testing.T) {
	r := newRig(t)
	for _, peer := range []string{"192.0.2.7:700", "[::ffff:192.0.2.7]:700"} {
		r.from(peer)
		require.Equal(t, mount3.MNT3_OK, r.mnt("/srv/b").FhsStatus)
	}
	require.Equal(t, []string{"192.0.2.7:/srv/b"}, r.dump(3), "both are one address")
}

func TestSlashMeansTheOnlyExport(t *testing.T) {
	r := newRigOf(t, []export.Export{{Path: "/only", FS: tree(t)}})
	res := r.mnt("/")
	require.Equal(t, mount3.MNT3_OK, res.FhsStatus)
	x, _ := r.open(res.Mountinfo.Fhandle)
	require.Equal(t, "/only", x.Path)
	require.Equal(t, []string{"127.0.0.1:/only"}, r.dump(3))
}

func TestMountOfASubdirectoryGivesNoMoreThanTheExport(t *testing.T) {
	r := newRig(t)
	r.from("192.0.2.7:700")
	x, _ := r.open(r.mnt("/srv/b/dir/deep").Mountinfo.Fhandle)
	require.Same(t, r.table.Exports()[1], x)
	require.Equal(t, export.SquashAll, x.Squash)
	require.False(t, x.Allowed(netip.MustParseAddr("127.0.0.1")))
}

// A mount must not be a way around a directory that the caller may not search, since LOOKUP would
// not pass it either.
func TestMountGoesNoWayThatTheCallerCouldNot(t *testing.T) {
	r := newRig(t)
	for _, cred := range []rpctest.Opaque{{}, rpctest.Sys(0, 0), rpctest.Sys(1000, 1000)} {
		r.cred = cred
		require.Equal(t, mount3.MNT3_OK, r.mnt("/srv/a/private").FhsStatus,
			"what it is itself does not matter")
		require.Equal(t, mount3.MNT3ERR_ACCES, r.mnt("/srv/a/private/in").FhsStatus)
		require.Equal(t, mount3.MNT3ERR_ACCES, r.mnt("/srv/a/private/missing").FhsStatus,
			"tells whether a name exists")
	}
}

func TestOldVersionsGiveNoHandle(t *testing.T) {
	r := newRig(t)
	for vers := uint32(1); vers <= 2; vers++ {
		var res mount3.Fhstatus
		r.ask(vers, mount3.MOUNTPROC_MNT, path("/srv/a"), &res)
		require.EqualValues(t, 13, res.FhsStatus)
		require.Empty(t, r.dump(vers))
	}
}

func TestPathsThatCannotBeDecodedAreGarbage(t *testing.T) {
	r := newRig(t)
	full := path("/srv/a")
	for vers := uint32(1); vers <= 3; vers++ {
		for _, proc := range []uint32{mount3.MOUNTPROC_MNT, mount3.MOUNTPROC_UMNT} {
			for n := range len(full) {
				require.EqualValues(t, rpctest.GarbageArgs, r.reply(vers, proc, full[:n]).Accept)
			}
			require.EqualValues(t, rpctest.GarbageArgs,
				r.reply(vers, proc, []byte{255, 255, 255, 255}).Accept)
		}
	}
}

func TestWalkThatMayNotWaitGoesToAWorker(t *testing.T) {
	r := newRigOf(t, []export.Export{{Path: "/a", FS: lazy{memfs.New(memfs.Config{})}}})
	r.place.Thread.MayWait = false
	for _, c := range [][2]uint32{{3, mount3.MOUNTPROC3_MNT}, {2, mount3.MOUNTPROC2_PATHCONF}} {
		msg := rpctest.NewCall(1, mount3.MOUNT_PROGRAM, c[0], c[1], path("/a/x")).Bytes()
		_, err := rpctest.Serve(r.server, &r.place, &r.call, msg)
		require.ErrorIs(t, err, rpctest.ErrWait)
	}
	require.Empty(t, r.dump(3))
}

// lazy is a tree that can never be walked without waiting.
type lazy struct{ vfs.FS }

func (l lazy) View(t *vfs.Thread) (vfs.View, error) {
	v, err := l.FS.View(t)
	return lazyView{v}, err
}

type lazyView struct{ vfs.View }

func (lazyView) Walk(*vfs.Cred, string, *vfs.Entry) vfs.Status { return vfs.Again }
