package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// commit makes the worker commit a file for a user.
func (s *served) commit(h vfs.Handle, uid uint32) (st vfs.Status) {
	s.t.Helper()
	s.w.do(func(v *View) {
		var w vfs.WCC
		_, st = v.Commit(s.w.cred(uid, uid), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
	})
	return st
}

// opened reports whether the server has the file open for writing.
func (s *served) opened(h vfs.Handle) bool {
	e := s.living(h)
	return e != nil && e.Write.Load() >= 0
}

// While a file is open for writing nobody can execute it, and leases on it are broken. A commit
// alone must not do that.
func TestCommitDoesNotOpenForWriting(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "content", 0o666)
	h := s.lookup("f")
	require.Equal(t, vfs.OK, s.commit(h, 0))
	require.False(t, s.opened(h))
	s.w.do(func(v *View) {
		_, _, _, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("C")}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
	})
	require.True(t, s.opened(h))
	require.Equal(t, vfs.OK, s.commit(h, 0), "by the descriptor that knows of failures")
	require.Equal(t, vfs.Inval, s.commit(func() vfs.Handle {
		require.NoError(t, unix.Mkfifo(filepath.Join(s.dir, "fifo"), 0o666))
		return s.lookup("fifo")
	}(), 0))
	require.Equal(t, vfs.IsDir, s.commit(s.fs.Root(), 0))
}

func TestCommitNeedsTheRightToWrite(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "content", 0o644)
	h := s.lookup("f")
	require.Equal(t, vfs.Access, s.commit(h, 1000))
	require.NoError(t, os.Chmod(filepath.Join(s.dir, "f"), 0o222))
	require.Equal(t, vfs.OK, s.commit(h, 1000), "reading is not asked for")
	require.False(t, s.opened(h))
}

func TestCommitOnAReadOnlyFileSystemWritesNothing(t *testing.T) {
	needRoot(t)
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o666))
	out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	s := serve(t, dir, Config{}, options{})
	h := s.lookup("f")
	require.Equal(t, vfs.ROFS, s.commit(h, 1000))
	require.Equal(t, vfs.OK, s.commit(h, 0), "an owner is not asked, and there is nothing to flush")
	require.False(t, s.opened(h))
}
