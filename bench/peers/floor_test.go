package peers

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
)

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestTheFloorAnswersWhatTheBenchmarkAsks(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc: ", err)
	}
	runtime.LockOSThread() // the server dies with the thread
	defer runtime.UnlockOSThread()
	programs, dir := t.TempDir(), t.TempDir()
	out, err := exec.Command(
		"gcc",
		"-O1",
		"-Wall",
		"-Werror",
		"-pthread",
		"-o",
		filepath.Join(programs, "floor"),
		"../floor/floor.c",
	).CombinedOutput()
	require.NoError(t, err, "%s", out)
	server, err := Start(Floor, "floor", programs, dir, t.TempDir(), freePort(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	s, err := load.Open(context.Background(), server.Target, load.Options{FileSize: 2 << 20})
	require.NoError(t, err)
	for _, text := range []string{"null", "getattr", "lookup", "access", "read-4k-rand", "read-64k", "write-4k-rand", "write-1m"} {
		w, err := load.ParseWorkload(text, 0, false)
		require.NoError(t, err)
		_, err = s.Run(context.Background(), load.Job{
			Workload: w, Conns: 2, Depth: 4, Time: 50 * time.Millisecond, Warmup: time.Millisecond, Verify: w.Kind == "read" || w.Kind == "write",
			ServerPIDs: []int{server.PID},
		})
		require.NoError(t, err, text)
	}
	require.NoError(t, server.Alive())
	require.NoError(t, s.Close())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files, "its files are real ones")
}

func TestAServerThatDoesNotStartSaysWhy(t *testing.T) {
	programs := t.TempDir()
	require.NoError(
		t,
		os.WriteFile(
			filepath.Join(programs, "floor"),
			[]byte("#!/bin/sh\necho 'no such luck'\nexit 3\n"),
			0o755,
		),
	)
	_, err := Start(Floor, "floor", programs, t.TempDir(), t.TempDir(), freePort(t))
	require.ErrorContains(t, err, "no such luck")
}
