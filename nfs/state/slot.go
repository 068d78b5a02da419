package state

import "sync/atomic"

const (
	slotsMax = 64 // of a session
	groupLen = 8  // slots that are allocated together
)

// slot is one slot of a session's reply cache (RFC 8881 section 2.10.6.1) in one cache line.
// Who has made its word busy or replaying owns reply until it makes the word idle.
type slot struct {
	word  atomic.Uint64
	reply []byte // the owner's; its capacity is the word's class
	_     [32]byte
}

// group is what slots are allocated by: a client that has one request at a time has 512
// bytes of them.
type group [groupLen]slot

// A slot's word: the sequence ID of the last request in the low half, above it
const (
	phaseMask = 3 << 32
	idle      = 0 << 32
	busy      = 1 << 32 // a request runs
	replaying = 2 << 32 // somebody reads the kept reply, or frees it
	dead      = 3 << 32 // the session is over

	used = 1 << 34 // there was a request: a retransmission of it is one
	kept = 1 << 35 // its reply is in reply

	classShift = 36
	classMask  = 7 << classShift // of sizes: the memory that reply has

	// The digest of the last request. A client that uses a sequence ID for two requests is
	// found out but for one time in 33 million.
	digestShift = 39
	digestMask  = (1<<25 - 1) << digestShift
)

// digestBits returns what a word has of a digest.
func digestBits(digest uint64) uint64 { return digest * 0x9e3779b97f4a7c15 & digestMask }

func classOf(w uint64) int { return int(w & classMask >> classShift) }

// bury makes the slot unusable if it is idle, and frees what it has kept. Otherwise its owner
// buries it: that one makes it idle and then looks whether the session is dead, while whoever
// kills a session marks that first. So one of the two finds it idle.
func (sl *slot) bury(s *Session) {
	for {
		w := sl.word.Load()
		if w&phaseMask != idle {
			return
		}
		if sl.word.CompareAndSwap(w, dead) {
			sl.reply = nil
			s.table.budget.give(s.client, s.table.sizes[classOf(w)])
			return
		}
	}
}

// leave makes the slot idle with word w, by its owner.
func (sl *slot) leave(s *Session, w uint64) {
	sl.word.Store(w)
	if s.dead.Load() {
		sl.bury(s)
	}
}

// retire forgets the reply of an idle slot, so that a retransmission is told that it was not
// kept.
func (sl *slot) retire(s *Session) {
	w := sl.word.Load()
	if w&phaseMask != idle || classOf(w) == 0 || !sl.word.CompareAndSwap(w, w|replaying) {
		return
	}
	sl.reply = nil
	s.table.budget.give(s.client, s.table.sizes[classOf(w)])
	sl.leave(s, w&^(kept|classMask))
}
