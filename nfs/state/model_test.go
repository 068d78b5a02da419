package state

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/stretchr/testify/require"
)

// modelSlot is a slot as RFC 8881 section 2.10.6 tells of it, with everything written out.
type modelSlot struct {
	had     bool   // there was a request
	seqid   uint32 // of the last
	runs    bool
	readers int
	digest  uint64
	reply   []byte // nil: not kept
}

// expect says what becomes of a request with a number and a digest.
func (m *modelSlot) expect(seqid uint32, digest uint64) (Verdict, Status) {
	isNext, isLast := seqid == m.seqid+1, m.had && seqid == m.seqid
	switch {
	case !isNext && !isLast:
		return Refused, SeqMisordered
	case m.runs && isNext:
		return Refused, SeqMisordered
	case m.runs || m.readers > 0:
		return Refused, Delay
	case isNext:
		return First, OK
	case digest != m.digest:
		return Refused, SeqFalseRetry
	case m.reply == nil:
		return Uncached, OK
	}
	return Replay, OK
}

// TestSlotsAgainstAModel lets a client of one session do what clients do and must not do, and
// restart now and then, and compares each answer with the model's.
func TestSlotsAgainstAModel(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %#x", seed)
	steps := 200_000
	if testing.Short() || again.Now() {
		steps = 20_000
	}

	const slots = 11 // in two groups
	r := newRig(t)
	type open struct {
		slot  uint32
		k     *Ticket
		reply []byte // of a replay
	}
	var (
		session SessionID
		model   [slots]modelSlot
		opens   []open
		late    []*Ticket // of sessions that are over
		v       uint64
	)
	restart := func() {
		v++
		var verifier Verifier
		binary.BigEndian.PutUint64(verifier[:], v)
		e, st := r.ExchangeID(&Exchange{Owner: []byte("owner"), Verifier: verifier, Principal: alice})
		require.Equal(t, OK, st)
		a := createArgs(e.Client, 1, alice)
		a.Fore.Slots = slots
		s, st := r.CreateSession(a)
		require.Equal(t, OK, st)
		session, model = s.Session, [slots]modelSlot{}
		for i := range model { // most sessions live near the largest number for a while
			if rnd.IntN(4) == 0 {
				k := new(Ticket)
				_, st = r.Begin(&Sequence{Session: session, Slot: uint32(i), Seqid: 1}, k)
				require.Equal(t, OK, st)
				k.End(nil)
				sl := &r.sessions.At(session.index()).groups[i/8].Load()[i%8]
				sl.word.Store(sl.word.Load()&^0xffffffff | 0xfffffffd)
				model[i] = modelSlot{had: true, seqid: 0xfffffffd}
			}
		}
	}
	restart()
	verdicts := map[Verdict]int{}
	for range steps {
		switch n := rnd.IntN(1000); {
		case n == 0:
			for _, o := range opens { // requests of the earlier incarnation go on
				if o.reply != nil {
					continue
				}
				if rnd.IntN(2) == 0 {
					o.k.End([]byte("too late"))
				} else {
					late = append(late, o.k)
				}
			}
			for _, o := range opens {
				if o.reply != nil {
					require.Equal(t, o.reply, o.k.Reply)
					o.k.Replayed()
				}
			}
			opens = opens[:0]
			restart()
		case n < 300 && len(opens) > 0: // one ends
			i := rnd.IntN(len(opens))
			o := opens[i]
			opens[i] = opens[len(opens)-1]
			opens = opens[:len(opens)-1]
			m := &model[o.slot]
			if o.reply != nil {
				require.Equal(t, o.reply, o.k.Reply)
				o.k.Replayed()
				m.readers--
				continue
			}
			m.runs = false
			switch {
			case rnd.IntN(10) == 0:
				o.k.Abandon()
			default:
				reply := make([]byte, 1+rnd.IntN(3248))
				for j := range reply {
					reply[j] = byte(rnd.Uint32())
				}
				if o.k.Keeps() {
					m.reply = bytes.Clone(reply)
				}
				o.k.End(reply)
			}
		default:
			slot := uint32(rnd.IntN(slots))
			m := &model[slot]
			a := &Sequence{Session: session, Slot: slot, CacheThis: rnd.IntN(2) == 0,
				Digest: uint64(rnd.IntN(2))}
			switch rnd.IntN(8) {
			case 0:
				a.Seqid = m.seqid + uint32(rnd.IntN(5)) - 2
			case 1, 2, 3:
				a.Seqid, a.Digest = m.seqid, m.digest
			default:
				a.Seqid = m.seqid + 1
			}
			k := new(Ticket)
			wantVerdict, want := m.expect(a.Seqid, a.Digest)
			verdict, st := r.Begin(a, k)
			require.Equal(t, want, st, "%+v %+v", a, m)
			require.Equal(t, wantVerdict, verdict)
			verdicts[verdict]++
			switch verdict {
			case First:
				*m = modelSlot{had: true, seqid: a.Seqid, runs: true, digest: a.Digest}
				opens = append(opens, open{slot: slot, k: k})
			case Replay:
				require.Equal(t, m.reply, k.Reply)
				m.readers++
				opens = append(opens, open{slot: slot, k: k, reply: m.reply})
			case Uncached, Refused:
			}
		}
		require.Equal(t, len(opens), r.sessions.At(session.index()).busySlots())
	}
	for _, o := range opens {
		if o.reply != nil {
			o.k.Replayed()
		} else {
			o.k.End(nil)
		}
	}
	for _, k := range late {
		k.Abandon()
	}
	t.Log(verdicts)
	for _, verdict := range []Verdict{First, Replay, Uncached, Refused} {
		require.NotZero(t, verdicts[verdict])
	}
	r.atRest()
}

// TestEachRequestRunsOnceHoweverOftenItIsSent lets several threads send the same requests on
// the same slots at the same time, while the client restarts. The rule: a request runs once,
// and each of its retransmissions gets the very reply or is told that there is none.
func TestEachRequestRunsOnceHoweverOftenItIsSent(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	const threads, slots = 3, 4
	steps := 60_000
	if testing.Short() || again.Now() {
		steps = 6_000
	}
	r := newRig(t)
	type life struct {
		session SessionID
		isOver  atomic.Bool
		seqids  [slots]atomic.Uint32 // the last that has begun
		replies sync.Map             // by slot<<32|seqid: what was answered
	}
	var now atomic.Pointer[life]
	n := byte(0)
	restart := func() {
		n++
		if l := now.Load(); l != nil {
			l.isOver.Store(true)
		}
		e, st := r.exchange("owner", n, alice, 0)
		require.Equal(t, OK, st)
		s, st := r.CreateSession(createArgs(e.Client, 1, alice))
		require.Equal(t, OK, st)
		now.Store(&life{session: s.Session})
	}
	restart()
	var (
		wg      sync.WaitGroup
		running atomic.Int32
	)
	running.Store(threads)
	for thread := range uint64(threads) {
		wg.Go(func() {
			defer running.Add(-1)
			rnd := rand.New(rand.NewPCG(seed, thread))
			k := new(Ticket)
			for range steps {
				l := now.Load()
				slot := rnd.Uint32N(slots)
				last := l.seqids[slot].Load()
				a := &Sequence{
					Session: l.session, Slot: slot, Seqid: last + rnd.Uint32N(2),
					CacheThis: true, Conn: thread + 1,
				}
				a.Digest = uint64(a.Seqid)
				key := uint64(slot)<<32 | uint64(a.Seqid)
				v, st := r.Begin(a, k)
				switch v {
				case First:
					reply := binary.BigEndian.AppendUint64(nil, rnd.Uint64())
					reply = append(reply, make([]byte, rnd.IntN(600))...)
					if _, isThere := l.replies.LoadOrStore(key, reply); isThere {
						t.Errorf("request %d of slot %d runs again", a.Seqid, slot)
					}
					l.seqids[slot].Store(a.Seqid)
					if rnd.IntN(20) == 0 {
						l.replies.Store(key, []byte(nil))
						k.Abandon()
					} else {
						k.End(reply)
					}
				case Replay, Uncached:
					var got []byte
					if v == Replay {
						got = bytes.Clone(k.Reply)
						k.Replayed()
					}
					want, _ := l.replies.Load(key)
					if want == nil || !bytes.Equal(want.([]byte), got) {
						t.Errorf("request %d of slot %d has two answers", a.Seqid, slot)
					}
				case Refused:
					if st != Delay && st != SeqMisordered && (st != BadSession || !l.isOver.Load()) {
						t.Errorf("status %d", st)
					}
				}
			}
		})
	}
	for range 20 {
		l := now.Load()
		for running.Load() > 0 && l.seqids[0].Load() < uint32(steps/200) {
			runtime.Gosched()
		}
		restart()
	}
	wg.Wait()
	r.atRest()
}
