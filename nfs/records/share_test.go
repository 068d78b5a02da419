package records

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// held has one caller write until release is called, and n others wait meanwhile.
func held(w *writer, n int, act func(i int, tx *bbolt.Tx) error) (errs []error, release func()) {
	begun, end := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		_ = w.do(func(*bbolt.Tx) error {
			close(begun)
			<-end
			return nil
		})
	})
	<-begun
	errs = make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = w.do(func(tx *bbolt.Tx) error { return act(i, tx) }) })
	}
	for waiting := 0; waiting < n; runtime.Gosched() {
		w.mu.Lock()
		waiting = len(w.waiting)
		w.mu.Unlock()
	}
	return errs, func() {
		close(end)
		all.Wait()
	}
}

func TestThoseWhoComeDuringAWriteShareTheNext(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	ids := make([]int, 8)
	errs, release := held(&s.writer, len(ids), func(i int, tx *bbolt.Tx) error { ids[i] = tx.ID(); return nil })
	release()
	for i := range ids {
		require.NoError(t, errs[i])
		require.Equal(t, ids[0], ids[i])
	}
	require.False(t, s.writer.busy)
}

func TestThoseWhoShareAWriteShareItsFailure(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	full := errors.New("full")
	errs, release := held(&s.writer, 4, func(i int, _ *bbolt.Tx) error {
		if i == 2 {
			return full
		}
		return nil
	})
	release()
	for _, err := range errs {
		require.ErrorIs(t, err, full)
	}
	require.NoError(t, s.writer.do(func(*bbolt.Tx) error { return nil }), "the next one is a new one")
}

func TestAWriteThatPanicsDoesNotStopTheOthers(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	require.Panics(t, func() { _ = s.writer.do(func(*bbolt.Tx) error { panic("a fault") }) })
	require.NoError(t, s.writer.do(func(*bbolt.Tx) error { return nil }))
}
