package state

import (
	"net/netip"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Principal is who a client is for its requests: what the caller takes for one identity is
// one value. Flavor is the RPC flavor, Name that of a principal or machine where there is one.
type Principal struct {
	Flavor uint32
	UID    uint32
	Name   string
}

// Flags of SEQUENCE's results (RFC 8881 section 18.46.3) that are set here or by who keeps
// state of clients.
const (
	StatusPathDown         uint32 = 0x001 // CB_PATH_DOWN
	StatusAllRevoked       uint32 = 0x008 // EXPIRED_ALL_STATE_REVOKED
	StatusSomeRevoked      uint32 = 0x010 // EXPIRED_SOME_STATE_REVOKED
	StatusAdminRevoked     uint32 = 0x020 // ADMIN_STATE_REVOKED
	StatusRecallRevoked    uint32 = 0x040 // RECALLABLE_STATE_REVOKED
	StatusReclaimNeeded    uint32 = 0x100 // RESTART_RECLAIM_NEEDED
	StatusPathDownSession  uint32 = 0x200 // CB_PATH_DOWN_SESSION
	StatusBackchannelFault uint32 = 0x400 // BACKCHANNEL_FAULT
)

// phase is how far the record of a client is.
type phase uint8

const (
	fresh     phase = iota // not confirmed
	confirmed              // from CREATE_SESSION or SETCLIENTID_CONFIRM on
	lapsed                 // of 4.0: what it held was taken, and it is to be told
	gone                   // no longer in the table
)

// Client is one incarnation of a client. It is safe for use by several goroutines.
type Client struct {
	// immutable
	table     *Table
	id        ClientID
	owner     string
	verifier  Verifier
	principal Principal
	minor     uint8 // 0: of version 4.0; 1: of later ones

	// atomic, read by each request
	renewed atomic.Uint32 // when, by the table's clock; stored only when it changes
	flags   atomic.Uint32 // of SEQ4_STATUS

	// guarded by Table.mu
	newer, older *Client // in Table.fresh

	mu futex.Mutex
	// guarded by mu; phase changes with Table.mu held as well
	phase    phase
	sessions []*Session // oldest first
	created  created    // the slot of CREATE_SESSION
	complete completion
	recorded bool // the store knows it

	v0   legacy         // guarded by Table.mu
	from netip.AddrPort // where it has last said its name; guarded by Table.mu

	// atomic, changed often and so far from what each request reads
	memory  atomic.Int64 // bytes that it has of the budget
	held    atomic.Int64 // opens, locks, delegations: see Hold
	dropped atomic.Bool  // what it held
}

// completion is what became of RECLAIM_COMPLETE.
type completion uint8

const (
	incomplete completion = iota
	completing            // the store is being told
	complete
)

// ID returns what the client is called by. Owner is what it calls itself; it must not be
// taken for the truth about who it is.
func (c *Client) ID() ClientID         { return c.id }
func (c *Client) Owner() string        { return c.owner }
func (c *Client) Principal() Principal { return c.principal }

// Minor returns 0 for a client of version 4.0, 1 for one of later versions.
func (c *Client) Minor() uint8 { return c.minor }

// Gone reports whether the client has left the table, or what it held was taken. That may
// become true at any time; who adds something looks at the phase with c.mu held.
func (c *Client) Gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase >= lapsed
}

// Hold counts n more things that the client holds, opens, locks and delegations, or less. A
// client that holds something keeps its name, and is courteous after the end of its lease.
func (c *Client) Hold(n int) { c.held.Add(int64(n)) }

// SetFlags and ClearFlags change what SEQUENCE tells the client.
func (c *Client) SetFlags(flags uint32)   { c.flags.Or(flags) }
func (c *Client) ClearFlags(flags uint32) { c.flags.And(^flags) }

// renew renews the lease at second now: each request of the client does that. A request that
// arrived before another one and is later to say so takes nothing back.
func (c *Client) renew(now uint32) {
	for at := c.renewed.Load(); at < now; at = c.renewed.Load() {
		if c.renewed.CompareAndSwap(at, now) {
			return
		}
	}
}

// idleFor returns for how many seconds the lease has not been renewed, 0 when the clock was
// set back.
func (c *Client) idleFor(now uint32) uint32 {
	if at := c.renewed.Load(); at < now {
		return now - at
	}
	return 0
}

// Courteous reports whether the client's lease has ended, while it may still hold what it
// held: whoever meets a conflict with that may Expire the client.
func (c *Client) Courteous() bool { return c.idleFor(c.table.now()) > c.table.cfg.LeaseSeconds }

// inUse reports whether another principal must not have the client's name: it holds
// something, sessions included, and its lease has not ended. Needs Table.mu.
func (c *Client) inUse() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == confirmed && (len(c.sessions) > 0 || c.held.Load() > 0) && !c.Courteous()
}

func (c *Client) record() Record {
	return Record{Owner: c.owner, Verifier: c.verifier, Principal: c.principal, Minor: c.minor}
}
