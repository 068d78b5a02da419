package state

import "io"

// Config says what a Table is made of. Now and Random are needed; zero values of the others
// are replaced by the defaults named here.
type Config struct {
	// Now is the clock: whole seconds since some moment before the table was made. It is
	// called for each request, so it should be one atomic load. It may stand still or go
	// back: leases then last longer, and nobody loses one early.
	Now func() uint32
	// Random is where unguessable bits come from. It is read in pieces of 256 bytes.
	Random io.Reader
	// Epoch differs from one start of the server to the next. Its low 12 bits are used.
	Epoch uint32
	// Server is what EXCHANGE_ID says of the server.
	Server Server
	// LeaseSeconds is how long a client may be silent. 45.
	LeaseSeconds uint32
	// GraceSeconds is how long clients may reclaim after a restart, if they do not say earlier
	// that they are done. It should not be shorter than the lease that clients had before the
	// restart: they may notice it that late. As LeaseSeconds.
	GraceSeconds uint32
	// CourtesyMax is how many seconds after the end of its lease a client keeps state that
	// nobody else needs. 86400.
	CourtesyMax uint32
	// ClientsMax bounds the confirmed clients. 4096.
	ClientsMax int
	// UnconfirmedMax bounds the clients that are not confirmed. 1024.
	UnconfirmedMax int
	// SessionsMax bounds the sessions of a client. 16.
	SessionsMax int
	// SlotsMax bounds the slots of a session, at most 64. 64.
	SlotsMax uint32
	// RequestMax and ReplyMax bound a request and a reply, in bytes, RPC header included.
	// 1 MiB and 4 KiB.
	RequestMax, ReplyMax uint32
	// KeptMax bounds a kept reply, in bytes, RPC header included: 2,048 and what a LOCK
	// needs to tell of an owner of 1,024 bytes. 3248.
	KeptMax uint32
	// OpsMax bounds the operations of a request. Linux refuses a server that gives fewer
	// than it asks for, which is 8. 128.
	OpsMax uint32
	// MemoryMax bounds sessions, slots and kept replies, in bytes. 32 MiB.
	MemoryMax int64
	// Confirmed, if not nil, is called when a client is confirmed, before it can ask for anything.
	// Locks are held, so it must not call the table. Minor is 0 for a client of version 4.0.
	Confirmed func(id ClientID, minor uint8)
	// Dropped, if not nil, is called once when what a client held is over, with no lock held.
	// A client of version 4.0 may still be told EXPIRED then, without Lapsed; any other is gone.
	Dropped func(ClientID)
	// Lapsed, if not nil, is called instead when a client of version 4.0 has to give up what it
	// held: its stateids are to answer EXPIRED until Dropped is called. No lock is held.
	Lapsed func(ClientID)
	// Store keeps client records over a restart of the server; nil for none.
	Store Store
}

// Server is what a server tells its clients of itself (RFC 8881 section 2.10.5). Two
// addresses with the same Major, Minor and Scope are the same server.
type Server struct {
	Minor        uint64
	Major, Scope []byte
}

// Record is what has to be known of a client after a restart of the server, so that it may
// reclaim what it held and nobody else gets it first.
type Record struct {
	Owner     string
	Verifier  Verifier
	Principal Principal
	Minor     uint8 // 0: version 4.0; 1: 4.1 and later
	Complete  bool  // it has said RECLAIM_COMPLETE
}

// Store keeps client records. Its methods may block for as long as stable storage does, and
// each has its effect on stable storage when it returns without an error. They may be called
// at the same time. The table calls them without a lock.
type Store interface {
	// Load returns the records that an earlier server has left.
	Load() ([]Record, error)
	// Record adds records, each in place of another one with the same owner.
	Record(rs []Record) error
	// Forget removes records with these owners and verifiers. Those with another verifier
	// are of a later incarnation and stay.
	Forget(rs []Record) error
	// EndGrace removes the records of which nobody has reclaimed anything.
	EndGrace() error
}

func (c *Config) setDefaults() {
	set(&c.LeaseSeconds, 45)
	set(&c.GraceSeconds, c.LeaseSeconds)
	set(&c.CourtesyMax, 86400)
	set(&c.ClientsMax, 4096)
	set(&c.UnconfirmedMax, 1024)
	set(&c.SessionsMax, 16)
	set(&c.SlotsMax, slotsMax)
	c.SlotsMax = min(c.SlotsMax, slotsMax)
	set(&c.RequestMax, 1<<20+4<<10)
	set(&c.ReplyMax, 1<<20+4<<10)
	set(&c.KeptMax, 3248)
	set(&c.OpsMax, 128)
	set(&c.MemoryMax, 32<<20)
}

func set[T int | int64 | uint32](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
