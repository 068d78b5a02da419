package rpc

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Outcome is what became of running a procedure.
type Outcome uint8

// The outcomes of a procedure.
const (
	// Done: the results are encoded in Call.Reply.
	Done Outcome = iota
	// Wait: the answer is not in memory and this thread may not sleep. The procedure has
	// changed nothing; the transport runs it again on a worker.
	Wait
	// Grow: the reply needs Call.Need more bytes of memory than Reply has. The procedure has
	// changed nothing; the transport runs it again when the memory is there.
	Grow
	// GarbageArgs: the arguments could not be decoded (GARBAGE_ARGS).
	GarbageArgs
	// SystemErr: the server failed (SYSTEM_ERR).
	SystemErr
	// TooWeak: the procedure wants a stronger credential (AUTH_ERROR, AUTH_TOOWEAK).
	TooWeak
	// Owing: the results are encoded, but tell of changes that are not on stable storage yet (see
	// [vfs.Debts]). Server.Settle must be called before the reply leaves.
	Owing
)

// Place is one thread that runs procedures: a lane or a worker. The places of a server have
// different values of Index, from zero on without gaps.
type Place struct {
	Index  int
	Thread *vfs.Thread
}

// State is a procedure's own of one call that is run in parts: see Call.Keep.
type State interface {
	// Drop ends it, when the call has ended, was answered or not. It is called once, on the
	// call's lane, and does not block.
	Drop()
}

// Call is one call in progress. Server.Parse fills the fields above the line; procedures only read
// them.
type Call struct {
	XID  uint32
	Prog uint32
	Vers uint32
	Proc uint32
	// Auth is the verified credential.
	Auth Auth
	// Peer is the caller's address.
	Peer netip.AddrPort
	// Origin is who sends the call; nil for another machine.
	Origin *Origin
	// Local is the server's address that the call came in on.
	Local netip.AddrPort
	// Conn is the number of the connection that the call came by. No other connection of the
	// server has had it or will have it. It is 0 without a connection.
	Conn uint64
	// Datagram is true when the call came by UDP: then the reply must fit into one datagram.
	Datagram bool

	// Place is where the call runs now.
	Place *Place
	// Args decodes the arguments. It is rewound before a procedure runs again.
	Args xdr.Decoder
	// Reply encodes the results, behind the reply header. Its capacity is at
	// least ReplyMin when a procedure starts.
	Reply xdr.Encoder
	// Pipes lends pipes for results that need not pass through memory. It is nil when the
	// transport wants all results in Reply.
	Pipes Pipes
	// Tail is the part of the results that follows Reply and does not lie in memory. A
	// procedure that sets it gives the pipe away.
	Tail Tail
	// Need is set with Grow, and with Wait when the procedure has asked for Room. A procedure
	// sets it, best by Room, to the bytes that its results need in all. When Server.Run
	// returns, Need is how many bytes of memory Reply must be reset with, the header included.
	Need int
	// Least is set with Need when the results may be shorter (RoomBetween), and is 0 otherwise.
	// The call can also be answered with Least bytes of memory, if Short says that there will
	// not be more.
	Least int
	// Short is set by the transport before Run. It says that Reply has less memory than Need
	// asked for.
	Short bool
	// Keep is set with Wait or Grow by a procedure that has gone a part of its way and
	// wants to go on from there. What it has encoded of the results stays, and Args stays
	// where it is. What the procedure has to know beside that it puts into State. Without
	// Keep the procedure begins again.
	Keep bool
	// State is what a procedure knows of the call between its runs, nil before the first.
	State State
	// Once is set with Wait by a procedure that is not marked Once as a whole, and finds
	// that this call must not run twice: see [Procedure]. It stays set until Reset.
	Once bool
	// Brief is set with Wait by a procedure that will hardly ever sleep on a worker. The
	// transport may hand such calls over in batches.
	Brief bool
	// Debt is set with Owing by Server.Run: the number of what the call owes.
	Debt uint64

	program    *Program // nil with procedure, and for calls that a flavor answers
	procedure  *Procedure
	status     callStatus
	protection Protection  // of the flavor; nil if it protects nothing
	args       xdr.Decoder // Args as it was after the header, to rewind
	header     int         // where the results begin in Reply
	before     int         // bytes of the header that the protection fills in
	behind     int         // bytes behind the results that the protection may need
	capacity   int         // of Reply's memory
	succeeded  bool        // Reply holds results
	presented  Presented
	kept       []byte // results as they were before the flavor wrapped them
	held       []byte // the first results of a call that goes on: see Keep
	scratch    []byte // a header that came in pieces
}

// Reset forgets the call, for the pool, and keeps nothing borrowed. It also forgets Place, Peer,
// Origin, Local, Conn and Datagram.
func (c *Call) Reset() {
	c.XID, c.Prog, c.Vers, c.Proc = 0, 0, 0, 0
	c.Auth.Flavor, c.Auth.UID, c.Auth.GID, c.Auth.n = AuthNone, nobody, nobody, 0
	c.Peer, c.Local, c.Conn, c.Datagram = netip.AddrPort{}, netip.AddrPort{}, 0, false
	c.Place, c.Origin = nil, nil
	c.Pipes = nil
	c.undo(0)
	c.Args.Reset(nil)
	c.args.Reset(nil)
	c.Reply.Reset(nil)
	c.Need, c.Least, c.Short, c.Brief, c.Keep, c.Once = 0, 0, false, false, false, false
	c.Debt = 0
	if c.State != nil {
		c.State.Drop()
		c.State = nil
	}
	if c.held = c.held[:0]; cap(c.held) > heldMax {
		c.held = nil
	}
	c.program, c.procedure, c.protection = nil, nil, nil
	c.status = callStatus{}
	c.header, c.before, c.behind, c.capacity = 0, 0, 0, 0
	c.succeeded = false
	c.presented = Presented{}
}

// undo forgets what has been encoded of the reply from at on, and the tail.
func (c *Call) undo(at int) {
	c.Tail = Tail{}
	c.Reply.Truncate(at)
}

// Procedure returns the procedure that the call runs. It returns nil for a call that will be
// refused: then Server.Run encodes the refusal and needs no particular place.
func (c *Call) Procedure() *Procedure { return c.procedure }

// Target returns what the call depends on, as its program says: see Program. It is called before
// Run, or when Run has returned Wait or Grow.
func (c *Call) Target() Target {
	if c.program == nil || c.program.Target == nil {
		return Target{}
	}
	return c.program.Target(c)
}

// Results returns the bare results of a call that Run has answered with SUCCESS, without the header
// and without a flavor's wrapping. A duplicate of the call is answered with them ([Server.Replay]).
// Results reports false for every other reply. The view ends with the reply's memory or with Reset.
func (c *Call) Results() (results []byte, ok bool) {
	if !c.succeeded {
		return nil, false
	}
	if c.protection != nil && c.once() {
		return c.kept, true
	}
	return c.Reply.Bytes()[c.header:], true
}

// once reports whether the call must not run twice.
func (c *Call) once() bool { return c.Once || c.procedure.Once }

// ArgsHead returns the first n bytes of the arguments, or all if there are fewer, and the number of
// all. These tell a duplicate of the call from another call with the same XID. The view ends
// with the record.
func (c *Call) ArgsHead(n int) (head []byte, size int) {
	size = c.args.Left()
	d := c.args
	return d.Fixed(min(n, size) &^ 3), size
}

// ArgsSize returns how many bytes the arguments have in all.
func (c *Call) ArgsSize() int { return c.args.Left() }

// Back makes Args read on from where it had left bytes unread. Views of the arguments that were
// read from there on, or that came in pieces, are not valid any more.
func (c *Call) Back(left int) {
	c.Args = c.args
	c.Args.Skip(c.Args.Left() - left)
}

// Credential returns the body of the credential, as it came. Together with Auth it tells callers
// apart. It is empty for a flavor that protects the call, since such a flavor's credential is new
// each time that the call is sent (RFC 2203, section 5.3.3.1). The view ends with the record.
func (c *Call) Credential() []byte {
	if c.protection != nil {
		return nil
	}
	return c.presented.Cred
}

// Move copies the record to dst, which must have room for it, and makes the call read on there. The
// call then no longer borrows the memory that it was parsed from; it borrows dst until Reset. first
// and rest are the arguments of [Server.Parse]. Move is called after Parse, and not while a
// procedure runs.
//
// Move reports false, and does nothing, for a call that a flavor protects or answers itself, since
// the flavor may have views of the record.
func (c *Call) Move(dst, first []byte, rest [][]byte) bool {
	if c.protection != nil || c.procedure != nil && c.program == nil {
		return false
	}
	n := copy(dst, first)
	for _, r := range rest {
		n += copy(dst[n:], r)
	}
	dst = dst[:n]
	c.Args.Move(dst)
	c.args.Move(dst)
	c.presented.move(dst)
	return true
}

// Pipes lends pipes to procedures.
type Pipes interface {
	// Pipe returns an empty pipe with room for n bytes, or nil: then the results go to Reply.
	// The pipe remains the transport's unless it becomes the call's Tail. Pipe does not block.
	Pipe(n int) *vfs.Pipe
}

// Tail is the last part of a call's results, which does not pass through memory: bytes in a pipe,
// such as pages of a file. The zero value is no tail.
type Tail struct {
	// Pipe is the pipe that Pipes has lent to the call. It holds exactly Len bytes.
	Pipe *vfs.Pipe
	Len  int
	// Pad is how many zero bytes follow, 0 to 3: opaque data ends at a multiple of
	// four bytes (RFC 4506, section 4.10).
	Pad int
}

// TailOf returns a Tail of n bytes of opaque data that are in p.
func TailOf(p *vfs.Pipe, n int) Tail { return Tail{Pipe: p, Len: n, Pad: -n & 3} }

// Size returns how many bytes follow Reply.
func (t *Tail) Size() int { return t.Len + t.Pad }

// ReplyMin is the least room in bytes that Call.Reply has, behind its header, when a procedure
// starts. All results but those of READ, READLINK, READDIR, READDIRPLUS and lists fit into it.
const ReplyMin = 1024

// Restart drops the results that have been encoded so far.
func (c *Call) Restart() { c.undo(c.header) }

// Encoded returns the results that have been encoded so far, as a view of Reply's memory.
func (c *Call) Encoded() []byte { return c.Reply.Bytes()[c.header:] }

// Room makes sure that n more bytes can be encoded into Reply. When it returns false the procedure
// must return Grow at once.
func (c *Call) Room(n int) bool {
	c.Need = n + c.Reply.Len() - c.header
	return c.Reply.Free()-c.behind >= n
}

// Free returns for how many bytes Room is true.
func (c *Call) Free() int { return c.Reply.Free() - c.behind }

// RoomBetween is Room for results that may have between least and n bytes when memory is short. It
// returns how many of n bytes there is room for.
func (c *Call) RoomBetween(least, n int) (room int, ok bool) {
	if c.Room(n) {
		return n, true
	}
	if free := c.Reply.Free() - c.behind; c.Short && free >= least {
		return free, true
	}
	c.Least = least + c.Reply.Len() - c.header
	return 0, false
}

const (
	// dataLeast is how many bytes of data a result has at least, of more that there are, when
	// memory is short.
	dataLeast = 512
	pageSize  = 4096
)

// RoomForData is Room for a header and up to count bytes of opaque data with its padding. It
// returns how many bytes the data may have: count, and less when memory is short, in whole pages
// if there is room for one.
func (c *Call) RoomForData(header, count int) (n int, ok bool) {
	const padding = 3
	room, ok := c.RoomBetween(header+min(count, dataLeast)+padding, header+count+padding)
	if !ok {
		return 0, false
	}
	if n = room - header - padding; n < count {
		if n >= pageSize {
			n &^= pageSize - 1
		} else {
			n &^= dataLeast - 1
		}
	}
	return n, true
}

// Flavor numbers of RFC 5531, section 8.2, and RFC 9289.
const (
	AuthNone  = 0
	AuthSys   = 1
	AuthShort = 2
	RPCSecGSS = 6
	AuthTLS   = 7
)

// Auth is the verified credential of a call.
type Auth struct {
	Flavor uint32
	// UID, GID and Groups are those of AUTH_SYS. With AUTH_NONE, UID and GID are 65534 and
	// there are no Groups. Groups is a view into the call's own array.
	UID    uint32
	GID    uint32
	groups [GroupsMax]uint32
	n      int
}

// GroupsMax is the most groups that AUTH_SYS carries (RFC 5531, appendix A).
const GroupsMax = 16

// Groups returns the supplementary groups, a view of a.
func (a *Auth) Groups() []uint32 { return a.groups[:a.n] }

// Class says where a procedure is run first.
type Class uint8

// Where a procedure is run first.
const (
	// Inline procedures are tried on the lane.
	Inline Class = iota
	// Blocking procedures go to a worker at once.
	Blocking
)

// Procedure is one entry of a program's table.
type Procedure struct {
	// Name is the procedure's name in the protocol's spelling, for logs and metrics. An entry
	// without a name is a hole: PROC_UNAVAIL.
	Name string
	// Class is where the procedure is run first.
	Class Class
	// Once means that the procedure must not run twice for one call. The duplicate request
	// cache keeps its reply.
	Once bool
	// Reads means that the procedure changes nothing. It can go on while a file system takes no
	// changes, such as a frozen one, and the transport reserves workers for such calls.
	Reads bool
	// Handle decodes c.Args, does the work and encodes the results to c.Reply. While it runs on a
	// thread that may wait, the thread's [vfs.Debts] are open. If it returns Done, and changes owe
	// something, the outcome is Owing.
	Handle func(c *Call) Outcome
	// Settled ends a call that Handle has left Owing: s says what became of the debt. It runs where
	// Handle ran, and other calls may have run there in between. If s is not OK, it replaces the
	// results, for which there is as much room as Handle had. nil means that a debt that cannot be
	// paid is answered with SYSTEM_ERR.
	Settled func(c *Call, s vfs.Status)
}

// Version is one version of a program; the index is the procedure number.
type Version struct {
	Number     uint32
	Procedures []Procedure
}

// Target is what a call depends on that runs on a worker.
type Target struct {
	// Volume is the number of what the call may wait for and what fails or hangs as a whole, such
	// as a file system; 0 when there is none.
	Volume int
	// Object is a hash of what the call changes, such as a directory; 0 when it changes nothing, or
	// gains nothing from company. Calls with the same Volume and Object wait for each other, and
	// share what they owe (Owing). So the transport runs them one after the other in one place.
	Object uint64
}

// ObjectDataMax is how many bytes of data a call carries at most that has an Object. Calls with more
// are better side by side, since their data goes to the disc on its own.
const ObjectDataMax = 32 << 10

// Program is one ONC RPC program. It is immutable once served.
type Program struct {
	Name     string
	Number   uint32
	Versions []Version // ascending, without gaps between lowest and highest
	// Target, unless nil, returns what the call depends on. A lane calls it before the procedure
	// runs on a worker. It must not block, and leaves c as it is. It may believe what c says.
	Target func(c *Call) Target
	// Anybody says that all callers get the same answers: neither the caller that a call names
	// nor the place where it comes from matters. A Server whose programs all set Anybody asks
	// for neither.
	Anybody bool
}
