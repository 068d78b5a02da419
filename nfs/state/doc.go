// Package state holds what NFSv4 servers remember of their clients: who they are, their
// leases, their sessions with slots and kept replies (RFC 8881), and the client records of
// version 4.0 (RFC 7530). What they hold of files is package files' business: it is counted
// here ([Table.Hold]), and Config.Confirmed and Config.Dropped say from when to when there can be
// something.
//
// The package is pure. It makes no system call, starts no goroutine and decodes no message.
// The clock, the randomness and the store of client records are handed in by [Config].
//
// # Life of a client of 4.1 and 4.2
//
// [Table.ExchangeID] makes an unconfirmed record. [Table.CreateSession] with its client ID
// confirms it and makes a session; only then what an earlier incarnation of the same owner
// held is dropped. Each request [Table.Begin]s with its slot, which renews the lease, and
// ends by [Ticket.End], [Ticket.Abandon] or [Ticket.Replayed]. [Table.DestroySession] and
// [Table.DestroyClient] end what is left in an orderly way.
//
// # Life of a client of 4.0
//
// [Table.SetClientID] makes an unconfirmed record, or a change of the callback that waits
// for its confirmation. [Table.ConfirmClientID] confirms either. [Table.Renew] renews the
// lease, as does each operation with a stateid.
//
// # Calling back
//
// A session's back channel has slots and sequence IDs of its own: back.go. [Table.CallBack] takes
// one and says by which connection and as whom the client is called; whoever sends the record
// reports by [BackCall.Answered], Another and End what came of it. A slot of which nobody knows
// what the client has seen is asked about before it is used again. The flags of SEQUENCE tell the
// client when it cannot be called any more. [Session.Answers] is true only after a callback was
// answered.
//
// # Leases
//
// A client whose lease has ended and that still holds state is courteous: it loses that
// state when somebody else needs it ([Table.Expire]), when the table is full, or after
// Config.CourtesyMax. If it comes back before, nothing has happened. [Table.Sweep], called
// about once a second, ends what is over. What counts as state is [Client.Hold]'s business.
//
// An unconfirmed record lives for one lease. There is a bound for them, and the oldest goes
// first. Confirmed clients are bounded, too; a new one takes the place of the courteous one
// whose lease ended first, or is told to come back later. So nobody can push out a client
// that renews its lease.
//
// # Numbers that clients show
//
// A client ID, a session ID and a stateid each hold an index into an array of chunks of
// atomic pointers, random bits, and 12 bits of the server's epoch: see ids.go. Finding the
// object is two loads and a comparison. Nobody guesses one, and one of another epoch is
// never taken for one of this epoch.
//
// # Concurrency
//
// Everything may be called from any goroutine. Begin and End take no lock, change no map and
// allocate nothing unless a reply is kept; see sequence.go. Two exceptions lock a client for
// a moment: the first request that uses a slot's group of eight, and the first request of a
// connection. All others take locks, are rare, and do not block but for those that say that
// they write to the store. No lock is held over a call of the store.
//
//	Table.mu       owners' names, what is unconfirmed, counts
//	  Client.mu    sessions, the slot of CREATE_SESSION, RECLAIM_COMPLETE
//	    conns.mu, Index.mu, Minter.mu
//
// Config.Dropped is called without a lock. [Table.Hold] and [Table.Courteous] take none, so
// they may be called with any lock held; [Table.Expire] must not be.
//
// Objects are not counted. Who has a *Client or *Session may go on reading it after it has
// left the table: its fields say that it is over (Client.Gone), and the collector frees it
// when the last one has finished.
//
// # Memory
//
// Sessions, groups of slots and kept replies are counted against Config.MemoryMax: see
// budget.go. Client records are bounded by number.
package state
