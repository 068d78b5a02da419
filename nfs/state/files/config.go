package files

import (
	"io"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// Config says what a Table is made of. Now and Random are needed. Nil functions do nothing;
// zero limits mean the defaults named here.
//
// The functions are called from the goroutine of the operation that gives rise to it. But for
// Hold and those of Mirror they are called without a lock, so they may call the table.
type Config struct {
	// Now is the clock: whole seconds. It may stand still or go back.
	Now func() uint32
	// Random is where unguessable bits come from. It is read in pieces of 256 bytes.
	Random io.Reader
	// Epoch differs from one start of the server to the next. Its low 12 bits are used.
	Epoch uint32

	// Mirror shows byte-range locks to the programs of the server's machine; nil for none.
	Mirror Mirror
	// Courteous reports whether a client's lease has ended, so that its state may go when
	// somebody else needs it.
	Courteous func(client uint64) bool
	// Expire ends such a client. It reports false if the client has come back meanwhile. After
	// true the table revokes the client's state by itself; Expire may call DropClient.
	Expire func(client uint64) bool
	// Relieve is called when a bound for all clients is reached. It reports whether it has had
	// any state dropped.
	Relieve func() bool
	// Opened and Closed are called when the first open of a file begins and when the last one,
	// or the last pin, has ended. Two calls for one file may overtake each other, but each
	// beginning has one end: who counts up and down is right in the end.
	Opened, Closed func(*File)
	// Notify is called with those who wait for locks and may now have them: a client of 4.1 is
	// sent CB_NOTIFY_LOCK (RFC 8881 section 20.11). The slice is the callee's.
	Notify func([]Waiter)
	// Hold counts what a client holds, one more or one less, dead stateids not included. Locks
	// are held: it must not block and not call the table.
	Hold func(client uint64, n int)

	// LeaseSeconds is how long a waiter is remembered that does not ask again, and how long
	// owners of 4.0 are that have no open. 45.
	LeaseSeconds uint32
	// ReserveSeconds is how long a lock that became free is kept for a waiter that was told so,
	// against others that would wait. 5.
	ReserveSeconds uint32

	// StatesMax bounds stateids in all. 2^20.
	StatesMax int
	// ClientStatesMax bounds the stateids of a client. 65536.
	ClientStatesMax int
	// ClientOwnersMax bounds the open owners and lock owners of a client. 65536.
	ClientOwnersMax int
	// FileLocksMax and ClientLocksMax bound byte-range locks, as ranges. 4096 and 65536.
	FileLocksMax, ClientLocksMax int
	// FileWaitersMax and ClientWaitersMax bound who waits for locks. Who is not remembered must
	// ask again by itself. 256 and 1024.
	FileWaitersMax, ClientWaitersMax int
	// MemoryMax bounds all of it in bytes, kept replies of 4.0 included. 512 MiB.
	MemoryMax int64
}

// Mirror has one lock of the kernel's for each file, which stands for all of ours (see package
// ranges). Its methods are called with the file's lock held, so there is one call for a file at a
// time, and they may not call the table. They make a system call that does not wait for others.
type Mirror interface {
	// Raise sets the kernel's lock on r to kind, all of it or nothing. If a program of the
	// machine is in the way it answers Held, with that program's lock in held.
	Raise(f *File, r ranges.Range, kind ranges.Kind, held *ranges.Lock) Raised
	// Lower unlocks ranges.
	Lower(f *File, rs []ranges.Range)
	// Holder returns the lock of a program that is in the way of one of ours.
	Holder(f *File, r ranges.Range, kind ranges.Kind) (ranges.Lock, bool)
	// Done says that nothing is locked any more, and that nobody waits for a program of the machine:
	// what the mirror keeps for the file may go. It follows a Raise that was granted, or that found
	// the lock of such a program.
	Done(f *File)
}

// Raised is what became of an attempt to raise the kernel's lock.
type Raised uint8

// The outcomes of Raise.
const (
	Granted Raised = iota
	Held           // by a program of the machine
	Failed         // no descriptor, no memory: the client is told to come back
)

func (c *Config) setDefaults() {
	set(&c.LeaseSeconds, 45)
	set(&c.ReserveSeconds, 5)
	set(&c.StatesMax, 1<<20)
	set(&c.ClientStatesMax, 1<<16)
	set(&c.ClientOwnersMax, 1<<16)
	set(&c.FileLocksMax, 4096)
	set(&c.ClientLocksMax, 1<<16)
	set(&c.FileWaitersMax, 256)
	set(&c.ClientWaitersMax, 1024)
	set(&c.MemoryMax, 512<<20)
	if c.Courteous == nil {
		c.Courteous = func(uint64) bool { return false }
	}
	if c.Expire == nil {
		c.Expire = func(uint64) bool { return true }
	}
	if c.Relieve == nil {
		c.Relieve = func() bool { return false }
	}
	if c.Opened == nil {
		c.Opened = func(*File) {}
	}
	if c.Closed == nil {
		c.Closed = func(*File) {}
	}
	if c.Notify == nil {
		c.Notify = func([]Waiter) {}
	}
	if c.Hold == nil {
		c.Hold = func(uint64, int) {}
	}
}

func set[T int | int64 | uint32](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
