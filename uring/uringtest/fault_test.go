package uringtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// recorder is a test that may fail without failing the real one.
type recorder struct {
	testing.TB
	errors []string
	ends   []func()
}

func (f *recorder) Helper()                   {}
func (f *recorder) Logf(string, ...any)       {}
func (f *recorder) Failed() bool              { return len(f.errors) > 0 }
func (f *recorder) Cleanup(end func())        { f.ends = append(f.ends, end) }
func (f *recorder) Errorf(s string, a ...any) { f.errors = append(f.errors, fmt.Sprintf(s, a...)) }

func TestLeftoversFailTheTest(t *testing.T) {
	f := &recorder{TB: t}
	r := New(f, Options{})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(3, unix.POLLIN, false) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepNop() })
	submit(t, r)
	f.ends[0]()
	require.Len(t, f.errors, 2)
	require.Contains(t, f.errors[0], "POLL_ADD")
	require.Contains(t, f.errors[1], "not harvested")
}

func TestSharedUserDataAndLateAnswersFailTheTest(t *testing.T) {
	f := &recorder{TB: t}
	r := New(f, Options{})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(3, unix.POLLIN, false) })
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(4, unix.POLLIN, false) })
	submit(t, r)
	require.Len(t, f.errors, 1)
	o := r.Find("POLL_ADD")
	o.Complete(0)
	o.Complete(0)
	require.Len(t, f.errors, 2)
}

// TestStreamSurvivesEveryFault echoes random bytes through a storm of faults
// with the smallest driver that treats every completion right.
func TestStreamSurvivesEveryFault(t *testing.T) {
	for range 50 {
		seed := rand.Uint64() | 1
		t.Run(fmt.Sprint(seed), func(t *testing.T) { echo(t, seed) })
	}
}

func echo(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	want := make([]byte, 1+rng.IntN(5000))
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	var peer *Socket
	fed := 0
	r := New(t, Options{Seed: seed, Faults: Storm(), CQEntries: 4, Entries: 4, Idle: func(*Ring) bool {
		if fed == len(want) {
			peer.End()
			return false
		}
		n := 1 + rng.IntN(len(want)-fed)
		peer.Feed(want[fed : fed+n])
		fed += n
		return true
	}})
	peer = r.NewSocket(3)
	const recv, send = 1, 2
	bufs := offHeap(t, 4*64)
	out := offHeap(t, len(want)+1)
	g := r.NewGroup(0, 4, false)
	give := func(id uring.BufferID) { g.Add(bufs[64*int(id):][:64], id); g.Advance() }
	for id := range uring.BufferID(4) {
		give(id)
	}
	armed, sending, ended := false, false, false
	have, sent, from, notifs := 0, 0, 0, 0
	for !ended || sending || sent < have || notifs > 0 {
		if !armed && !ended {
			if s := r.SQE(); s != nil {
				s.PrepRecvMultishot(3, 0, false)
				s.SetUserData(recv)
				armed = true
			}
		}
		if !sending && sent < have && notifs == 0 {
			if s := r.SQE(); s != nil {
				from = sent
				s.PrepSendZC(3, out[from:have], 0)
				s.SetUserData(send)
				sending = true
			}
		}
		if err := r.Wait(1, time.Second); err != nil {
			require.ErrorIs(t, err, uring.ErrBusy)
		}
		for _, c := range harvest(r) {
			switch {
			case c.UserData == recv:
				if id, ok := c.BufferID(); ok {
					have += copy(out[have:], bufs[64*int(id):][:c.Res])
					give(id)
				}
				if !c.More() {
					armed = false
					ended = c.Res == 0
				}
			case c.Notif():
				notifs--
			default:
				require.Zero(t, c.Errno())
				sending = false
				sent = from + int(c.Res)
				if c.More() {
					notifs++
				}
			}
		}
	}
	require.True(t, bytes.Equal(want, peer.Sent()), "seed %d", seed)
}
