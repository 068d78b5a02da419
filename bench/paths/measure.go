package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// load is one cell of a table: a server, and what its clients do.
type load struct {
	spec
	wholeReplies bool // whole replies wake the reader, not segments

	server, rate, client []float64 // one value for each round
}

// depth is how many calls each connection has under way.
func (l *load) depth() int {
	if l.Size >= 1<<20 {
		return 8
	}
	return 16
}

// start starts a server process. The process ends with the calling thread, or when its connections
// have been closed. Its complaints go to standard error.
func start(s spec) (server *exec.Cmd, port int, err error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, 0, err
	}
	server = exec.Command("/proc/self/exe", "-serve", string(text))
	server.Stderr = os.Stderr
	server.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := server.Start(); err != nil {
		return nil, 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		port, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("the server has not said where it listens: %w", err), server.Process.Kill(), server.Wait())
	}
	return server, port, nil
}

// measure runs a load once: a fresh server, connections, a warm-up, d of load.
func measure(l *load, source int, warmup, d time.Duration) (err error) {
	server, port, err := start(l.spec)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name(), err)
	}
	var cs []*client
	defer func() {
		for _, c := range cs {
			err = errors.Join(err, unix.Close(c.fd))
		}
		if len(cs) < l.Conns {
			err = errors.Join(err, server.Process.Kill())
		}
		if err = errors.Join(err, server.Wait()); err != nil {
			err = fmt.Errorf("%s: %w", l.name(), err)
		}
	}()
	for range l.Conns {
		c, err := connect(port, l, source)
		if err != nil {
			return err
		}
		cs = append(cs, c)
	}
	if _, _, err := loadFor(cs, warmup); err != nil {
		return err
	}
	pids := [2]int{server.Process.Pid, os.Getpid()}
	before, err := quiet(pids)
	if err != nil {
		return err
	}
	calls, took, err := loadFor(cs, d)
	if err != nil {
		return err
	}
	after, err := quiet(pids)
	if err != nil {
		return err
	}
	gib := float64(calls) * float64(l.Size) / (1 << 30)
	l.server = append(l.server, (after[0]-before[0])/gib)
	l.client = append(l.client, (after[1]-before[1])/gib)
	l.rate = append(l.rate, gib/took.Seconds())
	return nil
}

// quiet reads the processor times while nobody works, because the clock of a process is exact for
// threads that sleep. The pause lets a server return from its last call.
func quiet(pids [2]int) (cpu [2]float64, err error) {
	time.Sleep(2 * time.Millisecond)
	for i, pid := range pids {
		if cpu[i], err = cpuOf(pid); err != nil {
			return cpu, err
		}
	}
	return cpu, nil
}

func (l *load) name() string {
	kind := "READ"
	if l.Write {
		kind = "WRITE"
	}
	return fmt.Sprintf("%s of %s by %s on %s", kind, size(l.Size), l.Way, l.File)
}

func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
