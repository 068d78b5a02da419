package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
)

// Count is a number of calls to be made, for measurements of what so many calls cost rather than of
// how many a server answers in a time.
type Count struct {
	Workload Workload
	Conns    int // connections
	Depth    int // calls under way on each of them, as long as there are calls left to make
	Sessions int // as in Job
	// Warm is the number of calls before those that count, and Calls of those that do. By
	// version 4 a file is made by two calls, OPEN and CLOSE.
	Warm, Calls int
	// Begin is called before the first call that counts and End after the last reply, both on
	// the only thread of the load, while no call is under way. Their errors end the run.
	Begin, End func() error
}

// Count makes a number of calls. Like Run, it makes the files it needs first. All calls are made by
// the calling goroutine, which blocks in the kernel without telling Go's scheduler and makes no
// garbage, so with GOMAXPROCS=1 nothing else of this process runs between Begin and End but the
// runtime's watch, some 100 times a second. ctx can end it before the first call only.
func (s *Session) Count(ctx context.Context, n Count) error {
	if n.Warm < 0 || n.Calls < 1 {
		return errors.New("at least one call is to be counted")
	}
	j := Job{Workload: n.Workload, Conns: n.Conns, Depth: n.Depth, Sessions: n.Sessions, Threads: 1}
	if err := s.Prepare(ctx, j); err != nil {
		return err
	}
	if err := j.settle(s); err != nil {
		return err
	}
	if err := s.series.ready(n.Workload.Kind, n.Warm+n.Calls); err != nil {
		return err
	}
	g := s.stage(j)
	defer s.part(ctx)
	r, err := s.newRun(ctx, j, g)
	if err != nil {
		return err
	}
	defer r.close()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := r.threads[0]
	if err := t.round(n.Warm); err != nil {
		return err
	}
	if err := n.Begin(); err != nil {
		return err
	}
	if err := t.round(n.Calls); err != nil {
		return err
	}
	return n.End()
}

// round makes n calls and waits for their replies.
func (t *thread) round(n int) error {
	t.left = n
	for _, c := range t.conns {
		if err := t.refill(c); err != nil {
			return err
		}
	}
	for t.under > 0 {
		sleep := patience
		if t.resting > 0 {
			if err := t.rest(); err != nil {
				return err
			}
			sleep = restTime
		}
		k, err := epollWait(t.epfd, t.events, sleep, false)
		if err != nil {
			return err
		}
		for _, ev := range t.events[:k] {
			if err := t.serve(t.conns[ev.Fd], ev.Events); err != nil {
				return err
			}
		}
		if k == 0 && sleep == patience {
			return fmt.Errorf("no reply within %v, with %d calls under way", patience, t.under)
		}
	}
	if t.left > 0 {
		return errors.New("calls are left, and none is under way")
	}
	return nil
}

// unlimited is how many calls a thread may make that a time ends.
const unlimited = math.MaxInt

// counted are the kinds of workloads that Count alone makes, because each of their calls does
// something that cannot be done twice: the names that there are end with the calls.
var counted = []string{"make", "rename", "remove", "mkdir", "rmdir", "setattr"}

// ParseCounted is ParseWorkload for Count: it also knows make (CREATE of a new name each time),
// rename and remove of the names that make has made in the same session, mkdir, rmdir of what mkdir
// has made, and setattr (of the mode of one file).
func ParseCounted(text string) (Workload, error) {
	if slices.Contains(counted, text) {
		return Workload{Kind: text}, nil
	}
	return ParseWorkload(text, 0, false)
}
