package search

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// tree is a directory. Plenty waits until hold is closed.
type tree struct {
	top  int
	hold chan struct{}
}

func (t *tree) Top() int { return t.top }

func (t *tree) Seen(dir int, name string) (int, unix.Errno) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	errno, _ := err.(unix.Errno)
	return fd, errno
}

func (t *tree) Plenty(open func() (int, unix.Errno)) (int, unix.Errno) {
	<-t.hold
	return open()
}

func handleOf(t *testing.T, path string) vfs.Handle {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer kernel.CloseFD(fd)
	var k kernel.FileHandle
	var mount int32
	h, errno := kernel.Handle(fd, &k, &mount)
	if errno != 0 {
		t.Skipf("the file system of %s gives no handles: %v", path, errno)
	}
	return h
}

func newTree(t *testing.T, files int) (dir string, tr *tree, n *Finder, handles []vfs.Handle) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "search")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprint("d", i))
		require.NoError(t, os.Mkdir(sub, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(sub, "f"), nil, 0o644))
		handles = append(handles, handleOf(t, filepath.Join(sub, "f")))
	}
	top, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(top)) })
	tr, n = &tree{top: top, hold: make(chan struct{})}, new(Finder)
	n.Init(tr, handleOf(t, dir), nil)
	return dir, tr, n, handles
}

func TestFewCallsWaitForAWalk(t *testing.T) {
	_, tr, n, handles := newTree(t, waitingMax+1)
	results := make(chan unix.Errno, waitingMax)
	for i := range waitingMax {
		go func() {
			fd, errno := n.Find(&handles[i])
			if errno == 0 {
				kernel.CloseFD(fd)
			}
			results <- errno
		}()
	}
	for n.Counts().Waiting < waitingMax {
		runtime.Gosched()
	}
	_, errno := n.Find(&handles[waitingMax])
	require.Equal(t, unix.EAGAIN, errno, "one too many")
	close(tr.hold)
	for range waitingMax {
		require.Zero(t, <-results)
	}
	fd, errno := n.Find(&handles[waitingMax])
	require.Zero(t, errno)
	kernel.CloseFD(fd)
	require.Zero(t, n.Counts().Waiting)
	require.LessOrEqual(t, n.Counts().Walks, waitingMax, "the refused one was found with others")
}

func TestWhereAnObjectWasSeenIsLookedFirst(t *testing.T) {
	dir, tr, n, handles := newTree(t, 2)
	close(tr.hold)
	sub, root := handleOf(t, filepath.Join(dir, "d0")), handleOf(t, dir)
	n.Note(&sub, &root, []byte("d0"))
	n.Note(&handles[0], &sub, []byte("f"))
	fd, ok := n.Remembered(&handles[0])
	require.True(t, ok)
	kernel.CloseFD(fd)
	require.Zero(t, n.Counts().Walks)
	require.NoError(t, os.Rename(filepath.Join(dir, "d0", "f"), filepath.Join(dir, "d1", "g")))
	_, ok = n.Remembered(&handles[0])
	require.False(t, ok)
	fd, errno := n.Find(&handles[0])
	require.Zero(t, errno)
	kernel.CloseFD(fd)
	require.Equal(t, 1, n.Counts().Walks)
	require.NoError(t, os.Remove(filepath.Join(dir, "d1", "g")))
	_, errno = n.Find(&handles[0])
	require.Equal(t, unix.ESTALE, errno)
	require.Equal(t, 1, n.Counts().Missing)
}
