package transport

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A pipe holds the largest READ from any place in a page, or as much as the kernel
// gives to one who may not exceed fs.pipe-max-size.
func TestPipesHoldTheLargestRead(t *testing.T) {
	for _, n := range []int{256 << 10, 1 << 20, 4 << 20} {
		whole := n + unix.Getpagesize()
		_, refused := newPipe(whole)
		require.True(t, refused == nil || errors.Is(refused, unix.EPERM), "%v", refused)
		var pp pipePool
		pp.open(n)
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
		if refused != nil { // the most that there is, not less
			p, err := newPipe(2 * pp.free[0].Room)
			require.Error(t, err, "%v", p)
		}
		require.NoError(t, pp.close())
	}
}
