package transport

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// trialRing makes a scripted ring one that can be tried.
type trialRing struct {
	*uringtest.Ring
	without uring.Feature
}

func (r *trialRing) Has(f uring.Feature) bool { return r.without&f == 0 }

func (r *trialRing) Provide(id uring.GroupID, entries int, incremental bool) (provided, error) {
	return r.NewGroup(id, entries, incremental), nil
}

func (r *trialRing) RegisterBuffer(int, []byte) error { return uring.ErrFeature }

// Close ends operations that a failed trial has left in flight, as the kernel does.
func (r *trialRing) Close() error {
	r.CancelAll()
	for r.Ring.Harvest(make([]uring.CQE, 64)) > 0 {
	}
	return r.Ring.Close()
}

// scriptedTrial tries scripted rings with faults.
func scriptedTrial(t *testing.T, faults *uringtest.Faults) *trial {
	seed, fd := uint64(time.Now().UnixNano()), 1000 // no descriptors: the ring alone knows them
	return &trial{
		patience: time.Minute,
		newRing: func(without uring.Feature) (ring, error) {
			seed++
			return &trialRing{uringtest.New(t, uringtest.Options{Seed: seed, Faults: faults}), without}, nil
		},
		connect: func(r ring) (*line, error) {
			fd++
			s := r.(*trialRing).NewSocket(fd)
			return &line{
				fd:      fd,
				send:    func(b []byte) (int, error) { s.Feed(b); return len(b), nil },
				receive: func(b []byte) (int, error) { return copy(b, s.Sent()), nil },
				end:     s.End,
				close:   func() {},
			}, nil
		},
	}
}

func TestARingThatReceivesOutOfOrderIsFoundBeforeItIsUsed(t *testing.T) {
	for name, c := range map[string]struct {
		faults  uringtest.Faults
		without uring.Feature
		unfit   uring.Feature
	}{
		"nothing is wrong":                      {},
		"bundles":                               {faults: uringtest.Faults{BundleGap: 0.2}, unfit: uring.Bundle},
		"bundles, no incremental buffers":       {faults: uringtest.Faults{BundleGap: 0.2}, without: uring.IncBufRing, unfit: uring.Bundle},
		"incremental buffers":                   {faults: uringtest.Faults{IncGap: 0.2}, unfit: uring.IncBufRing},
		"incremental buffers, no bundles":       {faults: uringtest.Faults{IncGap: 0.2}, without: uring.Bundle, unfit: uring.IncBufRing},
		"both":                                  {faults: uringtest.Faults{BundleGap: 0.2, IncGap: 0.2}, unfit: uring.Bundle | uring.IncBufRing},
		"both are switched off, so none is bad": {faults: uringtest.Faults{BundleGap: 1, IncGap: 1}, without: uring.Bundle | uring.IncBufRing},
	} {
		t.Run(name, func(t *testing.T) {
			unfit, err := scriptedTrial(t, &c.faults).run(c.without, 8<<20)
			require.NoError(t, err)
			var got uring.Feature
			for _, u := range unfit {
				got |= u.Feature
				require.Contains(t, u.Why, "out of order")
			}
			require.Equal(t, c.unfit.String(), got.String())
		})
	}
}

func TestARingThatIsOnlyUnreliableIsFit(t *testing.T) {
	storm := uringtest.Storm()
	storm.Delay = 0 // it changes the order of different receives, which the kernel keeps
	for range 8 {
		unfit, err := scriptedTrial(t, storm).run(0, 8<<20)
		require.NoError(t, err)
		require.Empty(t, unfit)
	}
}

func TestTheKernelsRingIsTried(t *testing.T) {
	r, err := newKernelRing(0)
	if err != nil {
		t.Skipf("no ring: %v", err)
	}
	require.NoError(t, r.Close())
	for _, without := range []uring.Feature{0, uring.Bundle, uring.IncBufRing, uring.Bundle | uring.IncBufRing} {
		unfit, err := TryRing(without, 8<<20)
		require.NoError(t, err)
		for _, u := range unfit {
			t.Logf("without %v: %v: %s", without, u.Feature, u.Why)
			require.Contains(t, u.Why, "this kernel has it wrong")
		}
	}
}

func TestASendThatFailsIsNotHeldToBeTheKernelsFault(t *testing.T) {
	tr := scriptedTrial(t, nil)
	tr.zeroCopy = true
	tr.connect = func(r ring) (*line, error) {
		s := r.(*trialRing).NewSocket(1000)
		s.Break(unix.EPERM)
		return &line{
			fd:      1000,
			receive: func(b []byte) (int, error) { return copy(b, s.Sent()), nil },
			close:   func() {},
		}, nil
	}
	unfit, err := tr.sends(0)
	require.NoError(t, err)
	const why = "when it was tried, a send failed: operation not permitted"
	require.Equal(t, []Unfit{{uring.SendZC, why}, {uring.SendMsgZC, why}}, unfit)
}

func TestWithoutLoopbackItIsSaidWhatCouldNotBeTried(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace of its own needs root")
	}
	r, err := newKernelRing(0)
	if err != nil {
		t.Skipf("no ring: %v", err)
	}
	has := r.Has(uring.SendZC) && r.Has(uring.SendMsgZC)
	require.NoError(t, r.Close())
	if !has {
		t.Skip("this kernel has no zero-copy sends")
	}
	var unfit []Unfit
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is in another namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			unfit, err = TryRing(0, 8<<20)
		}
		done <- err
	}()
	require.NoError(t, <-done)
	why := map[uring.Feature]string{}
	for _, u := range unfit {
		why[u.Feature] = u.Why
	}
	for _, f := range []uring.Feature{uring.SendZC, uring.SendMsgZC} {
		require.Contains(t, why[f], "is the interface lo up?")
		require.NotContains(t, why[f], "this kernel has it wrong")
	}
}

func BenchmarkTryRing(b *testing.B) {
	for b.Loop() {
		if _, err := TryRing(0, 8<<20); err != nil {
			b.Fatal(err)
		}
	}
}
