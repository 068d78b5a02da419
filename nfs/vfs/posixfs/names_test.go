package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// slowWalks is a clock on which each walk takes a while.
type slowWalks struct {
	mu   sync.Mutex
	at   time.Time
	step time.Duration // per look at it
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

// afterRestart serves n files again whose names are not remembered.
func afterRestart(t *testing.T, n int) (s *served, handles []vfs.Handle) {
	t.Helper()
	o := options{noHandles: true}
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
	s, handles := afterRestart(t, 100)
	clock := &slowWalks{at: time.Now(), step: 20 * time.Second}
	n := &s.fs.names
	n.now = clock.now
	for i := range handles {
		require.NoError(t, os.RemoveAll(filepath.Join(s.dir, fmt.Sprintf("d%d", i))))
	}
	require.Equal(t, vfs.Stale, s.getattr(handles[0]))
	clock.step = 0
	require.Equal(t, 1, n.walks)
	for _, h := range handles[1:] {
		require.Equal(t, vfs.Delay, s.getattr(h), "the walk before took too long")
	}
	require.Equal(t, vfs.Stale, s.getattr(handles[0]), "it is known to be missing")
	require.Equal(t, 1, n.walks)

	clock.pass(debtRate * 20 * time.Second)
	for _, h := range handles[1:] {
		require.Equal(t, vfs.Stale, s.getattr(h))
	}
	require.Equal(t, 2, n.walks, "one for all that came too early")
}

func TestHandlesThatComeTooEarlyAreFoundTogether(t *testing.T) {
	s, handles := afterRestart(t, 50)
	clock := &slowWalks{at: time.Now()}
	n := &s.fs.names
	n.now = clock.now
	n.debt, n.paid = 2*debtMax, clock.at
	for _, h := range handles {
		require.Equal(t, vfs.Delay, s.getattr(h))
	}
	clock.pass(debtRate * 2 * debtMax)
	for _, h := range handles {
		require.Equal(t, vfs.OK, s.getattr(h))
	}
	require.Equal(t, 1, n.walks)
	require.Empty(t, n.missing)
}

func TestFewCallsWaitForAWalk(t *testing.T) {
	s, handles := afterRestart(t, waitingMax+1)
	n := &s.fs.names
	n.walk.Lock() // a walk that takes long
	results := make(chan vfs.Status, waitingMax)
	for i := range waitingMax {
		r := newRunner(t, s.fs, true)
		t.Cleanup(r.close)
		r.jobs <- func() {
			var a vfs.Attr
			results <- r.v.GetAttr(handles[i], &a)
		}
	}
	require.Eventually(t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.waiting == waitingMax
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, vfs.Delay, s.getattr(handles[waitingMax]))
	n.walk.Unlock()
	for range waitingMax {
		require.Equal(t, vfs.OK, <-results)
	}
	require.Equal(t, vfs.OK, s.getattr(handles[waitingMax]))
	require.Zero(t, n.waiting)
	require.LessOrEqual(t, n.walks, waitingMax)
}
