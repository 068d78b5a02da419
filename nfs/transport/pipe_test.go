package transport

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A pipe holds the largest READ from any place in a page, or as much as the kernel gives to a
// process that may not exceed fs.pipe-max-size.
func TestPipesHoldTheLargestRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: other users share a quota of memory in pipes")
	}
	for _, n := range []int{256 << 10, 1 << 20, 4 << 20} {
		whole := n + unix.Getpagesize()
		p, refused := newPipe(whole)
		if refused == nil {
			p.close()
		} else {
			require.ErrorIs(t, refused, unix.EPERM)
		}
		var pp pipePool
		pp.open(n, PipesDefault)
		require.NotZero(t, pp.made)
		for _, p := range pp.free {
			if refused == nil {
				require.GreaterOrEqual(t, p.Room, whole)
			} else {
				require.GreaterOrEqual(t, p.Room, pipeLeast)
				require.Less(t, p.Room, whole)
			}
			got, err := unix.FcntlInt(uintptr(p.WriteFD), unix.F_GETPIPE_SZ, 0)
			require.NoError(t, err)
			require.Equal(t, got, p.Room)
		}
		if refused != nil {
			_, err := newPipe(2 * pp.free[0].Room)
			require.ErrorIs(t, err, unix.EPERM, "it could have been larger")
		}
		require.NoError(t, pp.close())
	}
}
