package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/uring"
)

// startServer serves a file system in memory until the test ends, and returns
// the target to measure.
func startServer(t *testing.T) string {
	t.Helper()
	return startServerOf(t, memfs.New(memfs.Config{}))
}

func startServerOf(t *testing.T, fs vfs.FS) string {
	t.Helper()
	runtime.LockOSThread()
	ring, err := uring.New(uring.Config{})
	if err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	require.NoError(t, ring.Close())
	runtime.UnlockOSThread()
	srv, err := nfs.New(nfs.Config{
		Exports: []nfs.Export{{Dir: "/mem", FS: fs, Squash: export.SquashNone}},
		Listen:  []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap: nfs.PortmapOff, Lanes: 1, Workers: 4, StateDir: t.TempDir(),
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

	code, out, errs := command(
		quick("-w", "getattr,read-64k", "--json", a, "--html", page, "--rounds", "2", target)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "getattr 2x4")
	require.Contains(t, out, "read-64k-seq 2x4")
	require.Contains(t, out, fmt.Sprintf("server process %d", os.Getpid()))
	require.Empty(t, errs, "no bar where there is no terminal")
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "<svg")

	code, out, errs = command(
		quick("-w", " getattr, null", "--rate", "2000", "--verify", "--json", b, target)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "getattr 2x4 at 2000/s")

	code, out, errs = command("bench", "compare", a, a)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "no difference shown")
	code, out, errs = command("bench", "compare", a, b)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "only before")
}

func TestBenchMeasuresVersion4(t *testing.T) {
	target := startServer(t)
	for _, version := range []string{"4.0", "4.1", "4.2"} {
		code, out, errs := command(quick("--nfs", version, "--sessions", "1", "-w", "open,lock,tree", target)...)
		require.Equal(t, exitOK, code, errs)
		require.Contains(t, out, "NFSv"+version)
		for _, load := range []string{"open 2x4", "lock 2x4", "tree-4k 2x4"} {
			require.Contains(t, out, load)
		}
	}
	code, _, errs := command(quick("--nfs", "4.2", "-w", "getattr", target+"/missing")...)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errs, "NFS4ERR_NO")
	require.Contains(t, errs, "which a server may have below a root of its own")
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
		{[]string{"bench", "--seconds", "0", "host:/x"}, exitUsage, "--seconds 0: 0.05 or more"},
		{[]string{"bench", "--seconds", "NaN", "host:/x"}, exitUsage, "--seconds"},
		{[]string{"bench", "--conns", "0", "host:/x"}, exitUsage, "--conns 0: 1 or more"},
		{[]string{"bench", "--rate", "-1", "host:/x"}, exitUsage, "--rate"},
		{[]string{"bench", "--nfs", "4", "host:/x"}, exitUsage, "--nfs: there is no version \"4\"; say 3, 4.0, 4.1, 4.2"},
		{[]string{"bench", "-w", "null,open", "host:/x"}, exitUsage, "NFSv3 has no open: measure it with --nfs 4.2"},
		{[]string{"bench", "--sessions", "-1", "host:/x"}, exitUsage, "--sessions -1: 0 or more"},
		{[]string{"bench", "--sessions", "2", "host:/x"}, exitUsage, "say --nfs 4.2 as well"},
		{[]string{"bench", "--nfs", "4.2", "--sessions", "5", "host:/x"}, exitUsage, "say --conns 5 or more"},
		{[]string{"bench", "--nfs", "4.2", "127.0.0.1:1:/x"}, exitFailure, "is the server running"},
		{[]string{"bench", "--mount-port", "70000", "host:/x"}, exitUsage, "--mount-port"},
		{[]string{"bench", "--json", "-", "--html", "-", "host:/x"}, exitUsage, "standard output"},
		{[]string{"bench", "--json", "/nonexistent/a.json", "127.0.0.1:1:/x"}, exitFailure, "--json: open /nonexistent/a.json"},
		{[]string{"bench", "--html", "/", "127.0.0.1:1:/x"}, exitFailure, "--html: open /: is a directory"},
		{[]string{"bench", "compare", "--fail-over", "-1", "a", "b"}, exitUsage, "--fail-over"},
		{[]string{"bench", "127.0.0.1:1:/x"}, exitFailure, "connect to MOUNT"},
		{[]string{"bench", "compare", "a.json"}, exitUsage, "which two"},
		{[]string{"bench", "compare", "/nonexistent/a", "/nonexistent/b"}, exitFailure, "no such file"},
	} {
		code, _, errs := command(c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

// quick is a bench that takes next to no time.
func quick(args ...string) []string {
	return append(
		[]string{
			"bench",
			"--seconds",
			"0.1",
			"--warmup",
			"0.01",
			"--conns",
			"2",
			"--depth",
			"4",
			"--file-size",
			"1M",
		},
		args...)
}

func TestResultsOnStandardOutputAreAlone(t *testing.T) {
	target := startServer(t)
	code, out, errs := command(quick("-w", "null", "--json", "-", target)...)
	require.Equal(t, exitOK, code, errs)
	rep, err := report.Read(strings.NewReader(out))
	require.NoError(t, err)
	require.Len(t, rep.Runs, 1)
	require.True(t, strings.HasSuffix(out, "}\n"))
	require.Contains(t, errs, "calls/s", "the table is not lost")
}

func TestWhatWasMeasuredBeforeAnErrorIsTold(t *testing.T) {
	target := startServer(t)
	name := filepath.Join(t.TempDir(), "a.json")
	code, out, errs := command(quick("-w", "null,read-4m,getattr", "--json", name, target)...)
	require.Equal(t, exitFailure, code)
	require.Equal(t, "ringnfs: read-4m-seq: the server reads at most 1048576 bytes at once\n", errs)
	require.Contains(t, out, "null 2x4")
	require.Contains(t, out, "note: not complete: 1 of 3 measurements were made")
	rep, err := report.ReadFile(name)
	require.NoError(t, err)
	require.Len(t, rep.Runs, 1)
	require.Contains(t, rep.Notes, "not complete: 1 of 3 measurements were made")
}

func TestAFileForResultsStaysAsItIsUntilThereAreSome(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old.json")
	require.NoError(t, os.WriteFile(old, []byte("before"), 0o600))
	code, _, _ := command(quick("--json", old, "--html", filepath.Join(dir, "new.html"), "127.0.0.1:1:/x")...)
	require.Equal(t, exitFailure, code)
	text, err := os.ReadFile(old)
	require.NoError(t, err)
	require.Equal(t, "before", string(text))
	require.NoFileExists(t, filepath.Join(dir, "new.html"))
}

func TestCompareFailsWhenSomethingGotWorse(t *testing.T) {
	dir := t.TempDir()
	result := func(name string, rate, p99 float64, loads ...string) string {
		r := &report.Report{Format: report.Format, Servers: []report.Server{{Name: "server"}}}
		for _, l := range loads {
			for round := range 5 {
				r.Runs = append(
					r.Runs,
					report.Run{Server: "server", Load: l, Round: round + 1, Result: load.Result{
						Ops: 100, OpsPerSecond: rate * (1 + 0.001*float64(round)), Seconds: 1,
						Latency: load.Latency{
							Count: 100,
							P50:   10,
							P99:   p99 * (1 + 0.001*float64(round)),
							P999:  100,
						},
					}},
				)
			}
		}
		path := filepath.Join(dir, name)
		require.NoError(t, r.WriteFile(path))
		return path
	}
	base := result("base", 1000, 50, "getattr")
	slow, late := result("slow", 900, 50, "getattr"), result("late", 1000, 60, "getattr")
	fast, fewer := result("fast", 2000, 20, "getattr"), result("fewer", 1000, 50, "null")
	for _, c := range []struct {
		over, after string
		says        string // empty: nothing is wrong
	}{
		{"5", slow, "worse by more than 5 %: server: getattr: calls a second -10.0 %"},
		{"20", slow, ""},
		{"5", late, "worse by more than 5 %: server: getattr: latency p99, us +20.0 %"},
		{"20.1", late, ""},
		{"0", fast, ""},
		{"0", base, ""},
		{"50", fewer, "not measured any more: server: getattr"},
	} {
		code, out, errs := command("bench", "compare", "--fail-over", c.over, base, c.after)
		require.NotEmpty(t, out)
		if c.says == "" {
			require.Equal(t, exitOK, code, "%v: %s", c, errs)
			continue
		}
		require.Equal(t, exitFailure, code, c)
		require.Equal(t, "ringnfs: "+c.says+"\n", errs)
	}
	code, _, _ := command("bench", "compare", base, slow)
	require.Equal(t, exitOK, code, "without the flag it only tells")
}

func TestTheTablesOfBenchFitTheTerminal(t *testing.T) {
	target := startServer(t)
	for _, columns := range []int{60, 80} {
		t.Setenv("COLUMNS", strconv.Itoa(columns))
		name := filepath.Join(t.TempDir(), "a.json")
		code, out, errs := command(quick("-w", "getattr,read-64k", "--json", name, target)...)
		require.Equal(t, exitOK, code, errs)
		_, both, _ := command("bench", "compare", name, name)
		for line := range strings.Lines(out + both) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), columns, line)
		}
	}
}

func TestAProgressLineNamesRateAndTimeLeft(t *testing.T) {
	require.Equal(t, "prepare", describe(load.Progress{Stage: "prepare", Done: 0.5}))
	require.Equal(t, "measure: 1,234 calls/s, 2.00 MiB/s, 3 s left",
		describe(load.Progress{Stage: "measure", Ops: 1234, Bytes: 2 << 20, Left: 3 * time.Second}))
	require.Nil(t, newProgress(new(bytes.Buffer)).job("x"), "no terminal")
}

// writes calls itself for each write.
type writes func()

func (f writes) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

func TestWhatAnInterruptedBenchLeavesIsSaid(t *testing.T) {
	fs := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Rmdir}, Status: vfs.ROFS})
	target, err := load.ParseTarget(startServerOf(t, fs))
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	f := &benchFlags{conns: 1, rounds: 1, label: "server"}
	interrupt := writes(func() { cancel(signalled{syscall.SIGINT}) }) // at its first word
	err = bench(
		ctx,
		target,
		[]load.Job{{Workload: load.Workload{Kind: "null"}, Conns: 1, Depth: 1, Time: time.Hour}},
		f,
		interrupt,
		io.Discard,
	)
	require.ErrorAs(t, err, &signalled{})
	require.ErrorContains(t, err, "ended by a signal (interrupt); clean up: remove .ringnfs-bench-")
	require.ErrorContains(t, err, "by hand")
}
