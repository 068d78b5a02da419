package state

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUncachedRequestsAllocateNothing(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	k := new(Ticket)
	a := request(s, 0)
	a.Conn = 5
	reply := make([]byte, 430)
	for _, cached := range []bool{false, true} {
		a.CacheThis = cached
		run := func() {
			a.Seqid++
			if v, _ := r.Begin(a, k); v != First {
				t.Fatal("the request was not the next one")
			}
			k.End(reply)
		}
		run() // the slots, the connection and the kept reply get their memory
		require.Zero(t, testing.AllocsPerRun(1000, run))
	}
	again := func() {
		if v, _ := r.Begin(a, k); v != Replay {
			t.Fatal("the request was not kept")
		}
		k.Replayed()
	}
	require.Zero(t, testing.AllocsPerRun(1000, again))
	r.atRest()
}

func benchRequests(b *testing.B, cached bool) {
	r := newRig(b)
	s := r.session(linuxFore)
	var next atomic.Uint32
	reply := make([]byte, 430)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		slot := next.Add(1) - 1
		own := new(struct { // of one thread, with a cache line of nobody's on either side
			_ [64]byte
			k Ticket
			a Sequence
			_ [64]byte
		})
		k, a := &own.k, &own.a
		*a = *request(s, 0)
		a.Slot, a.CacheThis, a.Conn = slot, cached, uint64(slot)+1
		for pb.Next() {
			a.Seqid++
			a.Digest++
			if v, _ := r.Begin(a, k); v != First {
				b.Error("the request was not the next one")
				return
			}
			k.End(reply)
		}
	})
}

// One session, each thread on a slot and a connection of its own.
func BenchmarkRequest(b *testing.B)       { benchRequests(b, false) }
func BenchmarkCachedRequest(b *testing.B) { benchRequests(b, true) }

func BenchmarkDigest(b *testing.B) {
	r := newRig(b)
	head := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		r.Digest(1000, 256, head)
	}
}

func BenchmarkCreateAndDestroySession(b *testing.B) {
	r := newRig(b)
	id, _ := r.client("owner", 1, alice)
	a := createArgs(id, 1, alice)
	b.ReportAllocs()
	for b.Loop() {
		a.Seqid++
		s, _ := r.CreateSession(a)
		if r.DestroySession(s.Session, 0) != OK {
			b.Fatal("no session")
		}
	}
}
