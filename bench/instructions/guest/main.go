// Command guest is the program that measures inside the machine of bench/instructions. As the
// machine's first process it makes a file system, starts a server and then itself again, as the
// client that makes the load; the client's process is told from all others by its run time. See
// bench/instructions for what is measured.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

func main() {
	err := run()
	if err == nil {
		err = job.Say(job.Line{Done: true})
	} else {
		err = job.Say(job.Line{Failed: err.Error()})
	}
	if err != nil {
		fmt.Println(err) // to the console
	}
	if os.Getpid() == 1 {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) // nothing could be done about it
	}
}

func run() error {
	b, err := os.ReadFile(job.Input)
	if err != nil {
		return err
	}
	var j job.Job
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if len(os.Args) > 1 {
		return measure(&j)
	}
	if j.Symbols {
		return symbols()
	}
	if err := makeFS(j.FS); err != nil {
		return err
	}
	if err := fill(); err != nil {
		return err
	}
	s, err := start(&j)
	if err != nil {
		return err
	}
	align(0)
	cmd := exec.Command("/proc/self/exe", "load", strconv.Itoa(s.mountPort), s.path)
	// One processor, and nothing of the runtime's in between: see load.Session.Count.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("client: %w: %s", err, out)
	}
	return nil
}

// align sleeps until the guest's clock is at a multiple of ten seconds and phase nanoseconds more, so
// that timers fall into the same places of what follows, whatever came before. Sleeping costs
// nothing: the machine's clock jumps.
func align(phase int64) {
	const step = int64(10 * time.Second)
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail
	next := unix.NsecToTimespec((now.Nano()/step+1)*step + phase)
	for errors.Is(unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &next, nil), unix.EINTR) {
	}
}

// fill makes what is there before the server is.
func fill() error {
	dir := job.Export + "/" + job.Listed
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i := range job.ListedEntries {
		if err := os.WriteFile(fmt.Sprintf("%s/some-file-%d", dir, 100+i), nil, 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(job.Export, 0o777); err != nil {
		return err
	}
	unix.Sync()
	return nil
}

// await waits until a server takes connections.
func await(port int) error {
	for range 600 {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("nobody listens on port %d", port)
}

// symbols says where the kernel has its functions.
func symbols() error {
	list, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(list); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return job.Say(job.Line{Symbols: b.Bytes()})
}
