// Package privileges gives up what a server that has started does not need: the right to gain
// privileges by running programs, and the capabilities that no call of a client uses.
//
// Capabilities belong to threads, and a thread can only give up its own. Each thread keeps out of
// its effective set what it has removed itself: a worker that just acts for a user must not get
// root's rights back.
package privileges

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kept are the capabilities that stay. A thread needs them to act for root and for every user.
const Kept uint64 = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_MKNOD | 1<<unix.CAP_LEASE

const (
	// patience is how long threads may take. A thread that sleeps in the kernel and hears no
	// signals, because a disc is stuck for example, makes Drop wait that long.
	patience = 5 * time.Second
	pause    = 2 * time.Millisecond
)

// ErrThreads says that some threads have not given up everything.
var ErrThreads = errors.New("not all threads have given up what they do not need")

// Drop sets no_new_privs and gives up all capabilities but Kept, on all threads, also on those that
// begin later. It blocks until that is done, for some milliseconds. It may be called once.
func Drop() error {
	begun := time.Now()
	for {
		left, err := pending()
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Since(begun) > patience {
			return fmt.Errorf("%w: %d of them", ErrThreads, len(left))
		}
		if err := drop(left, Kept); err != nil {
			return err
		}
		time.Sleep(pause)
	}
}

// pending returns the threads that have more than Kept.
func pending() (tids []int, err error) {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/self/task/" + e.Name() + "/status")
		if err != nil {
			continue // the thread has ended
		}
		if !kernels(string(b)) && !bare(string(b)) {
			tids = append(tids, tid)
		}
	}
	return tids, nil
}

// kernels reports whether a thread with this status is one of io_uring's. Such a thread runs no
// code of the process and hears no signals.
func kernels(status string) bool { return strings.HasPrefix(status, "Name:\tiou-") }

// bare reports whether a thread with this status has nothing to give up.
func bare(status string) bool {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "NoNewPrivs":
			if value != "1" {
				return false
			}
		case "CapPrm", "CapEff", "CapInh", "CapAmb":
			if caps, err := strconv.ParseUint(value, 16, 64); err != nil || caps&^Kept != 0 {
				return false
			}
		}
	}
	return true
}
