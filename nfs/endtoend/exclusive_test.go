package endtoend

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// ownDir makes a directory that any user can write in a file system in memory, which nobody has
// mounted elsewhere.
func ownDir(t *testing.T) string {
	t.Helper()
	needRoot(t)
	dir, err := os.MkdirTemp("/dev/shm", "ringnfs")
	if err != nil {
		t.Skipf("needs a tmpfs on /dev/shm: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// Clients of both versions see each other's changes of an exclusive export at once, over several
// connections. A change by somebody else ends the memory, and nothing else.
func TestAnExclusiveExportIsWhatItsClientsMakeOfIt(t *testing.T) {
	noLeaks(t)
	dir := ownDir(t)
	cfg := config(t, dir)
	cfg.Versions = nfs.NFSv3 | nfs.NFSv40 | nfs.NFSv41 | nfs.NFSv42
	cfg.Exports[0].Exclusive = true
	s := start(t, cfg)
	c, root := s.mount()
	other, _ := s.mount()
	c4 := s.dial()
	session := newSession4(t, c4, "exclusive", 1, 4096)
	f := put(t, c, root, "file", []byte("one"))
	for i := range 20 {
		require.EqualValues(t, 3+i, getattr(t, other, f).Size)
		require.EqualValues(t, 3+i, getattr(t, c, f).Size)
		size := uint64(4 + i)
		set := nfs3.Sattr3{Size: nfs3.SetSize3{SetIt: true, Size: nfs3.Size3(size)}}
		require.Equal(t, nfs3.NFS3_OK, c.Setattr(f, set, nil).Status)
		require.EqualValues(t, size, getattr(t, other, f).Size)
		found := other.Lookup(root, "file")
		require.Equal(t, nfs3.NFS3_OK, found.Status)
		require.EqualValues(t, size, found.Resok.ObjAttributes.Attributes.Size)
		require.Equal(t, nfs3.NFS3ERR_NOENT, other.Lookup(root, "made").Status)
		res := fine4(t, c4, 2, then(session.next(0), walk4(dir, mkdir4("made"))...)...)
		info := res[len(res)-1].Opcreate.Resok4.Cinfo
		require.NotEqual(t, info.Before, info.After)
		require.Equal(t, nfs3.NFS3_OK, other.Lookup(root, "made").Status)
		access := other.Access(fh{Data: found.Resok.Object.Data},
			nfs3.ACCESS3_READ|nfs3.ACCESS3_LOOKUP|nfs3.ACCESS3_MODIFY)
		require.EqualValues(t, nfs3.ACCESS3_READ|nfs3.ACCESS3_MODIFY, access.Resok.Access)
		require.Equal(t, nfs3.NFS3_OK, c.Rmdir(root, "made").Status)
		require.Equal(t, nfs3.NFS3ERR_NOENT, other.Lookup(root, "made").Status)
	}
	require.Empty(t, s.Withdrawn())
	// Where fast changes share a ctime, only what comes after a pause is atomic for sure.
	require.Eventually(t, func() bool {
		res := fine4(t, c4, 2, then(session.next(0), walk4(dir, mkdir4("made"))...)...)
		require.Equal(t, nfs3.NFS3_OK, c.Rmdir(root, "made").Status)
		return res[len(res)-1].Opcreate.Resok4.Cinfo.Atomic
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, nfs3.NFS3_OK, c.Remove(root, "file").Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, other.Getattr(f).Status)
	d := mkdir(t, c, root, "d", 0o755)
	getattr(t, c, d)
	getattr(t, c, d)
	require.NoError(t, os.Chmod(filepath.Join(dir, "d"), 0o700))
	require.Equal(t, nfs3.NFS3_OK, c.Mkdir(d, "sub", nfs3.Sattr3{}).Status)
	require.Equal(t, []string{dir}, s.Withdrawn())
	require.EqualValues(t, 0o700, getattr(t, other, d).Mode)
	res := fine4(t, c4, 2, then(session.next(0), walk4(dir, mkdir4("later"))...)...)
	require.False(t, res[len(res)-1].Opcreate.Resok4.Cinfo.Atomic)
	s.stop()
	s = s.again()
	require.Empty(t, s.Withdrawn(), "a new start begins anew")
}

// Two exports of one file system could have files in common.
func TestAnExclusiveExportHasItsFileSystemForItself(t *testing.T) {
	noLeaks(t)
	one, two := ownDir(t), ownDir(t)
	cfg := config(t, one)
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: two})
	cfg.Exports[1].Exclusive = true
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "is on the same file system")
	require.ErrorContains(t, err, one)
	require.ErrorContains(t, err, two)
}
