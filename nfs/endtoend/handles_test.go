package endtoend

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// deadHandle are the right answers to a handle that is good for nothing.
var deadHandle = []nfs3.Nfsstat3{nfs3.NFS3ERR_STALE, nfs3.NFS3ERR_BADHANDLE}

func TestStaleHandlesAreStaleForEveryProcedure(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	d := mkdir(t, c, root, "dir", 0o755)
	l := c.Symlink(root, "link", "target").Resok.Obj.Handle
	ok(t, c.Read(f, 0, 10).Status)
	ok(t, c.Readlink(l).Status)
	require.Empty(t, c.Names(d))
	for _, name := range []string{"file", "dir", "link"} {
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	for proc, args := range validArgs(d, f) {
		if args != nil {
			require.Equal(t, nfs3.NFS3ERR_STALE, status(t, c, uint32(proc), args), nfs3.NFSV3Names[proc])
		}
	}
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Readlink(l).Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Link(f, root, "again").Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Rename(root, "x", d, "y").Status)
	require.Empty(t, c.Names(root))
}

func TestForgedHandlesAreRefused(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for bit := range len(f.Data) * 8 {
		forged := fh{Data: bytes.Clone(f.Data)}
		forged.Data[bit/8] ^= 1 << (bit % 8)
		require.Contains(t, deadHandle, c.Getattr(forged).Status, "bit %d", bit)
		require.Contains(t, deadHandle, c.Read(forged, 0, 10).Status, "bit %d", bit)
		require.Contains(t, deadHandle, c.Write(forged, 0, []byte("x"), nfs3.UNSTABLE).Status, "bit %d", bit)
	}
	for n := range 65 {
		for _, fill := range []byte{0, 1, 0xff} {
			h := fh{Data: bytes.Repeat([]byte{fill}, n)}
			require.Contains(t, deadHandle, c.Getattr(h).Status, "%d bytes of %d", n, fill)
		}
		h := fh{Data: append(bytes.Clone(f.Data), make([]byte, 64)...)[:n]}
		if n != len(f.Data) {
			require.Contains(t, deadHandle, c.Getattr(h).Status, "%d of %d bytes", n, len(f.Data))
		}
	}
	for proc, args := range validArgs(fh{Data: make([]byte, 32)}, fh{Data: make([]byte, 32)}) {
		if args != nil {
			require.Contains(t, deadHandle, status(t, c, uint32(proc), args), nfs3.NFSV3Names[proc])
		}
	}
	require.Equal(t, "content", string(c.Read(f, 0, 10).Resok.Data))
}

func TestHandlesOfAnotherKeyAreStale(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	other := start(t, config(t, dir)) // its own state directory
	oc, oroot := other.mount()
	require.NotEqual(t, root, oroot)
	for _, h := range []fh{root, f} {
		require.Equal(t, nfs3.NFS3ERR_STALE, oc.Getattr(h).Status)
	}
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(oroot).Status)
}

func TestHandlesDoNotMoveBetweenExports(t *testing.T) {
	noLeaks(t)
	open, shut := exportDir(t), exportDir(t)
	cfg := config(t, open)
	cfg.Exports = append(cfg.Exports,
		nfs.Export{Dir: shut, ReadOnly: true, Squash: export.SquashNone},
		nfs.Export{Dir: "/memory", FS: memfs.New(memfs.Config{Mode: 0o777}), Squash: export.SquashNone})
	s := start(t, cfg)
	c, root := s.mount()
	ro, memory := mnt(t, c, shut), mnt(t, c, "/memory")
	require.NoError(t, os.WriteFile(filepath.Join(shut, "file"), []byte("read only"), 0o666))
	f := lookup(t, c, ro, "file")
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Write(f, 0, []byte("x"), nfs3.UNSTABLE).Status)
	g := put(t, c, root, "file", []byte("open"))
	m := put(t, c, memory, "file", []byte("memory"))
	// A handle of the same object with another export's ID is a forgery.
	for _, from := range []fh{root, memory, ro} {
		for _, h := range []fh{f, g, m} {
			moved := fh{Data: bytes.Clone(h.Data)}
			copy(moved.Data[1:5], from.Data[1:5])
			if !bytes.Equal(moved.Data, h.Data) {
				require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(moved).Status)
			}
		}
	}
	require.Equal(t, nfs3.NFS3ERR_XDEV, c.Link(g, memory, "hard").Status)
	require.Equal(t, nfs3.NFS3ERR_XDEV, c.Rename(root, "file", memory, "moved").Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Rename(root, "file", ro, "moved").Status)
	require.Equal(t, "memory", string(c.Read(m, 0, 10).Resok.Data))
}

func TestAnInodeNumberThatIsUsedAgainIsAnotherFile(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	path := filepath.Join(dir, "file")
	reused := 0
	for range 50 {
		f := put(t, c, root, "file", []byte("old"))
		id := getattr(t, c, f).Fileid
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.WriteFile(path, []byte("new, and a secret"), 0o600))
		g := lookup(t, c, root, "file")
		if getattr(t, c, g).Fileid == id {
			reused++
		}
		require.NotEqual(t, f, g)
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(f).Status)
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Read(f, 0, 100).Status)
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Write(f, 0, []byte("x"), nfs3.FILE_SYNC).Status)
		ok(t, c.Remove(root, "file").Status)
	}
	t.Logf("%d inode numbers of 50 came again", reused)
}

func TestAHandleFollowsItsFileWhenItIsRenamed(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	sub := mkdir(t, c, root, "sub", 0o755)
	f := put(t, c, root, "file", []byte("content"))
	ok(t, c.Rename(root, "file", sub, "other").Status)
	require.Equal(t, "content", string(c.Read(f, 0, 10).Resok.Data))
	require.Equal(t, f, lookup(t, c, sub, "other"))
	ok(t, c.Rename(root, "sub", root, "moved").Status)
	require.Equal(t, f, lookup(t, c, sub, "other"))
	require.NoError(t, os.Rename(filepath.Join(dir, "moved", "other"), filepath.Join(dir, "back")))
	require.Equal(t, "content", string(c.Read(f, 0, 10).Resok.Data))
	ok(t, c.Write(f, 0, []byte("CON"), nfs3.FILE_SYNC).Status)
	got, err := os.ReadFile(filepath.Join(dir, "back"))
	require.NoError(t, err)
	require.Equal(t, "CONtent", string(got))
	up := c.Lookup(sub, "..")
	ok(t, up.Status)
	require.Equal(t, root, up.Resok.Object)
}

// While the kernel makes a new file of an inode number, it answers the handle of the old file with
// an error that sounds like a shortage.
func TestAStaleHandleIsStaleWhileItsNumberIsGivenAway(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	path := filepath.Join(dir, "file")
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			err := os.Remove(path)
			if err == nil {
				err = os.WriteFile(path, nil, 0o644)
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	var window []*nfstest.Pending
	for range 20_000 {
		window = append(window, c.Start(nfs3.NFSPROC3_GETATTR, &nfs3.GETATTR3args{Object: f}))
		if len(window) == depth {
			require.Contains(
				t,
				[]nfs3.Nfsstat3{nfs3.NFS3_OK, nfs3.NFS3ERR_STALE},
				waitStatus(t, nfs3.NFSPROC3_GETATTR, window[0]),
			)
			window = window[1:]
		}
	}
	close(stop)
	require.NoError(t, <-stopped)
	for _, p := range window {
		p.Reply()
	}
}
