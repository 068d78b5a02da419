package loop_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// echoRing completes every entry when it is submitted, and costs nothing else.
type echoRing struct {
	sqes [64]uring.SQE
	n    int
	cqes [64]uring.CQE
	done int
}

func (r *echoRing) SQE() *uring.SQE {
	if r.n == len(r.sqes) {
		return nil
	}
	s := &r.sqes[r.n]
	*s = uring.SQE{}
	r.n++
	return s
}

func (r *echoRing) Submit() (int, error) {
	n := r.n
	for i := range n {
		r.cqes[r.done] = uring.CQE{UserData: r.sqes[i].UserData()}
		r.done++
	}
	r.n = 0
	return n, nil
}

func (r *echoRing) Wait(uint32, time.Duration) error {
	_, err := r.Submit()
	return err
}

func (r *echoRing) Harvest(dst []uring.CQE) int {
	n := copy(dst, r.cqes[:r.done])
	copy(r.cqes[:], r.cqes[n:r.done])
	r.done -= n
	return n
}

// spinner keeps batch no-ops in flight until it has seen left completions, and
// counts the allocations of the second half.
type spinner struct {
	l       *loop.Loop
	batch   int
	pending int
	left    int
	half    int
	posts   bool
	before  uint64
	allocs  uint64
}

func (s *spinner) mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func (s *spinner) Complete(loop.ID, loop.Kind, int32, uint32, bool) { s.pending-- }
func (s *spinner) Run()                                             {}
func (s *spinner) Tick(time.Time)                                   {}

func (s *spinner) Turn() {
	if s.left <= 0 {
		if s.pending == 0 {
			if s.half > 0 {
				s.allocs = s.mallocs() - s.before
				s.half = 0
			}
			s.l.Stop()
		}
		return
	}
	if s.half > 0 && s.left <= s.half && s.before == 0 {
		s.before = s.mallocs()
	}
	if s.posts {
		_ = s.l.Post(s)
	}
	for s.pending < s.batch {
		_, sqe := s.l.Begin(s, 0)
		sqe.PrepNop()
		s.pending++
		s.left--
	}
}

func TestOperationsAndPostsAllocateNothing(t *testing.T) {
	leakCheck(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	real, err := uring.New(uring.Config{Entries: 64})
	if err != nil {
		t.Skipf("io_uring: %v", err)
	}
	for name, r := range map[string]loop.Ring{"kernel": real, "stub": &echoRing{}} {
		for _, batch := range []int{1, 32} {
			s := &spinner{batch: batch, left: 20_000, half: 10_000, posts: true}
			l, err := loop.New(r, s, never)
			require.NoError(t, err)
			s.l = l
			require.NoError(t, l.Run())
			// Other goroutines of the test binary may allocate a little.
			require.Less(t, s.allocs, uint64(50), "%s, %d at once: allocations in 10000 operations", name, batch)
		}
	}
	require.NoError(t, real.Close())
}

func bench(b *testing.B, r loop.Ring, batch int) {
	s := &spinner{batch: batch, left: b.N}
	l, err := loop.New(r, s, never)
	require.NoError(b, err)
	s.l = l
	b.ReportAllocs()
	b.ResetTimer()
	require.NoError(b, l.Run())
}

func BenchmarkNop(b *testing.B) {
	for _, batch := range []struct {
		name string
		n    int
	}{{"alone", 1}, {"batch32", 32}} {
		b.Run("kernel/"+batch.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r, err := uring.New(uring.Config{Entries: 64})
			if err != nil {
				b.Skipf("io_uring: %v", err)
			}
			bench(b, r, batch.n)
			require.NoError(b, r.Close())
		})
		b.Run("stub/"+batch.name, func(b *testing.B) { bench(b, &echoRing{}, batch.n) })
		b.Run("scripted/"+batch.name, func(b *testing.B) {
			bench(b, uringtest.New(b, uringtest.Options{Idle: answerWakeUp}), batch.n)
		})
	}
}

// BenchmarkPost measures a task from another goroutine to the loop, and the answer back.
func BenchmarkPost(b *testing.B) {
	v := start(b, &owner{}, never, nil)
	done := make(chan struct{})
	task := loop.TaskFunc(func() { done <- struct{}{} })
	b.ReportAllocs()
	for b.Loop() {
		_ = v.Post(task)
		<-done
	}
	v.end(b)
}
