package endtoend

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// The client does this for touch -h.
func TestTimesOfASymbolicLinkAreSet(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	target := put(t, c, root, "target", []byte("content"))
	before := getattr(t, c, target)
	for _, to := range []string{"target", "nowhere", "/etc/hostname"} {
		l := c.Symlink(root, "link", to).Resok.Obj.Handle
		atime, mtime := nfs3.Nfstime3{
			Seconds:  1_000_000_000,
			Nseconds: 123_456_789,
		}, nfs3.Nfstime3{
			Seconds:  4_000_000_000,
			Nseconds: 999_999_999,
		}
		ok(t, c.Setattr(l, nfstest.Times(atime, mtime), nil).Status)
		a := getattr(t, c, l)
		require.Equal(t, nfs3.NF3LNK, a.Type)
		require.Equal(t, []nfs3.Nfstime3{atime, mtime}, []nfs3.Nfstime3{a.Atime, a.Mtime})
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, "link"), &st))
		require.Equal(t, unix.Timespec{Sec: 4_000_000_000, Nsec: 999_999_999}, st.Mtim)
		ok(t, c.Setattr(l, nfstest.TimesNow(), nil).Status)
		require.NotEqual(t, mtime, getattr(t, c, l).Mtime)
		if os.Geteuid() == 0 {
			ok(t, c.Setattr(l, nfstest.Owner(alice, bob), nil).Status)
			a = getattr(t, c, l)
			require.Equal(t, []uint32{alice, bob}, []uint32{uint32(a.Uid), uint32(a.Gid)})
		}
		require.NotEqual(t, nfs3.NFS3_OK, c.Setattr(l, nfstest.Size(0), nil).Status)
		ok(t, c.Remove(root, "link").Status)
	}
	after := getattr(t, c, target)
	require.Equal(t, before.Mtime, after.Mtime, "links are not followed")
	require.Equal(t, before.Ctime, after.Ctime)
}

func TestRootMakesNodesOfAllTypes(t *testing.T) {
	needRoot(t)
	s, dir := serveDir(t)
	c, root := s.mount()
	for name, n := range map[string]struct {
		typ          nfs3.Ftype3
		major, minor uint32
		mode         uint32
	}{
		"char": {nfs3.NF3CHR, 1, 3, unix.S_IFCHR}, "block": {nfs3.NF3BLK, 259, 70000, unix.S_IFBLK},
		"largest": {nfs3.NF3CHR, 1<<12 - 1, 1<<20 - 1, unix.S_IFCHR},
		"fifo":    {nfs3.NF3FIFO, 0, 0, unix.S_IFIFO}, "socket": {nfs3.NF3SOCK, 0, 0, unix.S_IFSOCK},
	} {
		res := c.Mknod(root, name, n.typ, n.major, n.minor, nfstest.Mode(0o640))
		if res.Status == nfs3.NFS3ERR_PERM {
			t.Skip("needs the right to make devices (CAP_MKNOD)")
		}
		ok(t, res.Status, name)
		a := res.Resok.ObjAttributes.Attributes
		require.Equal(t, n.typ, a.Type, name)
		require.EqualValues(t, 0o640, a.Mode, name)
		require.Equal(t, nfs3.Specdata3{Specdata1: n.major, Specdata2: n.minor}, a.Rdev, name)
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, name), &st))
		require.EqualValues(t, n.mode|0o640, st.Mode, name)
		require.Equal(t, []uint32{n.major, n.minor}, []uint32{unix.Major(st.Rdev), unix.Minor(st.Rdev)}, name)
		require.Equal(t, res.Resok.Obj.Handle, lookup(t, c, root, name))
		// The device behind a node is the client's concern: the server never opens it.
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Read(res.Resok.Obj.Handle, 0, 10).Status, name)
		require.Equal(
			t,
			nfs3.NFS3ERR_INVAL,
			c.Write(res.Resok.Obj.Handle, 0, []byte("x"), nfs3.FILE_SYNC).Status,
			name,
		)
		require.Equal(
			t,
			nfs3.NFS3ERR_EXIST,
			c.Mknod(root, name, n.typ, n.major, n.minor, nfs3.Sattr3{}).Status,
		)
	}
	for _, typ := range []nfs3.Ftype3{nfs3.NF3REG, nfs3.NF3DIR, nfs3.NF3LNK} {
		args := nfstest.Bytes(
			t,
			&nfs3.MKNOD3args{Where: nfstest.At(root, "other"), What: nfs3.Mknoddata3{Type: typ}},
		)
		r := c.Raw(nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_MKNOD, args)
		require.Equal(t, nfs3.NFS3ERR_BADTYPE, statusOf(t, nfs3.NFSPROC3_MKNOD, r.Results), typ)
	}
	user := c.As(alice, alice)
	require.Equal(t, nfs3.NFS3ERR_PERM, user.Mknod(root, "mine", nfs3.NF3CHR, 1, 3, nfs3.Sattr3{}).Status)
	ok(t, user.Mknod(root, "fifo2", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{}).Status)
}

func TestProceduresForOtherTypesAreRefused(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	d := mkdir(t, c, root, "dir", 0o755)
	f := put(t, c, root, "file", []byte("content"))
	l := c.Symlink(root, "link", "file").Resok.Obj.Handle
	for name, h := range map[string]fh{"directory": d, "link": l} {
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Read(h, 0, 10).Status, name)
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Write(h, 0, []byte("x"), nfs3.UNSTABLE).Status, name)
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Setattr(h, nfstest.Size(0), nil).Status, name)
	}
	for name, h := range map[string]fh{"file": f, "link": l} {
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Lookup(h, "x").Status, name)
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Create(h, "x", nfs3.GUARDED, nfs3.Sattr3{}).Status, name)
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Remove(h, "x").Status, name)
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Rename(root, "file", h, "x").Status, name)
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Link(f, h, "x").Status, name)
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Page(h, true, 0, nfs3.Cookieverf3{}, 4096).Status, name)
	}
	require.Equal(t, nfs3.NFS3ERR_INVAL, c.Readlink(f).Status)
	require.Equal(t, nfs3.NFS3ERR_INVAL, c.Readlink(d).Status)
	require.Equal(t, nfs3.NFS3ERR_ISDIR, c.Remove(root, "dir").Status)
	require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Rmdir(root, "file").Status)
	put(t, c, d, "inside", nil)
	require.Equal(t, nfs3.NFS3ERR_NOTEMPTY, c.Rmdir(root, "dir").Status)
	require.Equal(t, nfs3.NFS3ERR_INVAL, c.Rename(root, "dir", d, "itself").Status)
	require.Contains(
		t,
		[]nfs3.Nfsstat3{nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_ISDIR},
		c.Rename(root, "file", root, "dir").Status,
	)
	require.Contains(
		t,
		[]nfs3.Nfsstat3{nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_NOTDIR},
		c.Rename(root, "dir", root, "file").Status,
	)
	require.Contains(
		t,
		[]nfs3.Nfsstat3{nfs3.NFS3ERR_INVAL, nfs3.NFS3ERR_ISDIR, nfs3.NFS3ERR_PERM},
		c.Link(d, root, "hard").Status,
	)
}
