package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/uring"
)

// startServer serves a file system in memory until the test ends, and returns
// the target to measure.
func startServer(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	ring, err := uring.New(uring.Config{})
	if err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	require.NoError(t, ring.Close())
	runtime.UnlockOSThread()
	srv, err := nfs.New(nfs.Config{
		Exports: []nfs.Export{{Dir: "/mem", FS: memfs.New(memfs.Config{}), Squash: export.SquashNone}},
		Listen:  []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap: nfs.PortmapOff, Lanes: 1, Workers: 4, StateDir: t.TempDir(),
	})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Drain(ctx))
		require.NoError(t, <-served)
	})
	return fmt.Sprintf("127.0.0.1:%d:/mem", srv.Info().Port)
}

// command runs a command line and returns its exit code and what it printed.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestBenchMeasuresAndComparesFromTheCommandLine(t *testing.T) {
	target := startServer(t)
	dir := t.TempDir()
	a, b, page := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json"), filepath.Join(dir, "a.html")
	quick := []string{"bench", "--uid", "0", "--gid", "0", "--seconds", "0.1", "--warmup", "0.01", "--conns", "2", "--depth", "4", "--file-size", "1M"}

	code, out, errs := command(append(quick, "-w", "getattr,read-64k", "--json", a, "--html", page, "--rounds", "2", target)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "getattr 2x4")
	require.Contains(t, out, "read-64k-seq 2x4")
	require.Contains(t, out, fmt.Sprintf("server process %d", os.Getpid()))
	require.Empty(t, errs, "no bar where there is no terminal")
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "<svg")

	code, out, errs = command(append(quick, "-w", "getattr", "--rate", "2000", "--verify", "--json", b, target)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "getattr 2x4 at 2000/s")

	code, out, errs = command("bench", "compare", a, a)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "no difference shown")
	code, out, errs = command("bench", "compare", a, b)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "only before")
}

func TestBenchSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"bench"}, exitUsage, "which export"},
		{[]string{"bench", "nowhere"}, exitUsage, "target"},
		{[]string{"bench", "-w", "reed", "host:/x"}, exitUsage, "there is no workload"},
		{[]string{"bench", "--stable", "very", "host:/x"}, exitUsage, "--stable"},
		{[]string{"bench", "--seconds", "0", "host:/x"}, exitUsage, "--seconds"},
		{[]string{"bench", "127.0.0.1:1:/x"}, exitFailure, "connect to MOUNT"},
		{[]string{"bench", "compare", "a.json"}, exitUsage, "which two"},
		{[]string{"bench", "compare", "/nonexistent/a", "/nonexistent/b"}, exitFailure, "no such file"},
	} {
		code, _, errs := command(c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
	}
}

func TestAProgressLineNamesRateAndTimeLeft(t *testing.T) {
	require.Equal(t, "prepare", describe(load.Progress{Stage: "prepare", Done: 0.5}))
	require.Equal(t, "measure: 1234 calls/s, 2.00 MiB/s, 3 s left",
		describe(load.Progress{Stage: "measure", Ops: 1234, Bytes: 2 << 20, Left: 3 * time.Second}))
	require.Nil(t, newProgress(new(bytes.Buffer)).job("x"), "no terminal")
}
