package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// benchDefaults are the workloads of `ringnfs bench` if none is named.
const benchDefaults = "null,getattr,lookup,access,read-4k-rand,read-1m-seq,write-4k-rand,write-1m-seq"

// secondsLeast is the shortest measurement: one slice of its time.
const secondsLeast = 0.05

// benchFlags are the flags of `ringnfs bench` as given.
type benchFlags struct {
	workloads []string
	nfs       string
	version   load.Version
	sessions  int
	conns     int
	depth     int
	threads   int
	seconds   float64
	warmup    float64
	rounds    int
	rate      float64
	size      size
	fileSize  size
	random    bool
	entries   int
	stable    string
	verify    bool
	mountPort int
	serverPID []int
	uid, gid  uint32
	as        *load.Identity // nil for the user who runs this, with all groups
	json      string
	html      string
	label     string
}

func (f *benchFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringSliceVarP(
		&f.workloads,
		"workload",
		"w",
		strings.Split(benchDefaults, ","),
		"`WORKLOADS` to run, one after the other",
	)
	fs.StringVar(&f.nfs, "nfs", "3", "`VERSION` of NFS: "+strings.Join(load.Versions(), ", "))
	fs.IntVar(&f.conns, "conns", 4, "`N` connections")
	fs.IntVar(&f.depth, "depth", 16, "`N` calls under way on each connection")
	fs.IntVar(
		&f.sessions,
		"sessions",
		0,
		"`N` sessions of NFSv4.1 or later, or clients of NFSv4.0, that the connections are divided among (default: one for each)",
	)
	fs.Float64Var(&f.seconds, "seconds", 5, "measure each workload for `N` seconds, 0.05 or more")
	fs.Float64Var(&f.warmup, "warmup", 1, "run each workload for `N` seconds before it is measured")
	fs.IntVar(&f.rounds, "rounds", 1, "go through all workloads `N` times; comparing needs 4 or more")
	fs.Float64Var(
		&f.rate,
		"rate",
		0,
		"make `N` calls a second in all, and count latency from the time when a call was due (default: as fast as answers come)",
	)
	fs.Var(&f.size, "size", "bytes of a READ or WRITE if the workload does not say (default 4K)")
	fs.Var(&f.fileSize, "file-size", "data to read and write, all files together (default 256M)")
	fs.BoolVar(&f.random, "random", false, "read and write at random places if the workload does not say")
	fs.IntVar(&f.entries, "entries", load.EntriesDefault, "`N` entries in the directory that is listed")
	fs.StringVar(&f.stable, "stable", "unstable", "`HOW` stable writes are: unstable, data-sync or file-sync")
	fs.BoolVar(&f.verify, "verify", false, "compare all data that is read, and read back what was written")
	fs.IntVar(&f.threads, "threads", 0, "`N` threads of the client (default: half of the processors)")
	fs.IntVar(
		&f.mountPort,
		"mount-port",
		0,
		"`PORT` of MOUNT (default: that of NFS if it is given, otherwise the port mapper is asked)",
	)
	fs.IntSliceVar(
		&f.serverPID,
		"server-pid",
		nil,
		"process `ID` of the server, to measure its CPU time (default: found if the server is on this machine)",
	)
	fs.Uint32Var(
		&f.uid,
		"uid",
		load.Myself().UID,
		"make calls as user `ID`; a server that knows the user of this process may refuse other users",
	)
	fs.Uint32Var(&f.gid, "gid", load.Myself().GID, "make calls as group `ID`")
	fs.StringVar(
		&f.json,
		"json",
		"",
		"write the results to `FILE`, for bench compare; - is standard output, and then the table goes to standard error",
	)
	fs.StringVar(&f.html, "html", "", "write a page with charts to `FILE`")
	fs.StringVar(&f.label, "label", "server", "`NAME` of the server in the results")
	fs.Lookup("size").DefValue, fs.Lookup("file-size").DefValue = "", ""
	fs.Lookup("workload").DefValue = strings.ReplaceAll(benchDefaults, ",", ", ") // to be wrapped
}

// jobs returns the measurements that the flags ask for.
func (f *benchFlags) jobs() ([]load.Job, error) {
	stable := map[string]uint32{"unstable": 0, "data-sync": 1, "file-sync": 2}
	how, ok := stable[f.stable]
	if !ok {
		return nil, fmt.Errorf("--stable %q: say unstable, data-sync or file-sync", f.stable)
	}
	for _, x := range []struct {
		flag         string
		value, least float64
	}{
		{"sessions", float64(f.sessions), 0}, {"conns", float64(f.conns), 1}, {"depth", float64(f.depth), 1}, {"rounds", float64(f.rounds), 1}, {"entries", float64(f.entries), 1},
		{"seconds", f.seconds, secondsLeast}, {"warmup", f.warmup, 0}, {"rate", f.rate, 0}, {"threads", float64(f.threads), 0},
	} {
		if !(x.value >= x.least && x.value < 1e9) { // also false for NaN
			return nil, fmt.Errorf("--%s %v: %v or more", x.flag, x.value, x.least)
		}
	}
	if f.json == "-" && f.html == "-" {
		return nil, errors.New("--json and --html cannot both write to standard output: give one a file")
	}
	if f.mountPort < 0 || f.mountPort > 65535 {
		return nil, fmt.Errorf("--mount-port %d is not a port number", f.mountPort)
	}
	if len(f.workloads) == 0 {
		return nil, errors.New("--workload names nothing")
	}
	var err error
	if f.version, err = load.ParseVersion(f.nfs); err != nil {
		return nil, fmt.Errorf("--nfs: %w", err)
	}
	switch {
	case f.sessions > 0 && f.version.Major != 4:
		return nil, errors.New("--sessions: NFSv3 has none; say --nfs 4.2 as well, or leave it out")
	case f.sessions > f.conns:
		return nil, fmt.Errorf("--sessions %d: a session needs a connection; say --conns %d or more", f.sessions, f.sessions)
	}
	var jobs []load.Job
	for _, text := range f.workloads {
		w, err := load.ParseWorkload(strings.TrimSpace(text), int(min(f.size, 1<<30)), f.random)
		if err == nil {
			err = f.version.Has(w)
		}
		if err != nil {
			return nil, fmt.Errorf("--workload: %w", err)
		}
		jobs = append(jobs, load.Job{
			Workload: w,
			Conns:    f.conns,
			Sessions: f.sessions,
			Depth:    f.depth,
			Threads:  f.threads,
			Rate:     f.rate,
			Stable:   how,
			Verify:   f.verify,
			Time:     seconds(f.seconds),
			Warmup:   max(seconds(f.warmup), 1),
		})
	}
	return jobs, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func newBench(stdout, stderr io.Writer) *cobra.Command {
	var flags benchFlags
	c := &cobra.Command{
		Use:   "bench [flags] TARGET",
		Short: "Measure an NFS server",
		Long: "bench puts load on an NFS server, by version 3 or another that --nfs names, and tells how many calls the server answers, how fast, and, if " +
			"the server runs on this machine, at which cost. TARGET is an export: HOST:/PATH, HOST:PORT:/PATH or " +
			"nfs://HOST:PORT/PATH. bench works in a directory of its own there, and removes that directory at the end.\n\n" +
			workloadHelp(),
		Example: "  ringnfs bench localhost:2049:/srv/data\n" +
			"  ringnfs bench --nfs 4.2 -w open,lock,tree localhost:2049:/srv/data\n" +
			"  ringnfs bench -w read-64k-rand,mixed --conns 8 --rounds 5 --json a.json nfs://server/export",
		Version: versionText(),
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 && suggested(c, args[0]) != "" {
				return unknownCommand(c, args[0])
			}
			if len(args) != 1 {
				return errors.New("which export shall be measured? ringnfs bench HOST:PORT:/PATH")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			target, err := load.ParseTarget(args[0])
			if err != nil {
				return err
			}
			target.MountPort = flags.mountPort
			jobs, err := flags.jobs()
			if err != nil {
				return err
			}
			if flags.uid != load.Myself().UID || flags.gid != load.Myself().GID {
				flags.as = &load.Identity{UID: flags.uid, GID: flags.gid}
			}
			ctx, stop := untilSignal(stderr)
			defer stop()
			return failed(bench(ctx, target, jobs, &flags, stdout, stderr))
		},
	}
	c.SetVersionTemplate("{{.Version}}\n")
	flags.register(c)
	completeBench(c)
	c.AddCommand(newBenchCompare(stdout))
	return c
}

func workloadHelp() string {
	var b strings.Builder
	b.WriteString(
		"Workloads are named KIND, KIND-SIZE or KIND-SIZE-rand, such as getattr, read-1m or write-4k-rand:\n",
	)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, k := range load.Kinds() {
		fmt.Fprintf(w, "  %s\t%s\n", k[0], k[1])
	}
	_ = w.Flush() // into memory
	return strings.TrimRight(b.String(), "\n")
}

// leftover says why the benchmark's directory could not be removed.
type leftover struct{ error }

func (l leftover) Error() string {
	return "clean up: " + l.error.Error() + ": remove it from the export by hand"
}

func (l leftover) Unwrap() error { return l.error }

// signalled says that a signal has ended a run.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "ended by a signal (" + s.Signal.String() + ")" }

// untilSignal returns a context that a signal ends which would otherwise end the process and leave
// files in the export. The next such signal ends the process.
func untilSignal(stderr io.Writer) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	notifyHangup(signals)
	outliveReaders()
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			fmt.Fprintln(
				stderr,
				"ringnfs: removing what was made in the export; a second signal leaves it there",
			)
			cancel(signalled{s})
		case <-done:
		}
	})
	return ctx, func() {
		close(done)
		wg.Wait()
		signal.Stop(signals)
		cancel(nil)
	}
}

// bench measures and reports. Also if it fails or is interrupted, it removes what it has made in
// the export, and reports what it has measured.
func bench(
	ctx context.Context,
	target load.Target,
	jobs []load.Job,
	f *benchFlags,
	stdout, stderr io.Writer,
) error {
	out, err := openResults(f.json, f.html, stdout, stderr)
	if err != nil {
		return err
	}
	// The client's threads are locked and rarely idle.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	rep, err := measureAll(ctx, target, jobs, f, out.text, stderr)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		var left leftover
		if errors.As(err, &left) {
			cause = fmt.Errorf("%w; %w", cause, left)
		}
		err = cause
	}
	if len(rep.Runs) == 0 {
		return err
	}
	if err != nil {
		all := f.rounds * len(jobs)
		rep.Notes = append(
			rep.Notes,
			fmt.Sprintf("not complete: %d of %d measurements were made", len(rep.Runs), all),
		)
	}
	return errors.Join(err, out.write(rep))
}

// measureAll makes all measurements, or as many as it can before the error that it
// returns.
func measureAll(
	ctx context.Context,
	target load.Target,
	jobs []load.Job,
	f *benchFlags,
	text, stderr io.Writer,
) (rep *report.Report, err error) {
	rep = &report.Report{
		Format: report.Format, Title: "ringnfs bench " + target.String(), Command: strings.Join(os.Args, " "),
		Time: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(),
		Servers: []report.Server{{Name: f.label, Command: target.String()}},
	}
	s, err := load.Open(ctx, target, load.Options{
		As: f.as, FileSize: int64(f.fileSize), Entries: f.entries, Version: f.version,
	})
	if err != nil {
		return rep, fmt.Errorf("bench %s: %w", target, err)
	}
	defer func() {
		if e := s.Close(); e != nil {
			err = errors.Join(err, leftover{e})
		}
	}()
	pids := f.serverPID
	if len(pids) == 0 {
		pids = load.FindServer(s.Addr())
	}
	if len(pids) == 0 {
		rep.Notes = append(
			rep.Notes,
			"the server's CPU time is not known: its process was not found on this machine",
		)
	}
	first := fmt.Sprintf("%s: %d connections x %d deep, %g s each", target, f.conns, f.depth, f.seconds)
	if f.version.Major == 4 {
		first += ", NFSv" + f.version.String()
	}
	if len(pids) > 0 {
		first += fmt.Sprintf(", server process %s", strings.Trim(fmt.Sprint(pids), "[]"))
	}
	fmt.Fprintln(text, columns.Wrap(first, columns.Width(text, os.Getenv)))
	bar := newProgress(stderr)
	defer bar.end()
	for round := range f.rounds {
		for i, job := range jobs {
			job.ServerPIDs = pids
			name := fmt.Sprintf("%s (%d of %d)", job.Workload, round*len(jobs)+i+1, f.rounds*len(jobs))
			job.Progress = bar.job(name)
			res, err := s.Run(ctx, job)
			bar.end()
			if err != nil {
				return rep, fmt.Errorf("%s: %w", job.Workload, err)
			}
			rep.Runs = append(
				rep.Runs,
				report.Run{Server: f.label, Load: report.LoadName(res, ""), Round: round + 1, Result: *res},
			)
		}
	}
	return rep, nil
}
