package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// overcommitted returns the root of an XFS that believes that it has 320 MiB. The tmpfs that its
// image lies on has room for left MiB. Writing back the rest fails, until relieve is called.
func overcommitted(t *testing.T, left int64) (at string, relieve func()) {
	t.Helper()
	needRoot(t)
	base := memoryDir(t)
	if err := unix.Mount("none", base, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("needs mounts of tmpfs: %v", err)
	}
	disktest.UnmountAtEnd(t, base)
	image := filepath.Join(base, "img")
	at = filepath.Join(base, "mnt")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 320<<20))
	if out, err := exec.Command("mkfs.xfs", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("needs mkfs.xfs: %v %s", err, out)
	}
	require.NoError(t, os.Mkdir(at, 0o755))
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Skipf("needs loop mounts of XFS: %s", out)
	}
	disktest.UnmountAtEnd(t, at)
	unix.Sync()
	var sf unix.Statfs_t
	require.NoError(t, unix.Statfs(base, &sf))
	room := func(size int64) {
		require.NoError(t, unix.Mount("none", base, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size)))
	}
	room(int64(sf.Blocks-sf.Bfree)*sf.Bsize + left<<20)
	return at, func() { room(400 << 20) }
}

// writeBack waits until all data is written back, or lost.
func writeBack(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	require.NoError(t, err)
	_ = unix.Syncfs(int(d.Fd())) // tells this descriptor alone what was lost
	require.NoError(t, d.Close())
}

// A client keeps what it has written until a COMMIT returns the same verifier as each of its WRITEs
// did.
func TestNoCommitAcknowledgesWhatTheDiscHasLost(t *testing.T) {
	modes := []nfs.IOMode{nfs.IODontCache, nfs.IOBuffered}
	if again.Now() {
		modes = modes[:1]
	}
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			noLeaks(t)
			dir, relieve := overcommitted(t, 16)
			cfg := config(t, dir)
			cfg.Exports[0].IO = mode
			s := start(t, cfg)
			defer s.stop() // before the disc goes
			c, root := s.mount()
			f := create(t, c, root, "file", 0o644)
			data := bytes.Repeat([]byte("content "), 1<<17)
			verifiers := map[nfs3.Writeverf3]bool{}
			for off := 0; off < 104<<20; {
				if off == 36<<20 { // the loss is long past when the server waits
					writeBack(t, dir)
					relieve()
				}
				res := c.Write(f, uint64(off), data, nfs3.UNSTABLE)
				ok(t, res.Status)
				require.Equal(t, len(data), int(res.Resok.Count))
				off += int(res.Resok.Count)
				verifiers[res.Resok.Verf] = true
			}
			res := c.Commit(f, 0, 0)
			if res.Status == nfs3.NFS3_OK {
				verifiers[res.Resok.Verf] = true
				require.Greater(t, len(verifiers), 1, "nobody would write it again")
			}
		})
	}
}
