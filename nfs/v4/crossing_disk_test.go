package v4

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

func dirFS(t *testing.T, dir string) vfs.FS {
	t.Helper()
	fs, err := posixfs.New(posixfs.Config{Dir: dir})
	require.NoError(t, err)
	return fs
}

// unable runs do without the right to make mounts, as in a container.
func unable(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	require.NoError(t, unix.Capget(&head, &has[0]))
	less := has
	less[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
	require.NoError(t, unix.Capset(&head, &less[0]))
	defer func() { require.NoError(t, unix.Capset(&head, &has[0])) }()
	do()
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	return st.Ino
}

// A disk is mounted in an exported directory, and is exported, too.
func TestAnExportedDiskInAnExportedDirectory(t *testing.T) {
	t.Run("by its handle", func(t *testing.T) { exportedDisk(t, func(_ *testing.T, do func()) { do() }) })
	t.Run("by its name", func(t *testing.T) { exportedDisk(t, unable) })
}

func exportedDisk(t *testing.T, open func(*testing.T, func())) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	top, disk := t.TempDir(), t.TempDir()
	point := filepath.Join(top, "sub", "point")
	for _, dir := range []string{point, filepath.Join(disk, "on disk"), filepath.Join(top, "dir", "below")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	covered := inode(t, point)
	mounted := func() { require.NoError(t, unix.Mount(disk, point, "", unix.MS_BIND, "")) }
	mounted()
	disktest.UnmountAtEnd(t, point)
	here := export.Options{Squash: export.SquashNone}
	exports := []export.Export{
		{Path: "/top", Options: here}, {Path: "/top/sub/point", Options: here}, {Path: "/top/dir/below", Options: here},
	}
	open(t, func() {
		for i, dir := range []string{top, point, filepath.Join(top, "dir", "below")} {
			exports[i].FS = dirFS(t, dir)
		}
	})
	r := newRig(t, remembers(new(uint32)), exports...)
	out, _ := r.at(walk("top")...)
	got, fh := r.at(walk("top", "sub", "point")...)
	require.NotEqual(t, out.fsid, got.fsid)
	require.Equal(t, inode(t, disk), got.fileID)
	require.Equal(t, covered, got.mountedOn)
	require.Equal(t, []string{"on disk"}, r.names(4096, walk("top", "sub", "point")...))
	require.Equal(t, got, placeOf(r.listed(askPlace, walk("top", "sub")...)["point"].AttrVals))
	sub, _ := r.at(walk("top", "sub")...)
	up, _ := r.at(append(walk("top", "sub", "point"), lookupp())...)
	require.Equal(t, sub, up)
	remove := func(name string) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}}
	}
	r.fails(nfs4.NFS4ERR_NOTEMPTY, append(walk("top", "sub"), remove("point"))...)

	// The same file system: the directory is itself and the export's top directory.
	below, _ := r.at(walk("top", "dir", "below")...)
	require.NotEqual(t, out.fsid, below.fsid)
	require.Equal(t, below.fileID, below.mountedOn)
	require.NoError(t, os.Rename(filepath.Join(top, "dir", "below"), filepath.Join(top, "moved")))
	moved, _ := r.at(walk("top", "moved")...)
	require.Equal(t, below, moved)
	require.NoError(t, os.Mkdir(filepath.Join(top, "dir", "below"), 0o755))
	fresh, _ := r.at(walk("top", "dir", "below")...)
	require.Equal(t, out.fsid, fresh.fsid, "another directory of that name")
	up, _ = r.at(append(walk("top", "moved"), lookupp())...)
	require.Equal(t, out, up)

	// The disk goes: its clients wait. Then it comes back.
	status := func() nfs4.Nfsstat4 { return r.do(append(walk("top", "sub", "point"), getattr(askPlace...))...).Status }
	until := func(st nfs4.Nfsstat4) {
		for status() != st {
			time.Sleep(time.Millisecond)
		}
	}
	require.NoError(t, unix.Unmount(point, unix.MNT_DETACH))
	until(nfs4.NFS4ERR_DELAY)
	numbers := append([]int{nfs4.FATTR4_RDATTR_ERROR}, askPlace...)
	require.EqualValues(t, bitsOf(nfs4.FATTR4_RDATTR_ERROR, nfs4.FATTR4_MOUNTED_ON_FILEID),
		r.listed(numbers, walk("top", "sub")...)["point"].Attrmask)
	mounted()
	until(nfs4.NFS4_OK)
	back, again := r.at(walk("top", "sub", "point")...)
	require.Equal(t, got, back)
	require.Equal(t, fh, again)
}
