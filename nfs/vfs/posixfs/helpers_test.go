package posixfs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		// These tests wait for discs most of the time, each for its own.
		_ = flag.Set("test.parallel", "8")
	}
	goleak.VerifyTestMain(m)
}

// fileSystems are the file systems on which tests run. dir makes an empty directory on one, or
// skips the test and says why.
var fileSystems = []struct {
	name string
	dir  func(t *testing.T) string
}{
	{"tmpfs", tmpfsDir},
	{
		"ext4",
		func(t *testing.T) string { return loopDir(t, 256, "mkfs.ext4", "-q", "-b", "4096", "-N", "65536") },
	},
	{"xfs", func(t *testing.T) string { return loopDir(t, 320, "mkfs.xfs", "-q") }},
	{"btrfs", func(t *testing.T) string { return loopDir(t, 128, "mkfs.btrfs", "-q") }},
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func tmpfsDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "posixfs")
	if err != nil {
		t.Skipf("needs a tmpfs on /dev/shm: %v", err)
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// loopDir makes a file system of size MiB in a file and mounts it.
func loopDir(t *testing.T, size int64, mkfs string, args ...string) string {
	t.Helper()
	needRoot(t)
	if _, err := exec.LookPath(mkfs); err != nil {
		t.Skipf("needs %s: %v", mkfs, err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "posixfs") // in memory: the disc does not matter
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	mnt, err := mountImage(t, dir, size, "loop", mkfs, args...)
	if err != nil {
		t.Skipf("needs loop mounts of %s: %v", mkfs, err)
	}
	return mnt
}

// mountImage makes a file system of size MiB in a file in dir and mounts it there.
func mountImage(
	t *testing.T,
	dir string,
	size int64,
	options, mkfs string,
	args ...string,
) (mnt string, err error) {
	t.Helper()
	img, mnt := filepath.Join(dir, "img"), filepath.Join(dir, "mnt")
	require.NoError(t, os.Mkdir(mnt, 0o755))
	require.NoError(t, os.WriteFile(img, nil, 0o600))
	require.NoError(t, os.Truncate(img, size<<20))
	require.NoError(t, disktest.MakeFS(mkfs, append(args, img)...))
	if out, err := exec.Command("mount", "-o", options, img, mnt).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	disktest.UnmountAtEnd(t, mnt)
	require.NoError(t, os.Chmod(mnt, 0o755))
	return mnt, nil
}

// stuckDir makes a file system of size MiB on one that can be frozen. A frozen one is like a file
// system whose disc does not answer.
func stuckDir(t *testing.T, size int64, option, mkfs string, args ...string) (outer, dir string) {
	t.Helper()
	if _, err := exec.LookPath(mkfs); err != nil {
		t.Skipf("needs %s: %v", mkfs, err)
	}
	outer = loopDir(t, 128+size, "mkfs.ext4", "-q", "-b", "4096")
	dir, err := mountImage(t, outer, size, "loop,"+option, mkfs, args...)
	require.NoError(t, err)
	return outer, dir
}

// getStuck freezes outer and begins a change of the object at path. The change waits for outer once
// the kernel has set the ctime. getStuck sends the result to done.
func getStuck(t *testing.T, outer, path string, change func() error) (thaw func(), done chan error) {
	t.Helper()
	ctime := func() unix.Timespec {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st))
		return st.Ctim
	}
	before := ctime()
	thaw, done = disktest.Freeze(t, outer), make(chan error, 1)
	go func() { done <- change() }()
	for ctime() == before && len(done) == 0 {
		time.Sleep(time.Millisecond)
	}
	return thaw, done
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}

// elsewhere runs f on a thread that no View has changed.
func elsewhere(f func() error, t *testing.T) {
	t.Helper()
	result := make(chan error)
	go func() { result <- f() }()
	require.NoError(t, <-result)
}

// place is a served directory with two Views, one that may wait and one that may not, each on a
// thread of its own.
type served struct {
	t    *testing.T
	dir  string
	fs   *FS
	w, l *runner
}

// runner is a thread with a View.
type runner struct {
	t    *testing.T
	th   *vfs.Thread
	v    *View
	jobs chan func()
	gone chan struct{} // closed when a failed assertion has ended the thread
}

func newRunner(t *testing.T, fs *FS, wait bool) *runner {
	r := &runner{t: t, th: &vfs.Thread{MayWait: wait}, jobs: make(chan func()), gone: make(chan struct{})}
	ready := make(chan error)
	go func() {
		defer close(r.gone)
		runtime.LockOSThread()
		x, err := fs.View(r.th)
		if err == nil {
			r.v = x.(*View)
		}
		ready <- err
		for f := range r.jobs {
			f()
		}
		r.v.Close()
	}()
	require.NoError(t, <-ready)
	return r
}

// do runs f on the thread. An assertion that fails in f ends the test here, too.
func (r *runner) do(f func(v *View)) {
	done, whole := make(chan struct{}), false
	select {
	case r.jobs <- func() { defer close(done); f(r.v); whole = true }:
		<-done
	case <-r.gone:
	}
	if !whole {
		r.t.FailNow()
	}
}

func (r *runner) close() {
	close(r.jobs)
	<-r.gone
}

func (r *runner) cred(uid, gid uint32, groups ...uint32) *vfs.Cred {
	return r.th.Creds.Intern(uid, gid, groups)
}

func serve(t *testing.T, dir string, cfg Config, o options) *served {
	t.Helper()
	cfg.Dir = dir
	fs, err := newFS(cfg, o)
	require.NoError(t, err)
	s := &served{t: t, dir: dir, fs: fs, w: newRunner(t, fs, true), l: newRunner(t, fs, false)}
	t.Cleanup(s.close)
	return s
}

func (s *served) close() {
	if s.fs == nil {
		return
	}
	s.w.close()
	s.l.close()
	require.NoError(s.t, s.fs.Close())
	s.fs = nil
}

func (s *served) root() *vfs.Cred { return s.w.cred(0, 0) }

// lookup finds a path from the root with root's rights.
func (s *served) lookup(path string) vfs.Handle {
	s.t.Helper()
	var e vfs.Entry
	h := s.fs.Root()
	s.w.do(func(v *View) {
		for _, name := range strings.Split(path, "/") {
			var d vfs.Attr
			require.Equal(
				s.t,
				vfs.OK,
				v.Lookup(s.root(), h, []byte(name), &vfs.Found{Entry: &e, Dir: &d}),
				"%s in %s",
				name,
				path,
			)
			h = e.Handle
		}
	})
	return h
}

// write puts a file into the served directory behind the server's back.
func (s *served) write(path, content string, mode os.FileMode) {
	s.t.Helper()
	p := filepath.Join(s.dir, path)
	require.NoError(s.t, os.WriteFile(p, []byte(content), mode))
	require.NoError(s.t, os.Chmod(p, mode))
}

// openFDs counts this process's descriptors.
func openFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

func chown(t *testing.T, path string, uid, gid int) {
	t.Helper()
	require.NoError(t, unix.Lchown(path, uid, gid), fmt.Sprint(path))
}
