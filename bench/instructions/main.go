package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// recorded is the file with the figures that a check compares with, and reports where reports go.
const (
	recorded = "bench/instructions/recorded.json"
	reports  = "bench/results"
)

// skipped is the exit code that says that this machine has not what is needed.
const skipped = 77

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case missing(err):
		fmt.Fprintln(os.Stderr, "instructions: skipped:", err)
		os.Exit(skipped)
	default:
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

// flags are how the program is used.
type flags struct {
	check, short, record, report, where, profile bool
	program, servers, fs, only                   string
	out, render                                  string
	parallel                                     int
}

func parse(args []string) (*flags, error) {
	f := &flags{}
	fl := flag.NewFlagSet("instructions", flag.ContinueOnError)
	fl.BoolVar(&f.check, "check", false,
		"measure ringnfs on ext4 and compare with "+recorded+"; exit with 1 if a load got worse by "+
			"more than 3 %, with 77 if this machine has not what is needed")
	fl.BoolVar(&f.short, "short", false, "the loads of the short form")
	fl.BoolVar(&f.record, "record", false, "measure as -check does, and write "+recorded)
	fl.BoolVar(&f.report, "report", false,
		"write the report to "+reports+"/DATE-instructions.md, not to standard output")
	fl.BoolVar(&f.where, "where", false,
		"also say where instructions go: by kind of code, by function, and the system calls")
	fl.BoolVar(&f.profile, "pgo", false, "build ringnfs with its profile, as users do")
	fl.StringVar(&f.program, "ringnfs", "",
		"the `program` to measure (built with CGO_ENABLED=0) instead of this tree's")
	fl.StringVar(&f.servers, "servers", strings.Join(servers, ","), "the servers to compare")
	fl.StringVar(&f.fs, "fs", "ext4,ext4-flush,xfs,tmpfs",
		"the file `systems`; ext4-flush is on a disc that takes 100 us a request and "+
			"must be flushed, the others are in memory")
	fl.StringVar(&f.only, "only", "", "the loads to measure: a regular `expression`")
	fl.StringVar(&f.out, "out", "", "write the figures to this `file` (JSON), also before the end")
	fl.StringVar(&f.render, "render", "",
		"write the report of a `file` that -out has written to standard output, and measure nothing")
	fl.IntVar(&f.parallel, "parallel", runtime.NumCPU(),
		"machines that run at once; each takes a processor and up to 1.5 GiB")
	if err := fl.Parse(args); err != nil {
		return nil, err
	}
	if f.check || f.record {
		f.servers, f.fs = job.Ringnfs, "ext4"
	}
	return f, nil
}

func run(ctx context.Context, args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.render != "" {
		r, err := readRecord(f.render)
		if err != nil {
			return err
		}
		return r.markdown(os.Stdout)
	}
	match, err := regexp.Compile(f.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	home, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	l, err := newLab(ctx, ".", filepath.Join(home, "ringnfs", "instructions"))
	if err != nil {
		return err
	}
	r := newRecord(l, f.profile)
	var was *Record
	if f.check {
		was, err = readRecord(recorded)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: figures to compare with: nothing is recorded "+
				"(record them: -record)", errMissing)
		}
		if err != nil {
			return err
		}
		if err := r.comparable(was); err != nil {
			return fmt.Errorf("%w: figures to compare with: those in %s are of another %w "+
				"(record them anew: -record)", errMissing, recorded, err)
		}
	}
	if f.program == "" {
		f.program = filepath.Join(l.programs, "ringnfs")
		pgo := "-pgo=off"
		if f.profile {
			pgo = "-pgo=auto"
		}
		if err := l.build("ringnfs", "./cmd/ringnfs", pgo); err != nil {
			return err
		}
	}
	tasks := plan(strings.Split(f.servers, ","), strings.Split(f.fs, ","), f.short,
		f.check || f.record, match)
	if err := l.all(ctx, f, r, tasks); err != nil {
		return err
	}
	switch {
	case f.record:
		return r.write(recorded)
	case f.check:
		return check(was, r)
	case f.report:
		return r.report(reports)
	default:
		return r.markdown(os.Stdout)
	}
}

// check compares a record with the one that is kept.
func check(was, r *Record) error {
	list, unknown := compare(was, r)
	if worse := showVerdicts(os.Stdout, list, unknown); worse > 0 {
		return fmt.Errorf("%d loads cost more than 3 %% more than recorded (%s, %s); if that is meant: "+
			"make instructions INSTRUCTIONS=-record",
			worse, was.Source, was.Time.Format(time.DateOnly))
	}
	return nil
}

// all runs the tasks, some machines at once, and adds the figures to r in the order of the tasks.
func (l *lab) all(ctx context.Context, f *flags, r *Record, tasks []task) error {
	programs := make(map[string]*image)
	for _, t := range tasks {
		if programs[t.server] != nil {
			continue
		}
		m, err := l.programsOf(t.server, f.program)
		switch {
		case err == nil:
			programs[t.server] = m
		case t.server != job.Ringnfs && missing(err):
			fmt.Fprintln(os.Stderr, err)
			r.Missing = append(r.Missing, fmt.Sprintf("%s: %v", t.server, err))
			programs[t.server] = &image{}
		default:
			return err
		}
	}
	var c *counter
	if !f.check && !f.record {
		var err error
		if c, err = l.newCounter(ctx, f.where); err != nil {
			return err
		}
	}
	type result struct {
		task     int
		machines []*measured // by phase
		err      error
	}
	var (
		next     = make(chan int)
		done     = make(chan result)
		finished = make([][]*measured, len(tasks))
		group    sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range max(1, f.parallel) {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread() // machines end with the thread that started them
			for i := range next {
				x := result{task: i}
				for _, phase := range tasks[i].phases {
					m, err := l.measure(ctx, tasks[i].job(phase),
						programs[tasks[i].server], c)
					if x.err = err; err != nil {
						break
					}
					x.machines = append(x.machines, m)
				}
				done <- x
			}
		}()
	}
	go func() { // hands out the tasks
		defer close(next)
		for i := range tasks {
			if len(programs[tasks[i].server].entries) == 0 {
				continue
			}
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { group.Wait(); close(done) }()
	var err error
	for x := range done {
		t := &tasks[x.task]
		if x.err != nil {
			e := fmt.Errorf("%s on %s, %s: %w", t.server, t.fs, t.chain.name(&t.chain.loads[0]),
				x.err)
			if t.server == job.Ringnfs || ctx.Err() != nil {
				err = errors.Join(err, e)
				cancel()
			} else {
				r.Missing = append(r.Missing, e.Error())
				fmt.Fprintln(os.Stderr, e)
			}
			continue
		}
		finished[x.task] = x.machines
		r.Figures = nil // anew, in the order of the tasks
		for i, machines := range finished {
			for _, m := range machines {
				r.add(&tasks[i], m, c)
			}
		}
		show(os.Stderr, t, x.machines[0].windows)
		if f.where {
			err = errors.Join(err, l.where(c, t, x.machines[0], f.program))
		}
		if f.out != "" {
			err = errors.Join(err, r.write(f.out))
		}
	}
	return err
}

// where writes the profile of each load of a task to standard output.
func (l *lab) where(c *counter, t *task, m *measured, program string) error {
	var own symbols
	var err error
	switch t.server {
	case job.Ringnfs:
		own, err = programSymbols(program, t.server)
	case job.Floor, job.GoNFS:
		own, err = programSymbols(filepath.Join(l.programs, strings.ReplaceAll(t.server, "-", "")),
			t.server)
	}
	for i := range m.windows {
		fmt.Printf("\n%s, %s, %s: ", t.server, t.fs, t.chain.name(&m.windows[i].Load))
		c.profile(os.Stdout, m.blocks[i], own, m.windows[i].Calls)
	}
	return err
}

// job is what the machine of a phase does.
func (t *task) job(phase int64) *job.Job {
	return &job.Job{Server: t.server, FS: t.fs, Version: t.chain.version, Loads: t.chain.loads,
		Unknown: t.chain.unknown, Phase: phase}
}

// show tells how far the run is.
func show(w io.Writer, t *task, windows []job.Window) {
	for i := range windows {
		x := newRun(&windows[i])
		fmt.Fprintf(w, "%-10s %-8s %-30s %10.0f of %10.0f instructions\n", t.fs, t.server,
			t.chain.name(&windows[i].Load), x.Server, x.Total)
	}
}

// commit names the tree that is measured.
func (l *lab) commit() string {
	cmd := exec.Command("git", "rev-parse", "--short=12", "HEAD")
	cmd.Dir = l.root
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return "commit " + strings.TrimSpace(string(out))
}
