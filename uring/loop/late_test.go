package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// fullRing is a ring whose submission queue is full when the loop wants to sleep. It takes no
// entries until its one completion has been taken.
type fullRing struct {
	sqe     uring.SQE
	given   []uint64 // user data of the entries
	full    bool
	taken   bool // the completion has been
	tooLate bool // the loop waited for a completion that it had taken
}

func (r *fullRing) note() {
	if n := len(r.given); n > 0 && r.given[n-1] == 0 {
		r.given[n-1] = r.sqe.UserData()
	}
}

func (r *fullRing) SQE() *uring.SQE {
	if r.note(); r.full {
		return nil
	}
	r.sqe = uring.SQE{}
	r.given = append(r.given, 0)
	return &r.sqe
}

func (r *fullRing) Submit() (int, error) {
	if r.note(); r.full {
		return 0, uring.ErrBusy
	}
	r.full = !r.taken // after the first turn
	return 1, nil
}

func (r *fullRing) Harvest(dst []uring.CQE) int {
	switch {
	case r.full && len(dst) < 256: // not the loop's own harvest, but one that makes room
		r.full, r.taken = false, true
		dst[0] = uring.CQE{UserData: r.given[0]}
	case r.taken && len(r.given) == 3: // the wake-up read has ended
		r.given[2], dst[0] = 0, uring.CQE{UserData: r.given[1]}
		r.given = r.given[:2]
	default:
		return 0
	}
	return 1
}

func (r *fullRing) Wait(uint32, time.Duration) error {
	if r.note(); len(r.given) < 3 {
		r.tooLate = true
		return errors.New("it would sleep for ever")
	}
	return nil
}

// To arm the wake-up the loop may have to take completions from a ring that is full. It must not go
// to sleep before it has run them.
func TestALoopDoesNotSleepWithCompletionsThatItHasTaken(t *testing.T) {
	leakCheck(t)
	r := &fullRing{}
	var l *loop.Loop
	l, err := loop.New(r, &owner{}, never)
	require.NoError(t, err)
	ran := 0
	require.NoError(t, l.Post(loop.TaskFunc(func() {
		_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {
			ran++
			r.given = append(r.given, 1) // from here on the wake-up read may end
			l.Stop()
		}), 0)
		sqe.PrepNop()
	})))
	require.NoError(t, l.Run())
	require.False(t, r.tooLate)
	require.Equal(t, 1, ran)
}

// A task that was posted before the loop could end runs in a turn, so that it may begin an
// operation.
func TestALoopDoesNotEndBeforeATaskThatBeginsSomething(t *testing.T) {
	leakCheck(t)
	var l *loop.Loop
	begun, over := 0, 0
	o := &owner{}
	o.turn = func() {
		if begun++; begun > 1 {
			return
		}
		require.NoError(t, l.Post(loop.TaskFunc(func() {
			_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) { over++ }), 0)
			sqe.PrepNop()
		})))
		l.Stop()
	}
	l, _ = scripted(t, o, uringtest.Options{})
	require.NoError(t, l.Run())
	require.Equal(t, 1, over)
	require.Zero(t, l.InFlight())
}
