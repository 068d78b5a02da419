package state

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/stretchr/testify/require"
)

func TestASlotIsACacheLine(t *testing.T) {
	require.EqualValues(t, 64, unsafe.Sizeof(slot{}))
	require.Equal(t, 512, groupBytes)
}

// TestWhatSequenceRefuses goes through all that can be wrong with a request, and what can be
// wrong with it after another one, below, at and above each bound. The rule: a request that
// is refused leaves its slot as it was.
func TestWhatSequenceRefuses(t *testing.T) {
	few := Channel{RequestMax: 512, ReplyMax: 8192, KeptMax: 1000, Ops: 4, Slots: 8}
	for _, tt := range []struct {
		name   string
		change func(*Sequence)
		want   Status
	}{
		{"largest request", func(a *Sequence) { a.Size = 512 }, OK},
		{"larger request", func(a *Sequence) { a.Size = 513 }, ReqTooBig},
		{"most operations", func(a *Sequence) { a.Ops = 4 }, OK},
		{"more operations", func(a *Sequence) { a.Ops = 5 }, TooManyOps},
		{"10,000 operations", func(a *Sequence) { a.Ops = 10000 }, TooManyOps},
		{"last slot", func(a *Sequence) { a.Slot = 7 }, OK},
		{"slot beyond the last", func(a *Sequence) { a.Slot, a.Highest = 8, 8 }, BadSlot},
		{"slot far beyond", func(a *Sequence) { a.Slot = 1<<32 - 1 }, BadSlot},
		{"highest slot", func(a *Sequence) { a.Highest = 7 }, OK},
		{"highest slot beyond the last", func(a *Sequence) { a.Highest = 8 }, BadHighSlot},
		{"next number", func(a *Sequence) { a.Seqid = 1 }, OK},
		{"number left out", func(a *Sequence) { a.Seqid = 2 }, SeqMisordered},
		{"nothing to repeat", func(a *Sequence) { a.Seqid = 0 }, SeqMisordered},
		{"number far behind", func(a *Sequence) { a.Seqid = 1<<32 - 1 }, SeqMisordered},
		{"other session", func(a *Sequence) { a.Session[15] ^= 1 }, BadSession},
		{"other random bits", func(a *Sequence) { a.Session[5] ^= 1 }, BadSession},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			s := r.session(few)
			c := s.client
			r.pass(10)
			a := request(s, 1)
			tt.change(a)
			k := new(Ticket)
			v, st := r.Begin(a, k)
			require.Equal(t, tt.want, st)
			if st == OK {
				require.Equal(t, First, v)
				k.End(nil)
				require.EqualValues(t, 1010, c.renewed.Load())
			} else {
				require.Equal(t, Refused, v)
				require.EqualValues(t, 1000, c.renewed.Load(),
					"only a SEQUENCE that succeeds renews the lease")
				require.Zero(t, r.Counts().SlotsBusy)
				v, st = r.Begin(request(s, 1), k)
				require.Equal(t, First, v, "the same sequence ID, used rightly: %d", st)
				k.End(nil)
			}
			r.atRest()
		})
	}
}

func TestAReplyThatCannotBeKeptIsRefused(t *testing.T) {
	for most, want := range map[uint32]Status{10: RepTooBigToCache, 79: RepTooBigToCache, 80: OK, 81: OK} {
		r := newRig(t)
		s := r.session(Channel{RequestMax: 512, ReplyMax: 8192, KeptMax: most, Ops: 4, Slots: 8})
		a, k := request(s, 1), new(Ticket)
		a.CacheThis = true
		_, st := r.Begin(a, k)
		require.Equal(t, want, st)
		if st != OK {
			a.CacheThis = false
			_, st = r.Begin(a, k)
			require.Equal(t, OK, st, "the slot is as it was")
		}
		k.End(nil)
		r.atRest()
	}
}

// TestSequenceAgain goes through what a sequence ID means after a request that has ended or
// has not.
func TestSequenceAgain(t *testing.T) {
	reply := bytes.Repeat([]byte("reply"), 86)
	for _, tt := range []struct {
		name    string
		keep    bool
		end     func(*Ticket) // nil: the first request runs on
		seqid   uint32        // of the second; the first has 1
		digest  uint64        // likewise
		verdict Verdict
		want    Status
	}{
		{"retransmission", true, func(k *Ticket) { k.End(reply) }, 1, 1, Replay, OK},
		{"retransmission of what was not to be kept", false, func(k *Ticket) { k.End(reply) }, 1, 1, Uncached, OK},
		{"retransmission of what was lost", true, (*Ticket).Abandon, 1, 1, Uncached, OK},
		{"retransmission of what was answered without a reply", true, func(k *Ticket) { k.End(nil) }, 1, 1, Uncached, OK},
		{"retransmission while it runs", true, nil, 1, 1, Refused, Delay},
		{"another request while it runs", true, nil, 1, 9, Refused, Delay},
		{"another request under the same number", true, func(k *Ticket) { k.End(reply) }, 1, 9, Refused, SeqFalseRetry},
		{"the same, not kept", false, func(k *Ticket) { k.End(reply) }, 1, 9, Refused, SeqFalseRetry},
		{"the same, lost", true, (*Ticket).Abandon, 1, 9, Refused, SeqFalseRetry},
		{"next", true, func(k *Ticket) { k.End(reply) }, 2, 2, First, OK},
		{"next after what was lost", true, (*Ticket).Abandon, 2, 2, First, OK},
		{"next while it runs", true, nil, 2, 2, Refused, SeqMisordered},
		{"too far", true, func(k *Ticket) { k.End(reply) }, 3, 3, Refused, SeqMisordered},
		{"the one before", true, func(k *Ticket) { k.End(reply) }, 0, 1, Refused, SeqMisordered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			s := r.session(linuxFore)
			a, k1, k2 := request(s, 1), new(Ticket), new(Ticket)
			a.CacheThis = tt.keep
			v, _ := r.Begin(a, k1)
			require.Equal(t, First, v)
			require.Equal(t, tt.keep, k1.Keeps())
			if tt.end != nil {
				tt.end(k1)
			}
			r.pass(5)
			b := request(s, tt.seqid)
			b.Digest, b.CacheThis, b.Conn = tt.digest, tt.keep, 77 // by another connection
			v, st := r.Begin(b, k2)
			require.Equal(t, tt.want, st)
			require.Equal(t, tt.verdict, v)
			require.Equal(t, st == OK, s.isBound(77), "a SEQUENCE that succeeds binds its connection")
			switch v {
			case Replay:
				require.Equal(t, reply, k2.Reply)
				require.EqualValues(t, 1005, s.client.renewed.Load(), "a replay renews the lease")
				_, st = r.Begin(b, new(Ticket))
				require.Equal(t, Delay, st, "the kept reply has one reader")
				_, st = r.Begin(request(s, 2), new(Ticket))
				require.Equal(t, Delay, st, "and nobody replaces it meanwhile")
				k2.Replayed()
				v, _ = r.Begin(b, k2)
				require.Equal(t, Replay, v, "it may be asked for again")
				require.Equal(t, reply, k2.Reply)
				k2.Replayed()
			case First:
				k2.End(nil)
			case Uncached:
				require.EqualValues(t, 1005, s.client.renewed.Load())
			case Refused:
			}
			if tt.end == nil {
				k1.End(reply)
			}
			r.atRest()
		})
	}
}

func TestSequenceCountsOnBeyondTheLargestNumber(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	k := new(Ticket)
	_, st := r.Begin(request(s, 1), k)
	require.Equal(t, OK, st)
	k.End(nil)
	g := s.groups[0].Load()
	g[0].word.Store(g[0].word.Load() | 0xffffffff)
	a := request(s, 0)
	a.CacheThis = true
	v, _ := r.Begin(a, k)
	require.Equal(t, First, v)
	k.End([]byte("zero"))
	v, _ = r.Begin(a, k)
	require.Equal(t, Replay, v)
	k.Replayed()
	v, _ = r.Begin(request(s, 1), k)
	require.Equal(t, First, v)
	k.End(nil)
	r.atRest()
}

// The rule: the reply of an error is kept like any other, and what is kept are the bytes that
// were given, whichever way they left by.
func TestRepliesAreKeptToTheLastByte(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	k := new(Ticket)
	seqid := uint32(0)
	for _, n := range []int{1, 255, 256, 257, 2048, 2049, 3247, 3248, 12, 3248} {
		seqid++
		a := request(s, seqid)
		a.CacheThis = true
		reply := bytes.Repeat([]byte{byte(n)}, n)
		v, _ := r.Begin(a, k)
		require.Equal(t, First, v)
		k.End(reply)
		want := bytes.Clone(reply)
		clear(reply) // the caller's memory is used for something else
		v, _ = r.Begin(a, k)
		require.Equal(t, Replay, v)
		require.Equal(t, want, k.Reply)
		k.Replayed()
	}
	a := request(s, seqid+1)
	a.CacheThis = true
	_, st := r.Begin(a, k)
	require.Equal(t, OK, st)
	k.End(make([]byte, 3249))
	v, _ := r.Begin(a, k)
	require.Equal(t, Uncached, v, "3,249 bytes are one too many")
	r.atRest()
}

func TestAFreedTicketFreesNothingElse(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	k := new(Ticket)
	require.Panics(t, func() { k.End(nil) })
	_, st := r.Begin(request(s, 1), k)
	require.Equal(t, OK, st)
	require.Panics(t, k.Replayed)
	k.End(nil)
	require.Panics(t, func() { k.End(nil) })
	require.Panics(t, k.Abandon)
	r.atRest()
}

func TestDigestsTellRequestsApart(t *testing.T) {
	r := newRig(t)
	base := r.Digest(1, 100, []byte("PUTFH REMOVE a"))
	require.Equal(t, base, r.Digest(1, 100, []byte("PUTFH REMOVE a")))
	for _, other := range []uint64{
		r.Digest(2, 100, []byte("PUTFH REMOVE a")), // the principal counts
		r.Digest(1, 101, []byte("PUTFH REMOVE a")),
		r.Digest(1, 100, []byte("PUTFH REMOVE b")),
		r.Digest(100, 1, []byte("PUTFH REMOVE a")),
		r.Digest(1, 100, nil),
	} {
		require.NotEqual(t, base, other)
	}
}

func TestASessionThatEndsWhileRequestsRunFreesItsMemory(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	var ks [4]Ticket
	for i := range ks {
		a := request(s, 1)
		a.Slot, a.CacheThis = uint32(i), true
		_, st := r.Begin(a, &ks[i])
		require.Equal(t, OK, st)
	}
	ks[0].End(make([]byte, 300)) // kept
	ks[1].End(make([]byte, 300)) // being read
	a := request(s, 1)
	a.Slot, a.CacheThis = 1, true
	v, _ := r.Begin(a, &ks[1])
	require.Equal(t, Replay, v)
	require.Equal(t, OK, r.DestroySession(s.id, 0))
	require.Len(t, ks[1].Reply, 300, "the reader has it until the end")
	ks[1].Replayed()
	ks[2].End(make([]byte, 3000))
	ks[3].Abandon()
	require.Zero(t, s.client.memory.Load())
	_, st := s.enter(&s.groups[0].Load()[0], a, &ks[0])
	require.Equal(t, BadSession, st, "who found the session before it ended")
	_, st = s.grow(7)
	require.Equal(t, BadSession, st)
	require.False(t, s.bind(5, Fore))
	r.atRest()
}

// The rule: two retransmissions at once never read a kept reply together, and none reads it
// while the next request replaces it.
func TestRetransmissionsOnTwoThreads(t *testing.T) {
	rounds := 20_000
	if testing.Short() || again.Now() {
		rounds = 2_000
	}
	r := newRig(t)
	s := r.session(linuxFore)
	var (
		seqid   atomic.Uint32
		replays atomic.Int64
		readers atomic.Int64
		wg      sync.WaitGroup
	)
	for conn := range uint64(2) {
		wg.Go(func() {
			k := new(Ticket)
			for seqid.Load() < uint32(rounds) {
				a := request(s, seqid.Load())
				a.CacheThis, a.Conn = true, conn+1
				v, st := r.Begin(a, k)
				if v != Replay {
					if v != Refused || st != Delay && st != SeqMisordered {
						t.Errorf("a retransmission is %d, status %d", v, st)
						return
					}
					continue
				}
				if readers.Add(1) != 1 {
					t.Error("two readers of one reply")
				}
				for _, b := range k.Reply {
					if b != byte(a.Seqid) {
						t.Errorf("a reply of request %d has a byte of %d", byte(a.Seqid), b)
						break
					}
				}
				replays.Add(1)
				readers.Add(-1)
				k.Replayed()
			}
		})
	}
	k := new(Ticket)
	for n := uint32(1); n <= uint32(rounds); {
		a := request(s, n)
		a.CacheThis = true
		v, st := r.Begin(a, k)
		if v == Refused {
			require.Equal(t, Delay, st)
			continue
		}
		require.Equal(t, First, v)
		k.End(bytes.Repeat([]byte{byte(n)}, 100+int(n%7)*90))
		seqid.Store(n)
		n++
	}
	wg.Wait()
	t.Logf("%d replays", replays.Load())
	r.atRest()
}

// What the tag and a further operation take belongs to the shortest reply.
func TestAReplyThatHasNoRoomForItsBeginningIsRefused(t *testing.T) {
	for _, tt := range []struct {
		replyMax, keptMax, more uint32
		keep                    bool
		want                    Status
	}{
		{300, 300, 220, false, OK}, {300, 300, 221, false, RepTooBig}, {300, 300, 220, true, OK},
		{300, 200, 120, true, OK}, {300, 200, 121, true, RepTooBigToCache}, {300, 200, 121, false, OK},
	} {
		r := newRig(t)
		s := r.session(Channel{RequestMax: 512, ReplyMax: tt.replyMax, KeptMax: tt.keptMax, Ops: 4, Slots: 8})
		a, k := request(s, 1), new(Ticket)
		a.CacheThis, a.More = tt.keep, tt.more
		_, st := r.Begin(a, k)
		require.Equal(t, tt.want, st, "%+v", tt)
		if st != OK {
			a.More = 0
			_, st = r.Begin(a, k)
			require.Equal(t, OK, st, "the slot is as it was")
		}
		k.End(nil)
		r.atRest()
	}
}
