package loop

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// plainRing completes nothing unless the test says so.
type plainRing struct {
	entries  []*uring.SQE // all that were given out
	room     int          // how many more there are
	busy     bool         // without room nothing is submitted
	complete []uint64     // user data of what is harvested next
	wait     func(*plainRing)
}

func (r *plainRing) SQE() *uring.SQE {
	if r.room == 0 {
		return nil
	}
	r.room--
	r.entries = append(r.entries, new(uring.SQE))
	return r.entries[len(r.entries)-1]
}

func (r *plainRing) Submit() (int, error) {
	if r.busy && r.room == 0 {
		return 0, uring.ErrBusy
	}
	return 0, nil
}

func (r *plainRing) Wait(uint32, time.Duration) error { r.wait(r); return nil }

func (r *plainRing) Harvest(dst []uring.CQE) int {
	n := min(len(dst), len(r.complete))
	for i := range n {
		dst[i] = uring.CQE{UserData: r.complete[i]}
	}
	if r.complete = r.complete[n:]; n > 0 && len(r.complete) == 0 && r.room == 0 {
		r.room = 2 // the kernel has got what it wanted
	}
	return n
}

// last completes the last entry, the loop's own read.
func (r *plainRing) last() { r.complete = append(r.complete, r.entries[len(r.entries)-1].UserData()) }

type owning struct{ turn, tick func() }

func (o *owning) Turn()          { o.turn() }
func (o *owning) Tick(time.Time) { o.tick() }

type counting struct{ seen map[ID]int }

func (c *counting) Complete(id ID, _ Kind, _ int32, _ uint32, _ bool) { c.seen[id]++ }

// A list of completions holds 256. More than that may have been taken from a busy ring.
func TestNoneOfManyLateCompletionsIsLost(t *testing.T) {
	const operations = 700
	r := &plainRing{room: operations, busy: true}
	r.wait = (*plainRing).last
	c := &counting{seen: map[ID]int{}}
	var l *Loop
	o := &owning{tick: func() {}}
	turns := 0
	o.turn = func() {
		switch turns++; {
		case len(c.seen) == operations:
			l.Stop()
		case turns > operations:
			l.Fail(errors.New("some are lost"))
		}
	}
	l, err := New(r, o, time.Hour)
	require.NoError(t, err)
	require.NoError(t, l.Post(TaskFunc(func() {
		for range operations {
			id, sqe := l.Begin(c, 0)
			sqe.PrepNop()
			r.complete = append(r.complete, uint64(id))
		}
		_, sqe := l.Begin(quiet{}, 0) // only after all completions have been taken
		sqe.PrepNop()
		r.last()
	})))
	require.NoError(t, l.Run())
	require.Len(t, c.seen, operations)
	for id, n := range c.seen {
		require.Equal(t, 1, n, "%x", id)
	}
}

// The owner looks at what is late at the present time, so two ticks at once would show it nothing
// more.
func TestTicksThatWereMissedAreNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tick = time.Second
		ticks, turns, ending := 0, 0, false
		r := &plainRing{room: 8}
		r.wait = func(r *plainRing) {
			if ending {
				r.last()
			}
		}
		var l *Loop
		o := &owning{tick: func() { ticks++ }}
		o.turn = func() {
			if turns++; turns == 1 {
				time.Sleep(10 * tick)
			}
			if turns == 20 {
				ending = true
				l.Stop()
			}
		}
		l, err := New(r, o, tick)
		require.NoError(t, err)
		require.NoError(t, l.Run())
		require.Equal(t, 1, ticks)
	})
}

// A thread that posts second leaves waking the loop to the first.
func TestALoopIsWokenOnceHoweverManyPost(t *testing.T) {
	var m mailbox
	require.NoError(t, m.open())
	defer m.close()
	count := func() (n byte) {
		var b [countBytes]byte
		if _, err := unix.Read(m.eventfd, b[:]); err != nil {
			require.Equal(t, unix.EAGAIN, err)
			return 0
		}
		return b[0]
	}
	task := TaskFunc(func() {})
	require.True(t, m.post(task))
	require.Zero(t, count(), "it is awake")
	m.asleep.Store(true)
	for range 3 {
		require.True(t, m.post(task))
	}
	require.EqualValues(t, 1, count())
	require.Len(t, m.take(), 4)
}
