package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What each measurement needs beside the load itself: processes, connections.
const (
	warmup   = 40 * time.Millisecond
	overhead = 25 * time.Millisecond
	leastFor = 20 * time.Millisecond
)

type flags struct {
	rounds   int
	budget   time.Duration
	dir      string
	memory   string
	fileSize int64
	only     string
	serve    string
}

func main() {
	var f flags
	flag.IntVar(&f.rounds, "rounds", 5, "how often everything is measured")
	flag.DurationVar(&f.budget, "budget", 165*time.Second, "how long all of it may take; measurements are as long as that allows")
	flag.StringVar(&f.dir, "dir", os.TempDir(), "directory for a file on a disc's file system")
	flag.StringVar(&f.memory, "memory", "/dev/shm", "directory for a file on a tmpfs; empty: none")
	flag.Int64Var(&f.fileSize, "file", 128<<20, "size of the files in bytes, a multiple of 4 MiB")
	flag.StringVar(&f.only, "only", "", "measure the tables whose titles match this regular expression")
	flag.StringVar(&f.serve, "serve", "", "for its own use")
	flag.Parse()
	var err error
	if f.serve != "" {
		err = serve(f.serve)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
		err = run(ctx, os.Stdout, os.Stderr, f)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "paths:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, progress io.Writer, f flags) (err error) {
	// A server ends with the thread that has started it.
	runtime.LockOSThread()
	// Clients block in raw calls and keep their processors, so the collector would wait for
	// them. There is little to collect.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 8))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if f.rounds < 1 || f.fileSize < 4<<20 || f.fileSize%(4<<20) != 0 {
		return errors.New("there must be a round at least, and the file must be a multiple of 4 MiB")
	}
	only, err := regexp.Compile(f.only)
	if err != nil {
		return err
	}
	places, clean, err := prepare(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clean()) }()
	source, err := memoryFile(blocks << 20)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(source)) }()
	var wanted []*table
	var loads []*load
	for _, t := range tables(places, f.fileSize) {
		if !only.MatchString(t.title) {
			continue
		}
		wanted = append(wanted, t)
		for _, r := range t.rows {
			loads = append(loads, r.loads...)
		}
	}
	if len(loads) == 0 {
		return errors.New("no table has such a title")
	}
	each := max(f.budget/time.Duration(len(loads)*f.rounds)-warmup-overhead, leastFor)
	start := time.Now()
	order := make([]*load, len(loads))
	copy(order, loads)
	for round := range f.rounds {
		// Use a new order each time, so that no load always follows the same other one.
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, l := range order {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := measure(l, source, warmup, each); err != nil {
				return err
			}
		}
		fmt.Fprintf(progress, "round %d of %d, %.0f s\n", round+1, f.rounds, time.Since(start).Seconds())
	}
	return write(out, f, places, wanted, each)
}

// prepare makes the files. clean removes them.
func prepare(f flags) (places []place, clean func() error, err error) {
	var made []string
	clean = func() (err error) {
		for _, dir := range made {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return err
	}
	for _, parent := range []string{f.dir, f.memory} {
		if parent == "" {
			continue
		}
		dir, err := os.MkdirTemp(parent, ".paths-*")
		if err != nil {
			return nil, nil, errors.Join(err, clean())
		}
		made = append(made, dir)
		p := place{dir: dir, file: filepath.Join(dir, "file")}
		if p.kind, err = kindOf(dir); err == nil {
			err = errors.Join(makeFile(p.file, f.fileSize), makeFile(p.file+"-grown", 0))
		}
		if err != nil {
			return nil, nil, errors.Join(err, clean())
		}
		places = append(places, p)
	}
	if len(places) == 2 && places[0].kind == places[1].kind {
		places = places[:1]
	}
	return places, clean, nil
}

func makeFile(name string, size int64) (err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := fill(int(file.Fd()), size); err != nil {
		return err
	}
	return file.Sync()
}

func kindOf(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4", nil
	case unix.XFS_SUPER_MAGIC:
		return "xfs", nil
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs", nil
	case unix.TMPFS_MAGIC:
		return "tmpfs", nil
	}
	return strings.ToLower(fmt.Sprintf("file system %#x", uint32(st.Type))), nil
}
