package drc

import (
	"math"
	"time"
)

// Wire is a connection that calls come by. The cache only compares it, with ==.
type Wire any

// Unsent is the place of a reply that has not been sent.
const Unsent = math.MaxUint64

// Answer is what the cache knows of an earlier call that looks the same, and of one connection that
// the earlier call's reply was or will be sent by.
type Answer struct {
	By Wire
	// End is how many bytes the connection has carried to the peer when the reply's last byte
	// has arrived. It is Unsent while the reply has not been queued there.
	End uint64
	// Done says that the call has been answered, at At.
	Done bool
	At   time.Time
}

// Relation is what a connection is to an earlier one by which an equal call came.
type Relation uint8

// The relations.
const (
	// Unknown: nobody can tell yet; later it will be known.
	Unknown Relation = iota
	// Successor: the connection has taken the place of the earlier one, whose peer has not
	// heard the reply. The call is a retransmission.
	Successor
	// Stranger: the earlier connection is alive beside this one, or its peer has heard the
	// reply. The call is another one.
	Stranger
	// Settled: like Stranger, and the earlier connection will not carry this call again: it is
	// over, and its peer has heard the reply.
	Settled
)

// Caller is a call that is looked up.
type Caller interface {
	// By returns the connection that the call came by.
	By() Wire
	// Judge returns what that connection is to a.By, which is another connection. Begin calls
	// it, on its goroutine and with no lock held.
	Judge(a Answer) Relation
	// Ended is called once when Begin has said Busy, by the goroutine that ends the call in
	// progress. reply answers this call, too; it is shared and immutable. If reply is nil, this
	// call must Begin again. Ended must not block.
	Ended(reply []byte)
}

// judgement is what Judge has said of an entry.
type judgement struct {
	e       *entry
	version uint64
	answers []Answer
	is      Relation
}

// judgedMax is how many entries with one key the cache asks about, the newest first. A client that
// connects again has one such entry; more means many clients with equal calls.
const judgedMax = 8

// judge asks from about each entry about which it has not been asked.
func judge(from Caller, entries []judgement) {
	for i := range entries {
		j := &entries[i]
		if len(j.answers) == 0 {
			continue // it was judged before
		}
		j.is = Successor
		for _, a := range j.answers {
			switch r := from.Judge(a); {
			case r == Stranger:
				j.is = Stranger
			case r == Unknown && j.is != Stranger:
				j.is = Unknown
			case r == Settled && j.is == Successor:
				j.is = Settled
			}
		}
		j.answers = nil
	}
}
