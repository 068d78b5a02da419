package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// Somebody on the server's machine changes files while a client uses them, and the client's next
// call sees the change. Many rounds show that nothing that the server remembers hides it.
func TestChangesBehindTheServersBackAreSeenAtOnce(t *testing.T) {
	needRoot(t)
	s, dir := serveDir(t)
	root, top := s.mount()
	c := root.As(alice, alice)
	at := func(name string) string { return filepath.Join(dir, name) }
	for i := range 100 {
		name := fmt.Sprint("file", i)
		text := fmt.Sprintf("content %d", i)
		require.NoError(t, os.WriteFile(at(name), []byte(text), 0o644))
		f := lookup(t, c, top, name)
		require.Equal(t, text, string(c.Read(f, 0, 100).Resok.Data))

		require.NoError(t, os.WriteFile(at(name), []byte("other"), 0o644)) // truncates
		require.Equal(t, "other", string(c.Read(f, 0, 100).Resok.Data), "content")
		require.NoError(t, os.Truncate(at(name), 2))
		res := c.Read(f, 0, 100)
		require.Equal(t, "ot", string(res.Resok.Data), "truncate")
		require.EqualValues(t, 2, res.Resok.FileAttributes.Attributes.Size)
		require.True(t, res.Resok.Eof)

		require.NoError(t, os.Chmod(at(name), 0o600))
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Read(f, 0, 100).Status, "chmod takes the right away")
		require.Zero(t, c.Access(f, nfs3.ACCESS3_READ).Resok.Access)
		require.EqualValues(t, 0o600, getattr(t, c, f).Mode)
		require.NoError(t, os.Chmod(at(name), 0o644))
		ok(t, c.Read(f, 0, 100).Status, "chmod gives it back")
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Write(f, 0, []byte("x"), nfs3.UNSTABLE).Status)
		require.NoError(t, os.Chown(at(name), alice, alice))
		ok(t, c.Write(f, 0, []byte("x"), nfs3.UNSTABLE).Status, "chown")
		require.NoError(t, os.Chown(at(name), bob, bob))
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Write(f, 0, []byte("x"), nfs3.UNSTABLE).Status, "chown")

		require.NoError(t, os.WriteFile(at("new"), []byte("replaced"), 0o644))
		require.NoError(t, os.Rename(at("new"), at(name)))
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Read(f, 0, 100).Status, "replaced")
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(f).Status, "replaced")
		g := lookup(t, c, top, name)
		require.NotEqual(t, f, g)
		require.Equal(t, "replaced", string(c.Read(g, 0, 100).Resok.Data))

		require.NoError(t, os.Remove(at(name)))
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Read(g, 0, 100).Status, "removed")
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(g).Status, "removed")
		require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(top, name).Status)
		require.NoError(t, os.Mkdir(at(name), 0o700))
		require.EqualValues(t, nfs3.NF3DIR, getattr(t, c, lookup(t, c, top, name)).Type, "another type")
		require.NoError(t, os.Remove(at(name)))
	}
}

func TestADirectoryThatIsShutIsShutAtOnce(t *testing.T) {
	needRoot(t)
	s, dir := serveDir(t)
	root, top := s.mount()
	c := root.As(alice, alice)
	d := mkdir(t, root, top, "dir", 0o755)
	put(t, root, d, "file", []byte("content"))
	path := filepath.Join(dir, "dir")
	for range 50 {
		ok(t, c.Lookup(d, "file").Status)
		require.Equal(t, []string{"file"}, c.Names(d))
		require.NoError(t, os.Chmod(path, 0o700))
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Lookup(d, "file").Status)
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Lookup(d, "none").Status, "nor does it tell what is not there")
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Page(d, false, 0, nfs3.Cookieverf3{}, 4096).Status)
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Page(d, true, 0, nfs3.Cookieverf3{}, 4096).Status)
		require.NoError(t, os.Chmod(path, 0o711))
		ok(t, c.Lookup(d, "file").Status)
		require.Equal(t, nfs3.NFS3ERR_ACCES, c.Page(d, false, 0, nfs3.Cookieverf3{}, 4096).Status)
		require.NoError(t, os.Chmod(path, 0o755))
	}
}

// A file that is removed while a client writes to it is gone for the client, and
// the space comes back although the server has had the file open.
func TestARemovedFileGivesItsSpaceBack(t *testing.T) {
	noLeaks(t)
	dir := loopMount(t, "")
	s := start(t, config(t, dir))
	c, root := s.mount()
	before := uint64(c.Fsstat(root).Resok.Fbytes)
	data := []byte(strings.Repeat("x", 1<<20))
	for i := range 6 {
		name := fmt.Sprint("file", i)
		f := create(t, c, root, name, 0o644)
		for off := range uint64(3) {
			res := c.Write(f, off<<20, data, nfs3.FILE_SYNC)
			ok(t, res.Status, "round %d", i)
			require.EqualValues(t, len(data), res.Resok.Count)
		}
		if i%2 == 0 {
			ok(t, c.Remove(root, name).Status)
		} else {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
			require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(f).Status)
		}
		eventually(
			t,
			func() bool { return uint64(c.Fsstat(root).Resok.Fbytes) >= before-(1<<20) },
			"the space of a removed file",
		)
	}
}
