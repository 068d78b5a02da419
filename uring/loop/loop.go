package loop

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Ring is what a Loop needs of a ring. *uring.Ring and the scripted ring of package uringtest
// implement it.
type Ring interface {
	// SQE returns a zeroed entry, or nil when the submission queue is full.
	SQE() *uring.SQE
	// Submit hands the prepared entries to the kernel without waiting. The kernel may post
	// further completions meanwhile.
	Submit() (int, error)
	// Wait submits and waits for min completions, at most timeout (0: without a limit), in a
	// system call that Go's scheduler knows of. A time-out is not an error.
	Wait(min uint32, timeout time.Duration) error
	// Harvest moves completions to dst and returns how many.
	Harvest(dst []uring.CQE) int
}

// Owner is the part of the program that a Loop works for.
type Owner interface {
	// Turn is called once per turn of the loop, after all tasks and completions have run and
	// before the loop submits anything.
	Turn()
	// Tick is called about every tick period, with the present time.
	Tick(now time.Time)
}

// batchMax is how many completions one turn handles.
const batchMax = 256

// Loop is a ring with its operations. See the package comment.
type Loop struct {
	// Spin is how long the loop looks for completions and posts before it sleeps; with 0 it
	// sleeps at once. Spinning costs a core for that long whenever there is nothing to do, and
	// saves the time that it takes to wake a sleeping thread. Spin is set before Run.
	Spin time.Duration

	ring  Ring
	owner Owner
	tick  time.Duration
	box   mailbox
	table slotTable
	cqes  [batchMax]uring.CQE
	n     int // completions listed in cqes
	// late are completions that the loop took from a busy ring while it handled others. The
	// next turn handles them before those that are still in the ring.
	late  []uring.CQE
	again bool
	stop  bool
	err   error
	now   time.Time
	sched futex.Rescheduler
}

// ErrStopped is what Post returns when the loop has ended.
var ErrStopped = errors.New("loop: stopped")

// New makes a loop over ring, which calls the owner's Tick every tick.
func New(ring Ring, owner Owner, tick time.Duration) (*Loop, error) {
	l := &Loop{ring: ring, owner: owner, tick: tick}
	if err := l.box.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// Begin starts an operation for h. It returns the operation's ID and a zeroed entry with the user
// data set; the caller must prepare the entry before anything else happens on the loop. Memory that
// the entry names belongs to the operation until its last completion.
//
// When the submission queue is full, Begin submits what is in it. Begin never fails. A ring that
// takes no entries is broken: the loop then ends with an error, and the returned entry goes
// nowhere.
func (l *Loop) Begin(h Handler, k Kind) (ID, *uring.SQE) {
	sqe := l.entry()
	id := l.table.take(h, k)
	sqe.SetUserData(uint64(id))
	return id, sqe
}

// Cancel asks the kernel to end the operation id. The last completion of the operation says how it
// ended; nobody hears of the request's own outcome. Cancel is harmless when the operation is over.
func (l *Loop) Cancel(id ID) {
	_, sqe := l.Begin(quiet{}, 0)
	sqe.PrepCancel(uint64(id))
}

// quiet handles operations whose outcome does not matter.
type quiet struct{}

func (quiet) Complete(ID, Kind, int32, uint32, bool) {}

const (
	// submitsMax is how often the loop submits a full submission queue before it gives the ring
	// up.
	submitsMax = 256
	// patience is how many of these attempts follow each other without a pause.
	patience = 16
)

func (l *Loop) entry() *uring.SQE {
	if sqe := l.ring.SQE(); sqe != nil {
		return sqe
	}
	for try := 0; try < submitsMax && l.err == nil; try++ {
		if _, err := l.ring.Submit(); errors.Is(err, uring.ErrBusy) {
			// Either the kernel wants its completions to be harvested, or it has no
			// memory.
			if !l.keepLate() && try > patience {
				time.Sleep(time.Millisecond)
			}
		} else if err != nil {
			l.fail(fmt.Errorf("loop: submitting: %w", err))
			break
		}
		if sqe := l.ring.SQE(); sqe != nil {
			return sqe
		}
	}
	l.fail(errors.New("loop: the kernel takes no entries from a full submission queue"))
	return new(uring.SQE)
}

// keepLate takes completions from the ring without running them, and reports
// whether there were any.
func (l *Loop) keepLate() bool {
	var cqes [16]uring.CQE
	n := l.ring.Harvest(cqes[:])
	l.late = append(l.late, cqes[:n]...)
	return n > 0
}

// harvest lists completions for the next turn.
func (l *Loop) harvest() {
	l.n = 0
	if len(l.late) > 0 {
		l.n = copy(l.cqes[:], l.late)
		l.late = slices.Delete(l.late, 0, l.n)
	}
	l.n += l.ring.Harvest(l.cqes[l.n:])
}

// Fail ends the loop with err. It is for faults after which the memory shared with the kernel
// cannot be trusted.
func (l *Loop) Fail(err error) { l.fail(err) }

// Err returns why the loop failed, or nil.
func (l *Loop) Err() error { return l.err }

func (l *Loop) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Post runs t on the loop's thread, soon. Any goroutine may call it; it does not block. When the
// loop has ended, Post returns ErrStopped and t does not run.
func (l *Loop) Post(t Task) error {
	if !l.box.post(t) {
		return ErrStopped
	}
	return nil
}

// Leave is like Post, but a patient loop that sleeps is not woken: t runs in its next turn, after a
// tick at the latest.
func (l *Loop) Leave(t Task) error {
	if !l.box.leave(t) {
		return ErrStopped
	}
	return nil
}

// Patient says whether tasks that are left for the loop may wait while it sleeps. At first they may
// not. It belongs to the loop's thread.
func (l *Loop) Patient(patient bool) {
	if l.box.patient.Load() != patient {
		l.box.patient.Store(patient)
	}
}

// Stop makes Run return once no operation is in flight any more. It belongs to the loop's thread:
// other goroutines post it. The owner cancels its operations before or after Stop.
func (l *Loop) Stop() { l.stop = true }

// Again makes the next turn follow this one without waiting, because the owner has left something
// to do. It belongs to the loop's thread.
func (l *Loop) Again() { l.again = true }

// InFlight returns how many operations have not had their last completion. The loop's own operation
// does not count.
func (l *Loop) InFlight() int {
	n := l.table.inUse
	if l.box.armed {
		n--
	}
	return n
}

// Now returns the time at which a turn last looked at the clock: cheap, and at most a tick old
// while the loop is busy.
func (l *Loop) Now() time.Time { return l.now }

// Run turns the loop until Stop or until the ring fails. It returns nil only when every operation
// had its last completion. Every task that Post accepted runs. Tasks that came too late for a turn
// run at the very end; these must not begin operations.
func (l *Loop) Run() error {
	l.now = time.Now()
	next := l.now.Add(l.tick)
	for turn := 0; l.err == nil; turn++ {
		l.again = false
		for _, t := range l.box.take() {
			t.Run()
		}
		l.dispatch()
		if l.err != nil {
			break
		}
		l.owner.Turn()
		if l.stop && l.InFlight() == 0 && l.box.empty() {
			break
		}
		// A busy ring takes entries again after a harvest.
		if _, err := l.ring.Submit(); err != nil && !errors.Is(err, uring.ErrBusy) {
			l.fail(fmt.Errorf("loop: submitting: %w", err))
			break
		}
		l.harvest()
		if l.n == 0 && !l.again && !l.spin(next) {
			l.sleep(next)
		} else if turn&63 != 0 {
			continue
		}
		if l.now = time.Now(); !l.now.Before(next) {
			l.owner.Tick(l.now)
			next = l.now.Add(l.tick)
		}
	}
	return l.end()
}

// spinLooks is how many times spin looks for work between two looks at the clock.
const spinLooks = 32

// spin looks for something to do, for Spin or until the next tick, and reports
// whether the loop need not sleep.
func (l *Loop) spin(next time.Time) bool {
	if l.Spin <= 0 {
		return false
	}
	end := time.Now().Add(l.Spin)
	if next.Before(end) {
		end = next
	}
	for looks := 1; l.err == nil; looks++ {
		// Submit makes no system call unless the kernel says that it has something.
		if _, err := l.ring.Submit(); err != nil && !errors.Is(err, uring.ErrBusy) {
			l.fail(fmt.Errorf("loop: submitting: %w", err))
			break
		}
		if l.harvest(); l.n > 0 || !l.box.empty() {
			return true
		}
		if looks%spinLooks == 0 {
			if !time.Now().Before(end) {
				return false
			}
			// The loop may be waiting for another thread that wants this processor: let
			// it run.
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
	return true
}

// sleep waits for a completion, a post or the next tick.
func (l *Loop) sleep(next time.Time) {
	now := time.Now()
	l.sched.Before(now)
	l.box.arm(l)
	l.box.asleep.Store(true)
	if !l.box.empty() || len(l.late) > 0 {
		l.box.asleep.Store(false)
		return
	}
	timeout := max(next.Sub(now), time.Millisecond)
	if err := l.ring.Wait(1, timeout); err != nil && !errors.Is(err, uring.ErrBusy) {
		l.fail(fmt.Errorf("loop: waiting: %w", err))
	}
	l.box.asleep.Store(false)
	l.harvest()
}

// dispatch runs the listed completions.
func (l *Loop) dispatch() {
	for i := range l.cqes[:l.n] {
		c := &l.cqes[i]
		id := ID(c.UserData)
		s, err := l.table.find(id)
		if err != nil {
			l.fail(err)
			return
		}
		h, kind, last := s.handler, s.kind, !c.More()
		if last {
			l.table.put(id)
		}
		h.Complete(id, kind, c.Res, c.Flags, last)
		if l.err != nil {
			return // later completions may be wrong as well
		}
	}
	l.n = 0
}

// end stops the wake-up read and closes the mailbox.
func (l *Loop) end() error {
	if l.err == nil && l.box.armed {
		l.box.wake() // ends the read for certain; a cancellation would not
		for l.table.inUse > 0 && l.err == nil {
			if l.harvest(); l.n == 0 {
				if err := l.ring.Wait(1, time.Second); err != nil && !errors.Is(err, uring.ErrBusy) {
					l.fail(fmt.Errorf("loop: waiting for the last completions: %w", err))
					break
				}
			}
			l.dispatch()
		}
	}
	l.box.close()
	for _, t := range l.box.take() {
		t.Run()
	}
	return l.err
}
