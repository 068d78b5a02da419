package mounts

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// The number of a mount that is gone is not in the table.
func TestMountsAreFoundInTheMountTable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "size=1m"))
	disktest.UnmountAtEnd(t, dir)
	st, err := statxPath(unix.AT_FDCWD, dir)
	require.NoError(t, err)
	require.True(t, mounted(st.Mnt_id))
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0) // keeps the number
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(fd)) }()
	require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
	require.False(t, mounted(st.Mnt_id))
}
