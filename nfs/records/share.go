package records

import (
	"errors"

	"go.etcd.io/bbolt"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// writer makes changes, of which those that arrive while an earlier one is on its way to the disc
// share one transaction. (bbolt's Batch does that too, but has each one wait for others first,
// and most come alone.)
type writer struct {
	db *bbolt.DB

	mu futex.Mutex
	// guarded by mu
	busy    bool      // somebody writes, or has been told to
	waiting []*change // the first of them is told to write next
}

// change is one caller's.
type change struct {
	act  func(*bbolt.Tx) error
	told chan bool // gets true when its caller is to write, false when it is done
	err  error
}

// do has act done in a transaction, and returns when that is on stable storage. If act of one
// caller fails, so do all that share the transaction.
func (w *writer) do(act func(*bbolt.Tx) error) error {
	c := &change{act: act, told: make(chan bool, 1)}
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	first := !w.busy
	w.busy = true
	w.mu.Unlock()
	if first || <-c.told {
		w.write()
	}
	return c.err
}

// write makes the changes of all who wait, and tells the first of those who came meanwhile to go
// on. The caller is one of them.
func (w *writer) write() {
	w.mu.Lock()
	all := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	err := errPanic
	defer func() {
		for _, c := range all {
			c.err = err
		}
		for _, c := range all[1:] {
			c.told <- false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.busy = len(w.waiting) > 0; w.busy {
			w.waiting[0].told <- true
		}
	}()
	err = w.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range all {
			if err := c.act(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// errPanic is what those get who shared a transaction that has panicked.
var errPanic = errors.New("the write of a record has panicked")
