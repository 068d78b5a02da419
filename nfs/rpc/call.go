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
	// Wait: the answer is not in memory and this thread may not sleep. The
	// procedure has changed nothing; it is run again on a worker.
	Wait
	// Grow: the reply needs Call.Need more bytes of memory than Reply has. The
	// procedure has changed nothing; it is run again when the memory is there.
	Grow
	// GarbageArgs: the arguments could not be decoded (GARBAGE_ARGS).
	GarbageArgs
	// SystemErr: the server failed (SYSTEM_ERR).
	SystemErr
	// TooWeak: the procedure wants a stronger credential (AUTH_ERROR, AUTH_TOOWEAK).
	TooWeak
)

// Place is one thread that runs procedures: a lane or a worker. Index is unique
// in the server and dense from zero.
type Place struct {
	Index  int
	Thread *vfs.Thread
}

// Call is one call in progress. The fields above the line are filled by
// Server.Parse and are read-only for procedures.
type Call struct {
	XID  uint32
	Prog uint32
	Vers uint32
	Proc uint32
	// Auth is the verified credential.
	Auth Auth
	// Peer is the caller's address.
	Peer netip.AddrPort
	// Local is the address the call came in on.
	Local netip.AddrPort
	// Datagram is true when the call came by UDP: the reply must fit one.
	Datagram bool

	// Place is where the call runs now.
	Place *Place
	// Args decodes the arguments. A procedure that is run again finds it rewound.
	Args xdr.Decoder
	// Reply encodes the results, behind the reply header. Its capacity is at
	// least ReplyMin when a procedure starts.
	Reply xdr.Encoder
	// Need is set with Grow: how many bytes Reply must have room for.
	Need int

	procedure *Procedure
	status    callStatus
	args      xdr.Decoder // Args as it was after the header, to rewind
	header    int         // length of the reply header in Reply
}

// ReplyMin is the room in bytes that Call.Reply has at least, behind its header,
// when a procedure starts. All results but those of READ, READLINK, READDIR,
// READDIRPLUS and lists fit into it.
const ReplyMin = 1024

// Room makes sure that n bytes can be encoded into Reply from here on. When it
// returns false the procedure returns Grow at once.
func (c *Call) Room(n int) bool {
	if c.Reply.Free() >= n {
		return true
	}
	c.Need = n + c.Reply.Len() - c.header
	return false
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
	// UID, GID and Groups are AUTH_SYS's; with AUTH_NONE they are 65534 and none.
	// Groups is a view into the call's own array.
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

// The classes.
const (
	// Inline procedures are tried on the lane.
	Inline Class = iota
	// Blocking procedures go to a worker at once.
	Blocking
)

// Procedure is one entry of a program's table.
type Procedure struct {
	// Name in the protocol's spelling, for logs and metrics. An entry without a
	// name is a hole: PROC_UNAVAIL.
	Name string
	// Class is where it runs first.
	Class Class
	// Once means that it must not run twice for one call: its reply is kept in
	// the duplicate request cache.
	Once bool
	// Handle decodes c.Args, does the work and encodes the results to c.Reply.
	Handle func(c *Call) Outcome
}

// Version is one version of a program; the index is the procedure number.
type Version struct {
	Number     uint32
	Procedures []Procedure
}

// Program is one ONC RPC program. It is immutable once served.
type Program struct {
	Name     string
	Number   uint32
	Versions []Version // ascending, without gaps between lowest and highest
}
