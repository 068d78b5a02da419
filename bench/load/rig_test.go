package load

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/uring"
)

// startServer serves an empty file system in memory, until the test ends.
func startServer(t testing.TB) (Target, *memfs.FS) {
	t.Helper()
	fs := memfs.New(memfs.Config{})
	return startServerOf(t, fs), fs
}

// startServerOf is startServer for any file system.
func startServerOf(t testing.TB, fs vfs.FS) Target {
	t.Helper()
	needRing(t)
	srv, err := nfs.New(nfs.Config{
		Exports:  []nfs.Export{{Dir: "/mem", FS: fs, Squash: export.SquashNone}},
		Listen:   []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap:  nfs.PortmapOff,
		Lanes:    1,
		Workers:  4,
		StateDir: t.TempDir(),
		Versions: nfs.NFSv3 | nfs.NFSv40 | nfs.NFSv41 | nfs.NFSv42,
	})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		require.NoError(t, srv.Drain(ctx))
		require.NoError(t, <-served)
	})
	target, err := ParseTarget(net.JoinHostPort("127.0.0.1", strconv.Itoa(srv.Info().Port)) + ":/mem")
	require.NoError(t, err)
	return target
}

func open(t testing.TB, target Target) *Session { return openBy(t, target, Version{}) }

func openBy(t testing.TB, target Target, v Version) *Session {
	t.Helper()
	s, err := Open(context.Background(), target, Options{FileSize: 2 << 20, Entries: 300, Version: v})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// needRing skips where there is no io_uring.
func needRing(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := uring.New(uring.Config{})
	if err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	require.NoError(t, ring.Close())
}

// runSome runs a job, for longer each time, until it has measured something.
func runSome(t testing.TB, s *Session, j Job) *Result {
	t.Helper()
	for j.Time = 20 * time.Millisecond; ; j.Time *= 4 {
		j.Warmup = time.Millisecond
		res, err := s.Run(context.Background(), j)
		require.NoError(t, err)
		if res.Ops > 0 && res.Latency.Count > 0 && (res.Bytes > 0 || j.Workload.Size == 0) {
			return res
		}
		require.Less(t, j.Time, time.Minute, "nothing is measured")
	}
}
