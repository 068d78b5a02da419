// Command bench compares NFS servers: ringnfs, nfs-ganesha, go-nfs and the floor (the least that
// system calls allow). It runs them under the same loads and writes a dated result as JSON,
// Markdown and HTML. `make bench` runs it; docs/benchmarks.md explains it.
//
// As root it runs in a network and mount namespace of its own, with a loopback that nobody else
// uses, a port mapper for servers that need one, and a tmpfs. Otherwise it uses the machine's
// loopback and leaves out what needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ringnfs/ringnfs/bench/peers"
	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/bench/suite"
)

type flags struct {
	rounds  int
	seconds float64
	warmup  float64
	only    string
	servers string
	out     string
	dir     string
	here    bool
	inside  string // directory of a run: this process is in the namespaces
	missing string
	asTyped string
	source  string
	render  bool
}

func main() {
	// A server dies with the thread that has started it.
	runtime.LockOSThread()
	var f flags
	flag.IntVar(&f.rounds, "rounds", 5, "how often everything is measured")
	flag.Float64Var(&f.seconds, "seconds", 3, "how long each measurement takes")
	flag.Float64Var(&f.warmup, "warmup", 0.5, "how long each load runs before")
	flag.StringVar(
		&f.only,
		"only",
		"",
		"run the loads that match this regular expression, such as '^read-4k'; \"memory\" is one too",
	)
	flag.StringVar(&f.servers, "servers", "", "measure these servers only, separated by commas")
	flag.StringVar(&f.out, "out", "bench/results", "directory for the results")
	flag.StringVar(&f.dir, "dir", "", "directory to serve files from (default: a temporary one)")
	flag.BoolVar(&f.here, "here", false, "make no namespaces, also as root")
	flag.BoolVar(
		&f.render,
		"render",
		false,
		"measure nothing: write .md and .html of the results FILE.json.gz... anew",
	)
	flag.StringVar(&f.inside, "inside", "", "for its own use")
	flag.StringVar(&f.missing, "missing", "", "for its own use")
	flag.StringVar(&f.asTyped, "as-typed", "", "for its own use")
	flag.StringVar(&f.source, "source", "", "for its own use")
	flag.Parse()
	ending := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) { // ignored under nohup
		ending = append(ending, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	// If nobody reads the output any more (tee has ended), servers and files must not be left
	// behind.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := errors.New("it takes flags only")
	switch {
	case f.render:
		err = render(flag.Args())
	case flag.NArg() > 0:
	case f.inside != "":
		err = measure(ctx, &f)
	default:
		err = outside(ctx, &f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// render writes the pages of existing results.
func render(names []string) error {
	for _, name := range names {
		base, ok := strings.CutSuffix(strings.TrimSuffix(name, ".gz"), ".json")
		if !ok {
			return fmt.Errorf("%s: give the .json or .json.gz file of a result", name)
		}
		rep, err := report.ReadFile(name)
		if err != nil {
			return err
		}
		if err := errors.Join(rep.WriteMarkdownFile(base+".md"), rep.WriteHTMLFile(base+".html")); err != nil {
			return err
		}
	}
	return nil
}

// outside builds the programs, makes the directory of the run, and measures, in namespaces if that
// is possible. At the end it removes the directory.
func outside(ctx context.Context, f *flags) (err error) {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "bench", "floor", "floor.c")); err != nil {
		return fmt.Errorf("run it in the root of the repository: %w", err)
	}
	run, err := os.MkdirTemp(f.dir, "ringnfs-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(run)) }()
	// Servers may run as other users.
	if err := os.Chmod(run, 0o755); err != nil {
		return err
	}
	fmt.Println("building ringnfs, the floor and go-nfs")
	programs := filepath.Join(run, "programs")
	if err := os.Mkdir(programs, 0o755); err != nil {
		return err
	}
	missing, err := peers.Build(root, programs)
	if err != nil {
		return err
	}
	f.source = commit()
	f.asTyped = "go run ./bench"
	for _, a := range os.Args[1:] {
		f.asTyped += " " + quoted(a)
	}
	if os.Geteuid() != 0 || f.here {
		f.inside = run
		return measureWith(ctx, f, missing, false)
	}
	var lost []string
	for name, why := range missing {
		lost = append(lost, name+"="+why)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, append(os.Args[1:len(os.Args):len(os.Args)],
		"-inside", run, "-missing", strings.Join(lost, "\n"), "-as-typed", f.asTyped, "-source", f.source)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM,
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the run failed: %w", err)
	}
	return nil
}

// commit names the commit of the tree, as far as git can tell, and says whether files have changed
// since. Changed results and documents do not count.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	name := "commit " + strings.TrimSpace(string(head))
	changed, err := exec.Command(
		"git",
		"status",
		"--porcelain",
		"--",
		".",
		":!docs",
		":!bench/results",
	).Output()
	if err != nil || len(changed) > 0 {
		name += " and changes"
	}
	return name
}

// quoted returns a word in a shell's quotes.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=,-]+$`)

// measure is the work of the process in the namespaces.
func measure(ctx context.Context, f *flags) error {
	missing := make(map[string]string)
	for _, x := range strings.Split(f.missing, "\n") {
		if name, why, ok := strings.Cut(x, "="); ok {
			missing[name] = why
		}
	}
	end, err := furnish(f.inside)
	if err != nil {
		return err
	}
	return errors.Join(measureWith(ctx, f, missing, true), end())
}

func measureWith(ctx context.Context, f *flags, missing map[string]string, private bool) error {
	cfg := suite.Config{
		Programs: filepath.Join(
			f.inside,
			"programs",
		), Missing: missing, Disk: filepath.Join(f.inside, "disk"),
		Rounds: f.rounds, Time: seconds(f.seconds), Warmup: seconds(f.warmup), Command: f.asTyped, Source: f.source, Log: os.Stdout,
	}
	if err := os.MkdirAll(cfg.Disk, 0o755); err != nil {
		return err
	}
	if private {
		cfg.Memory = filepath.Join(f.inside, "memory")
	}
	if f.only != "" {
		var err error
		if cfg.Only, err = regexp.Compile(f.only); err != nil {
			return fmt.Errorf("-only: %w", err)
		}
	}
	if f.servers != "" {
		cfg.Servers = strings.Split(f.servers, ",")
	}
	rep, err := suite.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	base := filepath.Join(f.out, rep.Time.Format("2006-01-02")+"-")
	for n := 1; ; n++ {
		if _, err := os.Stat(base + strconv.Itoa(n) + ".md"); errors.Is(err, os.ErrNotExist) {
			base += strconv.Itoa(n)
			break
		}
	}
	err = errors.Join(
		rep.WriteFile(base+".json.gz"),
		rep.WriteMarkdownFile(base+".md"),
		rep.WriteHTMLFile(base+".html"),
	)
	if err != nil {
		return err
	}
	met := 0
	for _, t := range rep.Targets {
		if t.Met {
			met++
		}
	}
	fmt.Printf("%d of %d targets met: %s.md, .html, .json.gz\n", met, len(rep.Targets), base)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
