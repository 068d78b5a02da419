package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// onMount is a server of a mounted file system and of a directory elsewhere.
type onMount struct {
	t       *testing.T
	s       *testServer
	c       *nfstest.Client
	log     *logged
	seen    int    // bytes of the log that have been looked at
	at      string // the mount point, which is exported
	root, f fh
	other   fh     // of an export to which nothing happens
	mount   func() // once more, of an image
}

// take returns what has been logged about the export since the last call.
func (m *onMount) take() (lines string) {
	all := m.log.String()
	for line := range strings.Lines(all[m.seen:]) {
		if strings.Contains(line, `msg="export `) && strings.Contains(line, "dir="+m.at+"\n") {
			lines += line
		}
	}
	m.seen = len(all)
	return lines
}

func serveMount(t *testing.T, mkfs []string) *onMount {
	t.Helper()
	needRoot(t)
	noLeaks(t)
	base := memoryDir(t)
	m := &onMount{t: t, at: filepath.Join(base, "mnt"), log: new(logged)}
	require.NoError(t, os.Mkdir(m.at, 0o755))
	image := ""
	if len(mkfs) > 0 {
		image = makeImage(t, filepath.Join(base, "img"), mkfs)
	}
	mountAt(t, image, m.at)
	m.mount = func() {
		t.Helper()
		out, err := exec.Command("mount", "-o", "loop", image, m.at).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	cfg := config(t, m.at)
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: exportDir(t), Squash: export.SquashNone})
	cfg.Log = m.log.logger()
	m.s = start(t, cfg)
	m.c, m.root = m.s.mount()
	m.other = mnt(t, m.c, cfg.Exports[1].Dir)
	m.f = put(t, m.c, m.root, "file", []byte("content"))
	m.take()
	return m
}

// pauses asserts that clients have to wait, and that nothing is written.
func (m *onMount) pauses(word string) {
	t, c := m.t, m.c
	t.Helper()
	eventually(t, func() bool { return c.Getattr(m.root).Status == nfs3.NFS3ERR_JUKEBOX }, "the export pauses")
	for range 4 { // lanes and workers
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Getattr(m.root).Status)
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Read(m.f, 0, 10).Status)
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Write(m.f, 0, []byte("lost"), nfs3.UNSTABLE).Status)
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Commit(m.f, 0, 0).Status)
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Create(m.root, "new", nfs3.GUARDED, nfstest.Mode(0o644)).Status)
		require.Equal(t, nfs3.NFS3ERR_JUKEBOX, c.Lookup(m.root, "file").Status)
		_, st := nfstest.Mount(c, m.at)
		require.Equal(t, mount3.MNT3ERR_SERVERFAULT, st)
		mkdir(t, c, m.other, "dir", 0o755)
		ok(t, c.Rmdir(m.other, "dir").Status)
	}
	var said string
	eventually(t, func() bool { said += m.take(); return said != "" }, "it is logged")
	require.Contains(t, said, "level=ERROR")
	require.Contains(t, said, "dir="+m.at)
	require.Contains(t, said, word)
	require.Contains(t, said, "start the server again")
	require.Equal(t, 1, strings.Count(said, "\n"), said)
}

// goesOn asserts that the same handles are served again.
func (m *onMount) goesOn() {
	t, c := m.t, m.c
	t.Helper()
	eventually(t, func() bool { return c.Getattr(m.root).Status == nfs3.NFS3_OK }, "the export goes on")
	require.Equal(t, "content", string(c.Read(m.f, 0, 10).Resok.Data))
	require.Equal(t, m.f, lookup(t, c, m.root, "file"))
	require.Equal(t, m.root, mnt(t, c, m.at))
	require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(m.root, "new").Status)
	mkdir(t, c, m.root, "dir", 0o755)
	ok(t, c.Rmdir(m.root, "dir").Status)
	eventually(t, func() bool { return strings.Contains(m.take(), "export goes on") }, "it is logged")
}

// The disk was mounted late. What clients write must not fill the disk below the mount point.
func TestAnExportPausesWhileSomethingElseIsMountedThere(t *testing.T) {
	for _, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) {
			m := serveMount(t, fs.mkfs)
			for range 2 {
				unmount := mountAt(t, "", m.at)
				m.pauses("it is mounted elsewhere now, or something else is mounted at its path")
				list, err := os.ReadDir(m.at)
				require.NoError(t, err)
				require.Empty(t, list)
				unmount()
				m.goesOn()
			}
		})
	}
}

func TestAnExportPausesWhileSomethingElseIsMountedAbove(t *testing.T) {
	m := serveMount(t, nil)
	unmount := mountAt(t, "", filepath.Dir(m.at))
	m.pauses("something else is mounted at its path") // which leads nowhere now
	require.NoError(t, os.Mkdir(m.at, 0o755))
	other := mountAt(t, "", m.at)
	m.take()
	require.Equal(t, nfs3.NFS3ERR_JUKEBOX, m.c.Getattr(m.root).Status)
	other()
	unmount()
	m.goesOn()
}

// umount -l removes the disk from its path at once. The clients' handles are for this disk and no
// other.
func TestAnExportPausesWhileItIsUnmounted(t *testing.T) {
	for _, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) {
			m := serveMount(t, fs.mkfs)
			require.ErrorIs(t, unix.Unmount(m.at, 0), unix.EBUSY)
			require.NoError(t, unix.Unmount(m.at, unix.MNT_DETACH))
			m.pauses("it has been unmounted")
			if fs.mkfs == nil {
				mountAt(t, "", m.at)()
				m.take()
				require.Equal(t, nfs3.NFS3ERR_JUKEBOX, m.c.Getattr(m.root).Status)
				m.s.stop()
				return
			}
			m.mount()
			m.goesOn()
			require.ErrorIs(t, unix.Unmount(m.at, 0), unix.EBUSY, "it is this mount now that is kept")
			m.s.stop()
		})
	}
}

// If somebody renames an exported directory, the server goes on serving it: its clients mean its
// files, and nothing was mounted.
func TestNamesDoNotPauseAnExport(t *testing.T) {
	m := serveMount(t, nil)
	dir := filepath.Join(m.at, "sub")
	require.NoError(t, os.Mkdir(dir, 0o755))
	cfg := config(t, dir)
	s := start(t, cfg)
	c, root := s.mount()
	require.NoError(t, os.Rename(dir, filepath.Join(m.at, "renamed")))
	serves := func(what string) {
		t.Helper()
		// The export of the mount itself sees the same changes.
		unmount := mountAt(t, "", m.at)
		m.pauses("something else")
		unmount()
		m.goesOn()
		eventually(t, func() bool { return c.Getattr(root).Status == nfs3.NFS3_OK }, what)
	}
	serves("renamed")
	require.NoError(t, os.Mkdir(dir, 0o755))
	serves("another directory has its name")
	require.NoError(t, os.Remove(dir))
	// A second path to the same directory leads to the same file system.
	require.NoError(t, unix.Mount(m.at, m.at, "", unix.MS_BIND, ""))
	unbind := disktest.UnmountAtEnd(t, m.at)
	serves("by another mount")
	unbind()
	serves("as before")
	s.stop()
}
