package endtoend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/uring"
)

// fh is a file handle.
type fh = nfstest.FH

// testServer is a server in this process.
type testServer struct {
	*nfs.Server
	t      testing.TB
	cfg    nfs.Config // as given to New, its port settled
	served chan error
	ended  bool
}

// noLeaks asserts at the end of the test that no goroutine and no descriptor is left of those that
// were started or opened after this call.
func noLeaks(t testing.TB) {
	t.Helper()
	goroutines := goleak.IgnoreCurrent()
	before := descriptors(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, goroutines)
		// The kernel takes its time to end rings and connections.
		eventually(
			t,
			func() bool { return len(descriptors(t)) <= len(before) },
			fmt.Sprintf("descriptors; before: %v", before),
		)
	})
}

// eventually waits until the server has done something unasked, which what names.
func eventually(t testing.TB, done func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s; now open: %v", what, descriptors(t))
		}
	}
}

// descriptors lists what this process has open.
func descriptors(t testing.TB) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	open := make(map[string]string)
	for _, e := range entries {
		// The directory's own descriptor is closed by now.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = to
		}
	}
	return open
}

// config is the configuration of most tests: a server of one directory for root.
func config(t testing.TB, dir string) nfs.Config {
	t.Helper()
	return nfs.Config{
		Exports:  []nfs.Export{{Dir: dir, Squash: export.SquashNone}},
		Listen:   []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap:  nfs.PortmapOff,
		Lanes:    2,
		Workers:  8,
		Memory:   80 << 20,
		StateDir: keyDir(t),
	}
}

// keyDir returns a directory that only its owner may write to, whatever the umask.
func keyDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	return dir
}

// start serves until the test ends or until stop or kill.
func start(t testing.TB, cfg nfs.Config) *testServer {
	t.Helper()
	needRing(t)
	srv, err := nfs.New(cfg)
	require.NoError(t, err)
	cfg.Port = srv.Info().Port
	s := &testServer{Server: srv, t: t, cfg: cfg, served: make(chan error, 1)}
	go func() { s.served <- srv.Serve(context.Background()) }()
	t.Cleanup(s.stop)
	return s
}

// serveDir serves a fresh directory to all users as themselves. At the end it checks that nothing
// is left.
func serveDir(t testing.TB) (s *testServer, dir string) {
	t.Helper()
	noLeaks(t)
	dir = exportDir(t)
	return start(t, config(t, dir)), dir
}

// exportDir makes a directory that any user can reach and write.
func exportDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// stop drains the server. No lease, slab or operation may be outstanding.
func (s *testServer) stop() {
	s.t.Helper()
	if s.ended {
		return
	}
	s.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(s.t, s.Drain(ctx), "something is outstanding")
	require.NoError(s.t, <-s.served)
	require.NoError(s.t, ctx.Err(), "drained in time")
}

// kill drops all connections and ends the server.
func (s *testServer) kill() {
	s.t.Helper()
	s.ended = true
	require.NoError(s.t, s.Close())
	require.NoError(s.t, <-s.served)
}

// again starts the server anew, with the same state and on the same port.
func (s *testServer) again() *testServer {
	s.t.Helper()
	return start(s.t, s.cfg)
}

func (s *testServer) addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Info().Port))
}

// dial makes a new connection as root.
func (s *testServer) dial() *nfstest.Client {
	s.t.Helper()
	return nfstest.Dial(s.t, s.addr())
}

// mount makes a new connection and mounts the first export.
func (s *testServer) mount() (*nfstest.Client, fh) {
	s.t.Helper()
	c := s.dial()
	return c, mnt(s.t, c, s.cfg.Exports[0].Dir)
}

func mnt(t testing.TB, c nfstest.Caller, path string) fh {
	t.Helper()
	root, st := nfstest.Mount(c, path)
	require.Equal(t, mount3.MNT3_OK, st, path)
	return root
}

// ok asserts the status NFS3_OK.
func ok(t testing.TB, st nfs3.Nfsstat3, msg ...any) {
	t.Helper()
	require.Equal(t, nfs3.NFS3_OK, st, msg...)
}

// create makes a file with a mode and returns its handle.
func create(t testing.TB, c *nfstest.Client, dir fh, name string, mode uint32) fh {
	t.Helper()
	res := c.Create(dir, name, nfs3.GUARDED, nfstest.Mode(mode))
	ok(t, res.Status, name)
	require.True(t, res.Resok.Obj.HandleFollows)
	return res.Resok.Obj.Handle
}

// put makes a file with content.
func put(t testing.TB, c *nfstest.Client, dir fh, name string, data []byte) fh {
	t.Helper()
	f := create(t, c, dir, name, 0o644)
	res := c.Write(f, 0, data, nfs3.FILE_SYNC)
	ok(t, res.Status)
	require.Equal(t, len(data), int(res.Resok.Count))
	return f
}

func mkdir(t testing.TB, c *nfstest.Client, dir fh, name string, mode uint32) fh {
	t.Helper()
	res := c.Mkdir(dir, name, nfstest.Mode(mode))
	ok(t, res.Status, name)
	require.True(t, res.Resok.Obj.HandleFollows)
	return res.Resok.Obj.Handle
}

func lookup(t testing.TB, c *nfstest.Client, dir fh, name string) fh {
	t.Helper()
	res := c.Lookup(dir, name)
	ok(t, res.Status, name)
	return res.Resok.Object
}

func getattr(t testing.TB, c *nfstest.Client, f fh) nfs3.Fattr3 {
	t.Helper()
	res := c.Getattr(f)
	ok(t, res.Status)
	return res.Resok.ObjAttributes
}

// needRing skips the test where there is no io_uring.
func needRing(t testing.TB) {
	t.Helper()
	runtime.LockOSThread() // a ring belongs to a thread
	defer runtime.UnlockOSThread()
	r, err := uring.New(uring.Config{})
	if err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	require.NoError(t, r.Close())
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: files of several users")
	}
}

var errWrong = errors.New("wrong")

// wrongf is an error for goroutines that cannot end the test.
func wrongf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errWrong}, args...)...)
}
