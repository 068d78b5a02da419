package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// slowWalks is a clock on which each walk takes a while.
type slowWalks struct {
	mu   sync.Mutex
	at   time.Time
	step time.Duration // for each call of the clock
}

func (c *slowWalks) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(c.step)
	return c.at
}

func (c *slowWalks) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (s *served) getattr(h vfs.Handle) (st vfs.Status) {
	s.w.do(func(v *View) {
		var a vfs.Attr
		st = v.GetAttr(h, &a)
	})
	return st
}

// afterRestart serves n files again whose names nobody remembers.
func afterRestart(t *testing.T, n int, clock *slowWalks) (s *served, handles []vfs.Handle) {
	t.Helper()
	o := options{noHandles: true, now: clock.now}
	dir := tmpfsDir(t)
	s = serve(t, dir, Config{}, o)
	for i := range n {
		name := fmt.Sprintf("d%d/f", i)
		require.NoError(t, os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%d", i)), 0o755))
		s.write(name, "", 0o644)
		handles = append(handles, s.lookup(name))
	}
	s.close()
	return serve(t, dir, Config{}, o), handles
}

func TestDeadHandlesDoNotKeepTheDiscBusy(t *testing.T) {
	clock := &slowWalks{at: time.Now()}
	s, handles := afterRestart(t, 100, clock)
	clock.step = 20 * time.Second
	for i := range handles {
		require.NoError(t, os.RemoveAll(filepath.Join(s.dir, fmt.Sprintf("d%d", i))))
	}
	require.Equal(t, vfs.Stale, s.getattr(handles[0]))
	clock.step = 0
	require.Equal(t, 1, s.fs.finder.Counts().Walks)
	for _, h := range handles[1:] {
		require.Equal(t, vfs.Delay, s.getattr(h), "the walk before took too long")
	}
	require.Equal(t, vfs.Stale, s.getattr(handles[0]), "it is known to be missing")
	require.Equal(t, 1, s.fs.finder.Counts().Walks)

	clock.pass(time.Hour)
	for _, h := range handles[1:] {
		require.Equal(t, vfs.Stale, s.getattr(h))
	}
	require.Equal(t, 2, s.fs.finder.Counts().Walks, "one for all that came too early")
}

func TestHandlesThatComeTooEarlyAreFoundTogether(t *testing.T) {
	clock := &slowWalks{at: time.Now()}
	s, handles := afterRestart(t, 51, clock)
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "d50")))
	clock.step = 20 * time.Second
	require.Equal(t, vfs.Stale, s.getattr(handles[50]))
	clock.step = 0
	for _, h := range handles[:50] {
		require.Equal(t, vfs.Delay, s.getattr(h))
	}
	clock.pass(time.Hour)
	for _, h := range handles[:50] {
		require.Equal(t, vfs.OK, s.getattr(h))
	}
	require.Equal(t, 2, s.fs.finder.Counts().Walks)
	require.Equal(t, 1, s.fs.finder.Counts().Missing, "only what was removed")
}

// A walk that has not seen everything says nothing about the handles that it has not found.
func TestWhatAWalkCouldNotSeeIsNotTakenForGone(t *testing.T) {
	p := mountProcess(t)
	s := serve(t, p.dir, Config{}, options{noHandles: true})
	h := s.lookup("f")
	s.close()
	s = serve(t, p.dir, Config{}, options{noHandles: true})
	for range 2 {
		p.fail(fuseOpendir, failing{unix.EIO, forEver})
		require.Equal(t, vfs.IO, s.getattr(h))
		require.Positive(t, p.count(fuseOpendir), "nothing was looked for")
	}
	require.Zero(t, s.fs.finder.Counts().Missing)
}

// lessDescriptors leaves the process n descriptors until enough is called.
func lessDescriptors(t *testing.T, n int) (enough func()) {
	t.Helper()
	var was unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 256, Max: was.Max}))
	var taken []int
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			require.Equal(t, unix.EMFILE, err)
			break
		}
		taken = append(taken, fd)
	}
	for range n {
		require.NoError(t, unix.Close(taken[len(taken)-1]))
		taken = taken[:len(taken)-1]
	}
	return sync.OnceFunc(func() {
		for _, fd := range taken {
			_ = unix.Close(fd)
		}
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
	})
}

// The test runs in a process of its own, because it takes the process's descriptors.
func TestUnprivilegedWalksTakeFewDescriptorsAndWaitForThem(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	deep := strings.Repeat("d/", 40)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, deep), 0o755))
	s := serve(t, dir, Config{}, options{period: time.Hour})
	s.write(deep+"f", "", 0o644)
	h := s.lookup(deep + "f")
	again := func() {
		s.close()
		s = serve(t, dir, Config{}, options{period: time.Hour})
	}
	again()
	enough := lessDescriptors(t, WalkDescriptors+1) // and one for the object
	defer func() { enough() }()
	require.Equal(t, vfs.OK, s.getattr(h))
	enough()
	again()
	enough = lessDescriptors(t, 3)
	require.Equal(t, vfs.Delay, s.getattr(h))
	enough()
	require.Equal(t, vfs.OK, s.getattr(h))
}
