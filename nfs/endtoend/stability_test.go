package endtoend

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
)

func TestUnstableWritesAreCommittedUnderOneVerifier(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := create(t, c, root, "file", 0o644)
	var verf nfs3.Writeverf3
	want := make([]byte, 64<<10)
	for i := range 64 {
		how := nfs3.StableHow(i % 3)
		data := bytes.Repeat([]byte{byte(i)}, 1000)
		copy(want[i<<10:], data)
		res := c.Write(f, uint64(i)<<10, data, how)
		ok(t, res.Status)
		require.EqualValues(t, len(data), res.Resok.Count)
		require.GreaterOrEqual(t, res.Resok.Committed, how)
		if i > 0 {
			require.Equal(t, verf, res.Resok.Verf)
		}
		verf = res.Resok.Verf
	}
	other := s.dial()
	for _, x := range []*nfstest.Client{c, other} {
		res := x.Commit(f, 0, 0)
		ok(t, res.Status)
		require.Equal(t, verf, res.Resok.Verf, "on every connection")
	}
	got, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	require.Equal(t, want[:len(got)], got)
	require.Len(t, got, 63<<10+1000)
}

func TestAFailedCommitIsNeverASuccessLater(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	for _, x := range []struct {
		status vfs.Status
		want   nfs3.Nfsstat3
	}{{vfs.IO, nfs3.NFS3ERR_IO}, {vfs.NoSpc, nfs3.NFS3ERR_NOSPC}, {vfs.DQuot, nfs3.NFS3ERR_DQUOT}} {
		file := create(t, c, root, x.want.String(), 0o644)
		w := c.Write(file, 0, []byte("lost"), nfs3.UNSTABLE)
		ok(t, w.Status)
		f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Commit}, Status: x.status, Count: 1})
		com := c.Commit(file, 0, 0)
		require.Equal(t, x.want, com.Status)
		require.True(t, com.Resfail.FileWcc.After.AttributesFollow)
		again := c.Commit(file, 0, 0)
		if again.Status == nfs3.NFS3_OK {
			require.NotEqual(
				t,
				w.Resok.Verf,
				again.Resok.Verf,
				"the data is lost, and the client must learn it",
			)
		}
		w2 := c.Write(file, 0, []byte("lost"), nfs3.UNSTABLE)
		ok(t, w2.Status)
		require.NotEqual(t, w.Resok.Verf, w2.Resok.Verf)
		com = c.Commit(file, 0, 0)
		ok(t, com.Status)
		require.Equal(t, w2.Resok.Verf, com.Resok.Verf)
		f.Clear()
	}
}

// Failures of the file system reach the client with their own status, with attributes, and never as
// success.
func TestTroubleOfAFileSystemHasItsStatus(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	file := put(t, c, root, "file", []byte("content"))
	ops := map[uint32]faultfs.Op{
		nfs3.NFSPROC3_SETATTR: faultfs.SetAttr, nfs3.NFSPROC3_WRITE: faultfs.Write, nfs3.NFSPROC3_CREATE: faultfs.Create,
		nfs3.NFSPROC3_MKDIR: faultfs.Mkdir, nfs3.NFSPROC3_SYMLINK: faultfs.Symlink, nfs3.NFSPROC3_MKNOD: faultfs.Mknod,
		nfs3.NFSPROC3_REMOVE: faultfs.Remove, nfs3.NFSPROC3_RMDIR: faultfs.Rmdir, nfs3.NFSPROC3_RENAME: faultfs.Rename,
		nfs3.NFSPROC3_LINK: faultfs.Link, nfs3.NFSPROC3_COMMIT: faultfs.Commit, nfs3.NFSPROC3_READ: faultfs.Read,
		nfs3.NFSPROC3_READDIR: faultfs.ReadDir, nfs3.NFSPROC3_READDIRPLUS: faultfs.ReadDir, nfs3.NFSPROC3_LOOKUP: faultfs.Lookup,
		nfs3.NFSPROC3_ACCESS: faultfs.Access, nfs3.NFSPROC3_READLINK: faultfs.ReadLink, nfs3.NFSPROC3_FSSTAT: faultfs.Statfs,
		nfs3.NFSPROC3_PATHCONF: faultfs.PathConf,
	}
	for st, want := range map[vfs.Status]nfs3.Nfsstat3{
		vfs.IO: nfs3.NFS3ERR_IO, vfs.NoSpc: nfs3.NFS3ERR_NOSPC, vfs.DQuot: nfs3.NFS3ERR_DQUOT, vfs.ROFS: nfs3.NFS3ERR_ROFS,
		vfs.Delay: nfs3.NFS3ERR_JUKEBOX, vfs.ServerFault: nfs3.NFS3ERR_SERVERFAULT, vfs.Stale: nfs3.NFS3ERR_STALE,
	} {
		for proc, args := range validArgs(root, file) {
			op, has := ops[uint32(proc)]
			if !has {
				continue
			}
			rule := f.Add(faultfs.Rule{Ops: []faultfs.Op{op}, Status: st})
			require.Equal(t, want, status(t, c, uint32(proc), args), nfs3.NFSV3Names[proc])
			require.NotZero(t, rule.Hits(), nfs3.NFSV3Names[proc])
			rule.Remove()
		}
	}
	require.Equal(t, "content", string(c.Read(file, 0, 100).Resok.Data))
	require.Equal(t, []string{"file"}, c.Names(root))
}

// loopMount makes an ext4 of a few MiB and mounts it until the test ends.
func loopMount(t *testing.T, options string) (dir string) {
	t.Helper()
	needRoot(t)
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		mkfs = "/sbin/mkfs.ext4"
	}
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 8<<20))
	out, err := exec.Command(mkfs, "-q", "-F", "-E", "root_owner=0:0", image).CombinedOutput()
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("needs mkfs.ext4: %v", err)
	}
	require.NoError(t, err, string(out))
	dir = exportDir(t)
	if out, err := exec.Command("mount", "-t", "ext4", "-o", "loop"+options, image, dir).CombinedOutput(); err != nil {
		t.Skipf("needs a loop device with ext4: %v: %s", err, out)
	}
	disktest.UnmountAtEnd(t, dir)
	return dir
}

func TestAFullDiscIsNoSpace(t *testing.T) {
	noLeaks(t)
	dir := loopMount(t, "")
	s := start(t, config(t, dir))
	c, root := s.mount()
	f := put(t, c, root, "first", []byte("kept"))
	big := create(t, c, root, "big", 0o644)
	data := bytes.Repeat([]byte("full"), 64<<10)
	var off uint64
	st := nfs3.NFS3_OK
	for off < 64<<20 {
		res := c.Write(big, off, data, nfs3.FILE_SYNC)
		if st = res.Status; st != nfs3.NFS3_OK {
			require.True(t, res.Resfail.FileWcc.After.AttributesFollow)
			break
		}
		require.NotZero(t, res.Resok.Count, "no success without progress")
		off += uint64(res.Resok.Count)
	}
	require.Equal(t, nfs3.NFS3ERR_NOSPC, st)
	require.Greater(t, off, uint64(1<<20))
	res := c.Write(f, 1<<20, data, nfs3.UNSTABLE)
	if res.Status == nfs3.NFS3_OK { // as much as was left of a block
		require.Less(t, int(res.Resok.Count), len(data))
	} else {
		require.Equal(t, nfs3.NFS3ERR_NOSPC, res.Status)
	}
	made := nfs3.NFS3_OK
	for i := 0; i < 4000 && made == nfs3.NFS3_OK; i++ {
		made = c.Symlink(
			root,
			"link"+string(rune('a'+i%26))+string(rune(0x100+i)),
			string(bytes.Repeat([]byte("t"), 1000)),
		).Status
	}
	require.Equal(t, nfs3.NFS3ERR_NOSPC, made)
	require.Equal(t, "kept", string(c.Read(f, 0, 4).Resok.Data))
	stat := c.Fsstat(root)
	ok(t, stat.Status)
	require.Less(t, uint64(stat.Resok.Abytes), uint64(1<<20))
	// There is room again.
	ok(t, c.Remove(root, "big").Status)
	eventually(t, func() bool {
		again := c.Write(f, 0, data, nfs3.FILE_SYNC)
		return again.Status == nfs3.NFS3_OK && int(again.Resok.Count) == len(data)
	}, "the space of the removed file")
}

func TestAReadOnlyFileSystemIsReadOnly(t *testing.T) {
	noLeaks(t)
	dir := loopMount(t, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o777))
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	s := start(t, config(t, dir))
	c, root := s.mount()
	f := lookup(t, c, root, "file")
	for proc, args := range validArgs(root, f) {
		switch uint32(proc) {
		case nfs3.NFSPROC3_WRITE,
			nfs3.NFSPROC3_CREATE,
			nfs3.NFSPROC3_MKDIR,
			nfs3.NFSPROC3_SYMLINK,
			nfs3.NFSPROC3_MKNOD,
			nfs3.NFSPROC3_LINK:
			require.Equal(t, nfs3.NFS3ERR_ROFS, status(t, c, uint32(proc), args), nfs3.NFSV3Names[proc])
		}
	}
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Setattr(f, nfstest.Mode(0o600), nil).Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Setattr(f, nfstest.Size(0), nil).Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Remove(root, "file").Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Rmdir(root, "empty").Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Rename(root, "file", root, "other").Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.CreateExclusive(root, "other", nfs3.Createverf3{1}).Status)
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
	// There is nothing to commit. Nevertheless a file system that became read-only because it
	// is broken must say so.
	require.Contains(t, []nfs3.Nfsstat3{nfs3.NFS3_OK, nfs3.NFS3ERR_ROFS}, c.Commit(f, 0, 0).Status)
}
