package nfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// Subvolumes share a disc: one that hangs takes all of them along.
func TestTheSubvolumesOfABtrfsAreOneVolume(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	img, mnt := filepath.Join(dir, "img"), filepath.Join(dir, "mnt")
	require.NoError(t, os.Mkdir(mnt, 0o755))
	require.NoError(t, os.WriteFile(img, nil, 0o600))
	require.NoError(t, os.Truncate(img, 128<<20))
	if text, err := exec.Command("mkfs.btrfs", "-q", img).CombinedOutput(); err != nil {
		t.Skipf("needs mkfs.btrfs: %v %s", err, text)
	}
	if text, err := exec.Command("mount", "-o", "loop", img, mnt).CombinedOutput(); err != nil {
		t.Skipf("needs loop mounts of btrfs: %v %s", err, text)
	}
	disktest.UnmountAtEnd(t, mnt)
	one, two := filepath.Join(mnt, "one"), filepath.Join(mnt, "two")
	for _, sub := range []string{one, two} {
		text, err := exec.Command("btrfs", "subvolume", "create", sub).CombinedOutput()
		require.NoError(t, err, "%s", text)
	}
	v := make(volumes)
	require.Equal(t, v.of(one), v.of(two))
	require.Equal(t, v.of(one), v.of(mnt))
	require.NotEqual(t, v.of(mnt), v.of(dir))
}
