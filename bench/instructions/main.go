package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

func main() {
	runtime.LockOSThread() // machines end with the thread that started them
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fl := flag.NewFlagSet("instructions", flag.ContinueOnError)
	program := fl.String("ringnfs", "", "the `program` to measure (CGO_ENABLED=0); by default it is built from this tree")
	fs := fl.String("fs", "ext4", "the file `system`")
	server := fl.String("server", job.Ringnfs, "the server")
	version := fl.String("nfs", "3", "the version of NFS")
	only := fl.String("only", "", "the loads to measure: a regular `expression`")
	if err := fl.Parse(args); err != nil {
		return err
	}
	home, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	start := time.Now()
	l, err := newLab(ctx, ".", filepath.Join(home, "ringnfs", "instructions"))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "ready after %.1f s\n", time.Since(start).Seconds())
	if *program == "" {
		*program = filepath.Join(l.programs, "ringnfs")
		if err := l.build("ringnfs", "./cmd/ringnfs"); err != nil {
			return err
		}
	}
	jobs, err := plan(*only)
	if err != nil {
		return err
	}
	programs, err := l.programsOf(*server, *program)
	if err != nil {
		return err
	}
	for i := range jobs {
		j := &jobs[i]
		j.Server, j.FS, j.Version = *server, *fs, *version
		start := time.Now()
		windows, err := l.measure(ctx, j, programs)
		if err != nil {
			return err
		}
		show(windows)
		fmt.Fprintf(os.Stderr, "%.1f s\n", time.Since(start).Seconds())
	}
	return nil
}

func show(windows []job.Window) {
	for i := range windows {
		w := &windows[i]
		n := float64(w.Calls)
		fmt.Printf("%-18s server %9.0f total %9.0f elapsed %9.0f switches %5.2f  %v\n", fmt.Sprintf("%s %dx%d", w.Workload, w.Conns, w.Depth),
			float64(w.Server())/n, float64(w.Server()+w.Client)/n, float64(w.Elapsed)/n, float64(w.Switches)/n, w.Others)
	}
}
