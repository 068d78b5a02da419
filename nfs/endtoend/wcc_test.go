package endtoend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// chain checks the weak cache consistency data of successive changes of one object: the attributes
// after one reply are those before the next.
type chain struct {
	t    *testing.T
	last nfs3.WccAttr
}

func wccOf(a nfs3.Fattr3) nfs3.WccAttr {
	return nfs3.WccAttr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime}
}

func (w *chain) next(name string, d nfs3.WccData, changed bool) {
	w.t.Helper()
	require.True(w.t, d.Before.AttributesFollow, name)
	require.True(w.t, d.After.AttributesFollow, name)
	require.Equal(w.t, w.last, d.Before.Attributes, "%s: before", name)
	after := wccOf(d.After.Attributes)
	if changed {
		require.NotEqual(w.t, w.last, after, "%s: after", name)
	} else {
		require.Equal(w.t, w.last, after, "%s: after", name)
	}
	w.last = after
}

func TestCacheConsistencyDataOfADirectoryIsAChain(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	d := mkdir(t, c, root, "dir", 0o777)
	other := mkdir(t, c, root, "other", 0o777)
	file := put(t, c, root, "file", nil)
	w := &chain{t, wccOf(getattr(t, c, d))}
	to := &chain{t, wccOf(getattr(t, c, other))}
	for range 10 {
		w.next("CREATE", c.Create(d, "new", nfs3.GUARDED, nfs3.Sattr3{}).Resok.DirWcc, true)
		w.next("CREATE again", c.Create(d, "new", nfs3.GUARDED, nfs3.Sattr3{}).Resfail.DirWcc, false)
		w.next("CREATE EXCLUSIVE", c.CreateExclusive(d, "excl", nfs3.Createverf3{1}).Resok.DirWcc, true)
		w.next("MKDIR", c.Mkdir(d, "sub", nfs3.Sattr3{}).Resok.DirWcc, true)
		w.next("MKDIR again", c.Mkdir(d, "sub", nfs3.Sattr3{}).Resfail.DirWcc, false)
		w.next("SYMLINK", c.Symlink(d, "link", "x").Resok.DirWcc, true)
		w.next("MKNOD", c.Mknod(d, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{}).Resok.DirWcc, true)
		w.next("LINK", c.Link(file, d, "hard").Resok.LinkdirWcc, true)
		w.next("LINK again", c.Link(file, d, "hard").Resfail.LinkdirWcc, false)
		within := c.Rename(d, "new", d, "newer").Resok
		w.next("RENAME within", within.FromdirWcc, true)
		require.Equal(t, within.FromdirWcc, within.TodirWcc)
		away := c.Rename(d, "newer", other, "newest").Resok
		w.next("RENAME away", away.FromdirWcc, true)
		to.next("RENAME to", away.TodirWcc, true)
		failed := c.Rename(d, "none", other, "newest").Resfail
		w.next("RENAME of nothing", failed.FromdirWcc, false)
		to.next("RENAME of nothing", failed.TodirWcc, false)
		w.next("REMOVE of nothing", c.Remove(d, "none").Resfail.DirWcc, false)
		w.next("REMOVE of a directory", c.Remove(d, "sub").Resfail.DirWcc, false)
		w.next("RMDIR of a file", c.Rmdir(d, "link").Resfail.DirWcc, false)
		for _, name := range []string{"excl", "link", "fifo", "hard"} {
			w.next("REMOVE", c.Remove(d, name).Resok.DirWcc, true)
		}
		w.next("RMDIR", c.Rmdir(d, "sub").Resok.DirWcc, true)
		to.next("REMOVE", c.Remove(other, "newest").Resok.DirWcc, true)
		w.next("SETATTR", c.Setattr(d, nfstest.Mode(0o777), nil).Resok.ObjWcc, true)
	}
	require.Equal(t, w.last, wccOf(getattr(t, c, d)))
}

func TestCacheConsistencyDataOfAFileIsAChain(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	w := &chain{t, wccOf(getattr(t, c, f))}
	for i := range 30 {
		how := nfs3.StableHow(i % 3)
		w.next("WRITE", c.Write(f, uint64(i), []byte("0123456789"), how).Resok.FileWcc, true)
		w.next("SETATTR size", c.Setattr(f, nfstest.Size(uint64(100+i)), nil).Resok.ObjWcc, true)
		w.next("SETATTR mode", c.Setattr(f, nfstest.Mode(uint32(0o600+i%8)), nil).Resok.ObjWcc, true)
		wrong := nfs3.Nfstime3{Seconds: 1}
		refused := c.Setattr(f, nfstest.Mode(0o777), &wrong)
		require.Equal(t, nfs3.NFS3ERR_NOT_SYNC, refused.Status)
		w.next("SETATTR with a wrong guard", refused.Resfail.ObjWcc, false)
		guard := w.last.Ctime
		guarded := c.Setattr(f, nfstest.Size(uint64(50+i)), &guard)
		ok(t, guarded.Status)
		w.next("SETATTR with the right guard", guarded.Resok.ObjWcc, true)
		w.next("COMMIT", c.Commit(f, 0, 0).Resok.FileWcc, false)
		w.next("WRITE refused", c.Write(f, 1<<63, []byte("x"), how).Resfail.FileWcc, false)
	}
	require.Equal(t, w.last, wccOf(getattr(t, c, f)))
}
