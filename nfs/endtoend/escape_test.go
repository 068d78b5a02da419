package endtoend

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// yard is an export with its surroundings: outside/secret lies beside the export.
func yard(t *testing.T) (dir, outside string) {
	t.Helper()
	top := exportDir(t)
	dir, outside = filepath.Join(top, "export"), filepath.Join(top, "outside")
	for _, d := range []string{dir, outside, filepath.Join(dir, "sub")} {
		require.NoError(t, os.Mkdir(d, 0o777))
	}
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("file"), 0o666))
	return dir, outside
}

func TestNoPathLeadsOutOfAnExport(t *testing.T) {
	noLeaks(t)
	dir, outside := yard(t)
	for name, to := range map[string]string{
		"absolute": outside, "relative": "../outside", "root": "/", "up": "..", "deep": "sub/../../outside",
		"inside": "sub", "within": "sub/../sub", "loop": "loop", "file": "../outside/secret",
	} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	s := start(t, config(t, dir))
	c := s.dial()
	root := mnt(t, c, dir)
	for _, path := range []string{
		"/../outside", "/sub/../../outside", "/absolute", "/relative", "/root", "/up", "/up/outside", "/deep", "/file",
		"/absolute/secret", "/root/etc", "/loop", "/sub/../..", "/..",
	} {
		h, st := nfstest.Mount(c, dir+path)
		if st == mount3.MNT3_OK {
			t.Errorf("MNT of %s leads to %v", path, c.Names(h))
		}
	}
	sub := mnt(t, c, dir+"/sub")
	require.Equal(t, sub, lookup(t, c, root, "sub"))
	for _, path := range []string{"/inside", "/within"} {
		if h, st := nfstest.Mount(c, dir+path); st == mount3.MNT3_OK {
			require.Equal(t, sub, h, path)
		} else {
			require.Equal(t, mount3.MNT3ERR_ACCES, st, path)
		}
	}
	for range 3 {
		up := c.Lookup(root, "..")
		ok(t, up.Status)
		require.Equal(t, root, up.Resok.Object, "the root's parent is the root")
	}
	up := c.Lookup(sub, "..")
	ok(t, up.Status)
	require.Equal(t, root, up.Resok.Object)
	for _, plus := range []bool{false, true} {
		id := uint64(getattr(t, c, root).Fileid)
		for _, e := range c.List(root, plus, 4096, nil) {
			if e.Name != "." && e.Name != ".." {
				continue
			}
			require.Equal(t, id, e.ID, e.Name)
			if e.Handle.HandleFollows {
				require.Equal(t, root, e.Handle.Handle, e.Name)
			}
		}
	}
	for _, name := range []string{"absolute", "relative", "file"} {
		l := lookup(t, c, root, name)
		require.Equal(t, nfs3.NF3LNK, getattr(t, c, l).Type, "a LOOKUP follows no link")
		require.Equal(t, nfs3.NFS3ERR_NOTDIR, c.Lookup(l, "secret").Status)
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Read(l, 0, 10).Status)
		require.Equal(t, nfs3.NFS3ERR_INVAL, c.Write(l, 0, []byte("x"), nfs3.FILE_SYNC).Status)
		require.Equal(t, nfs3.NFS3ERR_EXIST, c.Create(root, name, nfs3.GUARDED, nfs3.Sattr3{}).Status)
		require.NotEqual(t, nfs3.NFS3_OK, c.Create(root, name, nfs3.UNCHECKED, nfstest.Size(0)).Status)
		require.Equal(t, nfs3.NFS3ERR_EXIST, c.CreateExclusive(root, name, nfs3.Createverf3{}).Status)
	}
	got, err := os.ReadFile(filepath.Join(outside, "secret"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
}

// A directory is moved out of the export while a client holds its handle.
func TestAHandleDoesNotFollowItsObjectOutOfTheExport(t *testing.T) {
	noLeaks(t)
	dir, outside := yard(t)
	s := start(t, config(t, dir))
	c, root := s.mount()
	sub := lookup(t, c, root, "sub")
	require.NoError(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(outside, "sub")))
	up := c.Lookup(sub, "..")
	if up.Status == nfs3.NFS3_OK {
		require.Equal(t, root, up.Resok.Object)
	}
	require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(root, "sub").Status)
	require.Contains(
		t,
		append([]nfs3.Nfsstat3{nfs3.NFS3ERR_ACCES, nfs3.NFS3ERR_NOENT}, deadHandle...),
		c.Lookup(up.Resok.Object, "outside").Status,
	)
}

func TestMountsInsideAnExportAreNotEntered(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir, outside := yard(t)
	for _, d := range []string{"bind", "tmpfs"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, d, "below"), []byte("below"), 0o644))
	}
	place := func(source, name, fs string, flags uintptr) {
		at := filepath.Join(dir, name)
		require.NoError(t, unix.Mount(source, at, fs, flags, ""))
		disktest.UnmountAtEnd(t, at)
	}
	check := func(s *testServer) {
		c, root := s.mount()
		for _, name := range []string{"bind", "tmpfs"} {
			res := c.Lookup(root, name)
			if res.Status == nfs3.NFS3_OK {
				require.NotContains(t, c.Names(res.Resok.Object), "secret", name)
				require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(res.Resok.Object, "secret").Status, name)
				up := c.Lookup(res.Resok.Object, "..")
				ok(t, up.Status)
				require.Equal(t, root, up.Resok.Object, name)
			}
			if h, st := nfstest.Mount(c, dir+"/"+name); st == mount3.MNT3_OK {
				require.NotContains(t, c.Names(h), "secret", name)
			}
			if _, st := nfstest.Mount(c, dir+"/"+name+"/secret"); st == mount3.MNT3_OK {
				t.Errorf("MNT through %s", name)
			}
		}
		for _, e := range c.List(root, true, 8192, nil) {
			if e.Handle.HandleFollows && e.Attr.Attributes.Type == nfs3.NF3DIR {
				require.NotContains(t, c.Names(e.Handle.Handle), "secret", e.Name)
			}
		}
	}
	before := start(t, config(t, dir)) // serves already when the mounts are made
	place(outside, "bind", "", unix.MS_BIND)
	place("tmpfs", "tmpfs", "tmpfs", 0)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tmpfs", "secret"), nil, 0o644))
	check(before)
	after := start(t, config(t, dir))
	check(after)
	before.stop()
	after.stop()
}

func TestTmpfsIsServed(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=777"))
	disktest.UnmountAtEnd(t, dir)
	s := start(t, config(t, dir))
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
	ok(t, c.Rename(root, "file", mkdir(t, c, root, "sub", 0o755), "moved").Status)
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
	big, st := create(t, c, root, "big", 0o644), nfs3.NFS3_OK
	for off := uint64(0); off < 16<<20 && st == nfs3.NFS3_OK; off += 64 << 10 {
		st = c.Write(big, off, make([]byte, 64<<10), nfs3.UNSTABLE).Status
	}
	require.Equal(t, nfs3.NFS3ERR_NOSPC, st)
	ok(t, c.Remove(root, "big").Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(big).Status)
	ok(t, c.CreateExclusive(root, "exclusive", nfs3.Createverf3{1, 2}).Status)
	ok(t, c.CreateExclusive(root, "exclusive", nfs3.Createverf3{1, 2}).Status)
	require.Equal(t, nfs3.NFS3ERR_EXIST, c.CreateExclusive(root, "exclusive", nfs3.Createverf3{2, 1}).Status)
	s.kill()
	s = s.again()
	c = s.dial()
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
	s.stop()
}
