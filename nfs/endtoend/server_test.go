package endtoend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

func TestEveryProcedureWorksOverTheWire(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	c.Null()
	f := put(t, c, root, "file", []byte("content"))
	require.Equal(t, 7, int(getattr(t, c, f).Size))
	ok(t, c.Setattr(f, nfstest.Mode(0o600), nil).Status)
	require.Equal(t, f, lookup(t, c, root, "file"))
	access := c.Access(f, nfs3.ACCESS3_READ|nfs3.ACCESS3_MODIFY)
	ok(t, access.Status)
	require.EqualValues(t, nfs3.ACCESS3_READ|nfs3.ACCESS3_MODIFY, access.Resok.Access)
	read := c.Read(f, 2, 100)
	ok(t, read.Status)
	require.Equal(t, "ntent", string(read.Resok.Data))
	require.True(t, read.Resok.Eof)
	sub := mkdir(t, c, root, "sub", 0o755)
	ok(t, c.Symlink(sub, "link", "../file").Status)
	link := c.Readlink(lookup(t, c, sub, "link"))
	ok(t, link.Status)
	require.Equal(t, "../file", string(link.Resok.Data))
	ok(t, c.Mknod(sub, "fifo", nfs3.NF3FIFO, 0, 0, nfstest.Mode(0o600)).Status)
	ok(t, c.Link(f, sub, "hard").Status)
	require.EqualValues(t, 2, getattr(t, c, f).Nlink)
	ok(t, c.Rename(root, "file", sub, "renamed").Status)
	require.ElementsMatch(t, []string{"link", "fifo", "hard", "renamed"}, c.Names(sub))
	var names []string
	for _, e := range c.List(sub, true, 4096, nil) {
		require.True(t, e.Attr.AttributesFollow, e.Name)
		require.EqualValues(t, e.ID, e.Attr.Attributes.Fileid, e.Name)
		names = append(names, e.Name)
	}
	require.ElementsMatch(t, []string{".", "..", "link", "fifo", "hard", "renamed"}, names)
	for _, name := range []string{"link", "fifo", "hard", "renamed"} {
		ok(t, c.Remove(sub, name).Status, name)
	}
	ok(t, c.Rmdir(root, "sub").Status)
	ok(t, c.Fsstat(root).Status)
	info := c.Fsinfo(root)
	ok(t, info.Status)
	require.EqualValues(t, 1<<20, info.Resok.Rtmax)
	ok(t, c.Pathconf(root).Status)
	require.Empty(t, c.Names(root))
	g := create(t, c, root, "g", 0o644)
	ok(t, c.Commit(g, 0, 0).Status)
}
