package uring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRing makes a ring for one test and holds its goroutine to the thread.
func newRing(t testing.TB, cfg Config) *Ring {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	r, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		// Buffers of the test are unmapped after this, so nothing may be pending.
		all := abi.SyncCancelReg{
			FD: -1, Flags: abi.AsyncCancelAll | abi.AsyncCancelAny, Timeout: abi.Timespec{Sec: -1, Nsec: -1},
		}
		if _, err := r.register("SYNC_CANCEL", abi.RegisterSyncCancel, unsafe.Pointer(&all), 1); !errors.Is(
			err,
			ErrClosed,
		) {
			require.NoError(t, err)
			require.NoError(t, r.Close())
		}
	})
	return r
}

// need skips a test whose feature the kernel does not have.
func need(t testing.TB, r *Ring, f Feature) {
	t.Helper()
	if s := r.Features().State(f); s.Presence != Found {
		t.Skipf("kernel feature %v: %s", f, s.Reason)
	}
}

// modes are the ways of setting up that a kernel may leave us.
var modes = []struct {
	name string
	cfg  Config
}{
	{"everything", Config{}},
	{"without NO_SQARRAY", Config{Without: NoSQArray}},
	{"without registered ring", Config{Without: RegisteredRing}},
	{"without DEFER_TASKRUN", Config{Without: DeferTaskrun}},
	{"without SINGLE_ISSUER", Config{Without: SingleIssuer}},
	{"without anything", Config{Without: AllFeatures}},
}

func inEveryMode(t *testing.T, cfg Config, f func(t *testing.T, r *Ring)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			c := cfg
			c.Without |= m.cfg.Without
			f(t, newRing(t, c))
		})
	}
}

// entry queues one operation.
func entry(t testing.TB, r *Ring, user uint64, prep func(s *SQE)) {
	t.Helper()
	s := r.SQE()
	require.NotNil(t, s, "queue is full")
	prep(s)
	s.SetUserData(user)
}

// next waits for one completion.
func next(t testing.TB, r *Ring) CQE {
	t.Helper()
	var c [1]CQE
	for r.Harvest(c[:]) == 0 {
		require.NoError(t, r.Wait(1, time.Minute))
	}
	return c[0]
}

// do runs one operation and returns its completion.
func do(t testing.TB, r *Ring, prep func(s *SQE)) CQE {
	t.Helper()
	entry(t, r, 4711, prep)
	c := next(t, r)
	require.Equal(t, uint64(4711), c.UserData)
	return c
}

// ok is do for one that must succeed.
func ok(t testing.TB, r *Ring, prep func(s *SQE)) int32 {
	t.Helper()
	c := do(t, r, prep)
	require.Zero(t, c.Errno(), "%v", c.Errno())
	return c.Res
}

// nothing says that no completion is there.
func nothing(t testing.TB, r *Ring) {
	t.Helper()
	_, err := r.Submit()
	require.NoError(t, err)
	var c [1]CQE
	require.Zero(t, r.Harvest(c[:]), "%+v", c)
}

func memory(t testing.TB, n int) []byte {
	t.Helper()
	b, err := Map(n)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, Unmap(b)) })
	return b
}

func one[T any](t testing.TB) *T {
	t.Helper()
	s, err := MapSlice[T](1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, UnmapSlice(s)) })
	return &s[0]
}

// tcpPair is a connected pair of sockets on loopback.
func tcpPair(t testing.TB) (a, b int) {
	t.Helper()
	l := listener(t)
	addr, err := unix.Getsockname(l)
	require.NoError(t, err)
	a, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closing(t, a)
	require.NoError(t, unix.Connect(a, addr))
	b, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	closing(t, b)
	require.NoError(t, unix.SetsockoptInt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return a, b
}

func listener(t testing.TB) int {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closing(t, l)
	require.NoError(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(l, 8))
	return l
}

func closing(t testing.TB, fd int) {
	t.Cleanup(func() { _ = unix.Close(fd) })
}

func eventFD(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	closing(t, fd)
	return fd
}

func file(t testing.TB, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}
