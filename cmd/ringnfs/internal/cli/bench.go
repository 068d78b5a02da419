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
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
)

// benchDefaults are the workloads of `ringnfs bench` when none is named.
const benchDefaults = "null,getattr,lookup,access,read-4k-rand,read-1m-seq,write-4k-rand,write-1m-seq"

// benchFlags are the flags of `ringnfs bench` as given.
type benchFlags struct {
	workloads []string
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
	json      string
	html      string
	label     string
}

func (f *benchFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringSliceVarP(&f.workloads, "workload", "w", strings.Split(benchDefaults, ","), "`WORKLOADS` to run, one after the other")
	fs.IntVar(&f.conns, "conns", 4, "`N` connections")
	fs.IntVar(&f.depth, "depth", 16, "`N` calls under way on each connection")
	fs.Float64Var(&f.seconds, "seconds", 5, "measure each workload for `N` seconds")
	fs.Float64Var(&f.warmup, "warmup", 1, "run it for `N` seconds before")
	fs.IntVar(&f.rounds, "rounds", 1, "go through all workloads `N` times; comparing needs 4 or more")
	fs.Float64Var(&f.rate, "rate", 0, "make `N` calls a second in all, and count latency from when a call was due (default: as fast as answers come)")
	fs.Var(&f.size, "size", "bytes of a READ or WRITE where the workload does not say (default 4K)")
	fs.Var(&f.fileSize, "file-size", "data to read and write, all files together (default 256M)")
	fs.BoolVar(&f.random, "random", false, "read and write at random places where the workload does not say")
	fs.IntVar(&f.entries, "entries", load.EntriesDefault, "`N` entries in the directory that is listed")
	fs.StringVar(&f.stable, "stable", "unstable", "`HOW` stable writes are: unstable, data-sync or file-sync")
	fs.BoolVar(&f.verify, "verify", false, "compare all data that is read, and read back what was written")
	fs.IntVar(&f.threads, "threads", 0, "`N` threads of the client (default: half of the processors)")
	fs.IntVar(&f.mountPort, "mount-port", 0, "`PORT` of MOUNT (default: that of NFS where it is given, otherwise asked from the port mapper)")
	fs.IntSliceVar(&f.serverPID, "server-pid", nil, "process `ID` of the server, to measure its CPU time (default: found when it is on this machine)")
	fs.Uint32Var(&f.uid, "uid", uint32(os.Getuid()), "make calls as user `ID`")
	fs.Uint32Var(&f.gid, "gid", uint32(os.Getgid()), "make calls as group `ID`")
	fs.StringVar(&f.json, "json", "", "write the results to `FILE`, for bench compare")
	fs.StringVar(&f.html, "html", "", "write a page with charts to `FILE`")
	fs.StringVar(&f.label, "label", "server", "`NAME` of the server in the results")
	fs.Lookup("size").DefValue, fs.Lookup("file-size").DefValue = "", ""
	fs.Lookup("workload").DefValue = benchDefaults
}

// jobs are what the flags ask for.
func (f *benchFlags) jobs() ([]load.Job, error) {
	stable := map[string]uint32{"unstable": 0, "data-sync": 1, "file-sync": 2}
	how, ok := stable[f.stable]
	if !ok {
		return nil, fmt.Errorf("--stable %q: say unstable, data-sync or file-sync", f.stable)
	}
	if f.rounds < 1 || f.conns < 1 || f.depth < 1 || f.threads < 0 || f.seconds <= 0 || f.warmup < 0 || f.rate < 0 || f.entries < 1 {
		return nil, errors.New("--rounds, --conns, --depth, --seconds and --entries are at least 1, --rate and --warmup not negative")
	}
	if len(f.workloads) == 0 {
		return nil, errors.New("--workload names nothing")
	}
	var jobs []load.Job
	for _, text := range f.workloads {
		w, err := load.ParseWorkload(text, int(min(f.size, 1<<30)), f.random)
		if err != nil {
			return nil, fmt.Errorf("--workload: %w", err)
		}
		jobs = append(jobs, load.Job{
			Workload: w, Conns: f.conns, Depth: f.depth, Threads: f.threads, Rate: f.rate, Stable: how, Verify: f.verify,
			Time: seconds(f.seconds), Warmup: max(seconds(f.warmup), 1),
		})
	}
	return jobs, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func newBench(stdout, stderr io.Writer) *cobra.Command {
	var flags benchFlags
	c := &cobra.Command{
		Use:   "bench [flags] TARGET",
		Short: "Measure an NFS version 3 server",
		Long: "bench makes load on an NFSv3 server and tells how many calls it answers, how fast, and, when\n" +
			"it runs on this machine, at which cost. TARGET is an export: HOST:/PATH, HOST:PORT:/PATH or\n" +
			"nfs://HOST:PORT/PATH. It works in a directory of its own there, and removes it at the end.\n\n" +
			workloadHelp(),
		Example: "  ringnfs bench localhost:2049:/srv/data\n" +
			"  ringnfs bench -w read-64k-rand,mixed --conns 8 --rounds 5 --json a.json nfs://server/export",
		Version: versionText(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("which export shall be measured? ringnfs bench HOST:PORT:/PATH")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			target, err := load.ParseTarget(args[0])
			if err != nil {
				return err
			}
			target.MountPort = flags.mountPort
			jobs, err := flags.jobs()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return failed(bench(ctx, target, jobs, &flags, stdout, stderr))
		},
	}
	c.SetVersionTemplate("{{.Version}}\n")
	flags.register(c)
	c.AddCommand(newBenchCompare(stdout))
	return c
}

func workloadHelp() string {
	var b strings.Builder
	b.WriteString("Workloads are named KIND, KIND-SIZE or KIND-SIZE-rand, such as getattr, read-1m or write-4k-rand:\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, k := range load.Kinds() {
		fmt.Fprintf(w, "  %s\t%s\n", k[0], k[1])
	}
	_ = w.Flush() // into memory
	return strings.TrimRight(b.String(), "\n")
}

// bench measures and reports. What it made in the export is removed also when it
// fails or is interrupted.
func bench(ctx context.Context, target load.Target, jobs []load.Job, f *benchFlags, stdout, stderr io.Writer) (err error) {
	// The client's threads are locked and rarely idle.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	s, err := load.Open(target, load.Options{UID: f.uid, GID: f.gid, FileSize: int64(f.fileSize), Entries: f.entries})
	if err != nil {
		return fmt.Errorf("bench %s: %w", target, err)
	}
	defer func() {
		if e := s.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", e))
		}
	}()
	pids := f.serverPID
	if len(pids) == 0 {
		pids = load.FindServer(s.Addr())
	}
	rep := &report.Report{
		Format: report.Format, Title: "ringnfs bench " + target.String(), Command: strings.Join(os.Args, " "),
		Time: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(),
		Servers: []report.Server{{Name: f.label, Command: target.String()}},
	}
	if len(pids) == 0 {
		rep.Notes = append(rep.Notes, "the server's CPU time is not known: its process was not found on this machine")
	}
	fmt.Fprintf(stdout, "%s: %d connections x %d deep, %g s each", target, f.conns, f.depth, f.seconds)
	if len(pids) > 0 {
		fmt.Fprintf(stdout, ", server process %s", strings.Trim(fmt.Sprint(pids), "[]"))
	}
	fmt.Fprintln(stdout)
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
				return fmt.Errorf("%s: %w", job.Workload, err)
			}
			rep.Runs = append(rep.Runs, report.Run{Server: f.label, Load: report.LoadName(res, ""), Round: round + 1, Result: *res})
		}
	}
	if err := rep.WriteText(stdout); err != nil {
		return err
	}
	if f.json != "" {
		if err := rep.WriteFile(f.json); err != nil {
			return err
		}
	}
	if f.html != "" {
		return rep.WriteHTMLFile(f.html)
	}
	return nil
}
