package state

import "hash/maphash"

// sequenceReply is how many bytes the shortest reply has: RPC header 24, COMPOUND with an
// empty tag 12, SEQUENCE 44.
const sequenceReply = 80

// Sequence is what SEQUENCE asks, and what else counts for its slot.
type Sequence struct {
	Session   SessionID
	Slot      uint32
	Seqid     uint32
	Highest   uint32 // sa_highest_slotid
	CacheThis bool
	// Digest is Table.Digest of the request.
	Digest uint64
	// Size is the request's, in bytes, RPC header included.
	Size uint32
	// Ops is how many operations the request has, SEQUENCE included.
	Ops uint32
	// More is how many bytes the reply has at least, beyond one with an empty tag and no result but
	// that of SEQUENCE.
	More uint32
	// Conn is the connection that it came by; 0 is not recorded.
	Conn uint64
	// Now, unless it is 0, is what Table.Now returned when the request had already arrived. With 0
	// Begin asks the clock.
	Now uint32
}

// Verdict is what a request turned out to be.
type Verdict uint8

// The verdicts of Begin.
const (
	// Refused: SEQUENCE answers the status; the slot is as it was.
	Refused Verdict = iota
	// First: the request is to be run. Its owner must End or Abandon the ticket.
	First
	// Replay: it has been answered, by Ticket.Reply. Its owner must call Ticket.Replayed.
	Replay
	// Uncached: it has been answered, or was lost, and no reply was kept. SEQUENCE succeeds,
	// and a second operation answers NFS4ERR_RETRY_UNCACHED_REP (RFC 8881 section
	// 2.10.6.1.3). Nothing is to be ended.
	Uncached
)

// Ticket is the right to a slot, and what SEQUENCE answers. It lies in the caller's memory
// and is good for one Begin at a time; one goroutine at a time uses it.
type Ticket struct {
	// Reply is the kept reply with Replay, until Replayed: the bytes that End was given.
	Reply []byte
	// HighestSlot, TargetSlot and StatusFlags are for the results of SEQUENCE, set with all
	// verdicts but Refused.
	HighestSlot, TargetSlot, StatusFlags uint32

	s        *Session
	sl       *slot
	word     uint64 // when the slot is idle again
	verdict  Verdict
	keep     bool
	reserved int // bytes taken for the reply
}

// Digest returns a number that a request and its retransmission have in common and others
// hardly ever: of who asks, how long the request is, and the beginning of its operations
// after SEQUENCE. It is good for the life of the process.
func (t *Table) Digest(who uint64, length int, head []byte) uint64 {
	// Of the hash nobody outside knows the difference of two heads. So who asks and how long the
	// request is need no secret.
	return maphash.Bytes(t.seed, head) ^ (who*0x9e3779b97f4a7c15+uint64(length))*0xd6e8feb86659fd93
}

// Now returns the time of Config.Now, for Sequence.
func (t *Table) Now() uint32 { return t.now() }

// Begin is SEQUENCE (RFC 8881 section 18.46): it takes the slot for the request in a, or says
// what else is to be done. With Refused the Status is the operation's; else it is OK, k is
// filled, the client's lease is renewed, and the connection is bound to the session.
//
// All checks come before the slot is taken. A request that is refused leaves it as it was,
// so the client may mend the request and send it again.
func (t *Table) Begin(a *Sequence, k *Ticket) (Verdict, Status) {
	s := t.sessions.At(a.Session.index())
	switch {
	case s == nil || s.id != a.Session:
		return Refused, BadSession
	case a.Slot >= s.fore.Slots:
		return Refused, BadSlot
	case a.Highest >= s.fore.Slots:
		return Refused, BadHighSlot
	case a.Size > s.fore.RequestMax:
		return Refused, ReqTooBig
	case a.Ops > s.fore.Ops:
		return Refused, TooManyOps
	case s.fore.ReplyMax < sequenceReply+a.More:
		return Refused, RepTooBig
	case a.CacheThis && s.fore.KeptMax < sequenceReply+a.More:
		return Refused, RepTooBigToCache
	}
	g := s.groups[a.Slot/groupLen].Load()
	if g == nil {
		var st Status
		if g, st = s.grow(a.Slot / groupLen); st != OK {
			return Refused, st
		}
	}
	verdict, st := s.enter(&g[a.Slot%groupLen], a, k)
	if verdict == Refused {
		return Refused, st
	}
	now := a.Now
	if now == 0 {
		now = t.now()
	}
	s.client.renew(now)
	if !s.isBound(a.Conn) {
		s.bind(a.Conn, Fore)
	}
	k.HighestSlot = s.fore.Slots - 1
	k.TargetSlot = k.HighestSlot
	if level := t.budget.level.Load(); level != plenty {
		k.TargetSlot = s.target(level, a.Highest)
		s.complied(a.Highest)
	}
	k.StatusFlags = s.client.flags.Load() | s.flags.Load()
	return verdict, OK
}

// enter takes sl for a, or finds out why not.
func (s *Session) enter(sl *slot, a *Sequence, k *Ticket) (Verdict, Status) {
	t, digest := s.table, digestBits(a.Digest)
	for {
		w := sl.word.Load()
		phase, last := w&phaseMask, uint32(w)
		switch {
		case phase == dead:
			return Refused, BadSession
		case a.Seqid == last && w&used != 0:
			if phase != idle {
				return Refused, Delay
			}
			switch {
			case w&digestMask != digest:
				return Refused, SeqFalseRetry
			case w&kept == 0:
				*k = Ticket{s: s, verdict: Uncached}
				return Uncached, OK
			case sl.word.CompareAndSwap(w, w|replaying):
				*k = Ticket{s: s, sl: sl, word: w, verdict: Replay, Reply: sl.reply}
				return Replay, OK
			}
			continue
		case a.Seqid != last+1 || phase == busy:
			// Who goes on while the last request runs has not waited for its reply.
			return Refused, SeqMisordered
		case phase != idle:
			return Refused, Delay
		}
		reserved := 0
		if a.CacheThis {
			reserved = max(t.sizes[s.keptClass]-t.sizes[classOf(w)], 0)
			if !t.budget.take(s.client, reserved) {
				s.retire(a.Highest)
				if !t.budget.take(s.client, reserved) {
					return Refused, Delay
				}
			}
		}
		next := uint64(a.Seqid) | used | w&classMask | digest
		if !sl.word.CompareAndSwap(w, next|busy) {
			t.budget.give(s.client, reserved)
			continue
		}
		*k = Ticket{s: s, sl: sl, word: next, verdict: First, keep: a.CacheThis, reserved: reserved}
		return First, OK
	}
}

// target returns sr_target_highest_slotid when memory is short.
func (s *Session) target(level, highest uint32) uint32 {
	least := min(s.fore.Slots-1, groupLen-1)
	if level == dire {
		return least
	}
	return max(least, highest)
}

// Session returns whose slot it is, nil after Refused.
func (k *Ticket) Session() *Session { return k.s }

// Keeps reports whether the reply is to be kept: its encoder must stay within
// Session.Fore().KeptMax and answer NFS4ERR_REP_TOO_BIG_TO_CACHE before it runs an operation
// whose result may not fit.
func (k *Ticket) Keeps() bool { return k.keep }

// End frees the slot of a First request that has been answered. If the request asked for it, a
// copy of reply is kept: the results of the COMPOUND, whether it succeeded or failed, without
// what belongs to the connection that it leaves by.
func (k *Ticket) End(reply []byte) {
	k.must(First)
	t, w, class := k.s.table, k.word&^(kept|classMask), classOf(k.word)
	spare := k.reserved
	switch {
	case k.keep && len(reply) > 0 && len(reply) <= int(k.s.fore.KeptMax):
		if want := t.sizes.class(len(reply)); want > class {
			spare -= t.sizes[want] - t.sizes[class]
			class = want
			k.sl.reply = make([]byte, 0, t.sizes[want])
		}
		k.sl.reply = append(k.sl.reply[:0], reply...)
		w |= kept
	case class != 0 && t.budget.level.Load() != plenty:
		spare += t.sizes[class]
		class = 0
		k.sl.reply = nil
	}
	t.budget.give(k.s.client, spare)
	k.leave(w | uint64(class)<<classShift)
}

// Abandon frees the slot of a First request that was lost before it was answered: its arguments
// could not be decoded, or its connection broke. Since nobody knows how far it came, it counts
// as answered without a kept reply.
func (k *Ticket) Abandon() { k.End(nil) }

// Replayed frees the slot of a Replay. Reply must not be read any more.
func (k *Ticket) Replayed() {
	k.must(Replay)
	k.leave(k.word)
}

func (k *Ticket) leave(w uint64) {
	s, sl := k.s, k.sl
	*k = Ticket{}
	sl.leave(s, w)
}

func (k *Ticket) must(v Verdict) {
	if k.verdict != v {
		panic("state: a slot is freed that is not held, or is held otherwise")
	}
}
