package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
	"github.com/ringnfs/ringnfs/bench/load"
)

// measure is the work of the client: it runs the loads of a job in turn.
func measure(j *job.Job) error {
	if len(os.Args) != 4 {
		return errors.New("usage: guest load MOUNTPORT PATH")
	}
	mountPort, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	version, err := load.ParseVersion(j.Version)
	if err != nil {
		return err
	}
	ctx := context.Background()
	target := load.Target{Host: "127.0.0.1", Port: port, MountPort: mountPort, Path: os.Args[3]}
	options := load.Options{
		Version: version, FileSize: 32 << 20, Entries: job.ListedEntries, As: &load.Identity{},
	}
	if j.Unknown {
		options.List = job.Listed
	}
	s, err := load.Open(ctx, target, options)
	if err != nil {
		return err
	}
	for i := range j.Loads {
		if err := one(ctx, s, &j.Loads[i], j.Phase); err != nil {
			return fmt.Errorf("%s %dx%d: %w", j.Loads[i].Workload, j.Loads[i].Conns,
				j.Loads[i].Depth, err)
		}
	}
	return nil // the machine ends with what the session has made
}

// one measures one load and says what it was.
func one(ctx context.Context, s *load.Session, l *job.Load, phase int64) error {
	w, err := load.ParseCounted(l.Workload)
	if err != nil {
		return err
	}
	if err := s.Prepare(ctx, load.Job{Workload: w, Conns: l.Conns, Depth: l.Depth}); err != nil {
		return err
	}
	// What was just made differs from what has been there for a while: file systems have it to
	// write, and servers to distrust.
	align(phase)
	var (
		a, b state
		x    = job.Window{Load: *l}
	)
	err = s.Count(ctx, load.Count{
		Workload: w, Conns: l.Conns, Depth: l.Depth, Warm: l.Warm, Calls: l.Calls,
		Begin: func() error {
			if err := a.look(); err != nil {
				return err
			}
			windowBegins()
			a.clocks()
			return nil
		},
		End: func() error {
			b.clocks()
			windowEnds()
			return b.look()
		},
	})
	if err != nil {
		return err
	}
	x.Elapsed, x.Client, x.Switches = b.now-a.now, b.client-a.client, b.switches-a.switches
	x.Others = make(map[string]int64)
	for name, ns := range b.others {
		if d := ns - a.others[name]; d != 0 {
			x.Others[name] = d
		}
	}
	return job.Say(job.Line{Window: &x})
}

// windowBegins and windowEnds are known by name to the machine's plugin, which counts between them.
//
//go:noinline
//go:nosplit
func windowBegins() {}

//go:noinline
//go:nosplit
func windowEnds() {}

// state is what the guest has done so far.
type state struct {
	now, client int64            // the clock, and this process's run time
	others      map[string]int64 // run time of the other processes by name
	switches    int64
}

func (s *state) clocks() {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail
	s.now = t.Nano()
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	s.client = t.Nano()
}

// look reads what all tasks but those of this process have run. They sleep meanwhile.
func (s *state) look() error {
	s.others = make(map[string]int64)
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/schedstat")
	if err != nil {
		return err
	}
	self := strconv.Itoa(os.Getpid())
	for _, path := range tasks {
		parts := strings.Split(path, "/")
		if parts[2] == self {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := os.ReadFile("/proc/" + parts[2] + "/comm")
		if err != nil {
			continue
		}
		s.others[kind(strings.TrimSpace(string(name)))] += ns
	}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "ctxt "); ok {
			s.switches, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return err
}

// kind is the name of a process without the numbers that tell it from its like.
func kind(name string) string {
	if strings.HasPrefix(name, "kworker") {
		return "kworker"
	}
	return name
}
