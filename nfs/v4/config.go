package v4

import (
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
)

// The defaults and bounds of [Config].
const (
	// LeaseDefault is how long a client's state is kept without a word of the client.
	LeaseDefault = 45 * time.Second

	transferDefault  = 1 << 20
	directoryDefault = 64 << 10
	placesDefault    = 1024

	// replySlack is what the results of a compound may have beside data.
	replySlack = 4 << 10
)

// Config is what a server offers. Zero values mean the defaults.
type Config struct {
	ReadMax    uint32 // bytes in a READ (maxread), 1 MiB by default
	WriteMax   uint32 // bytes in a WRITE (maxwrite), as ReadMax
	ReadDirMax uint32 // bytes in the result of a READDIR, 64 KiB by default
	// Lease is how long a client's state is kept without a word of the client (lease_time).
	Lease time.Duration
	// Minors are the minor versions that are served; none means all.
	Minors [minorMax + 1]bool
	// State is what the server remembers of its clients. It is shared by the server's
	// listeners and is needed.
	State *state.Table
	// Files is what the clients hold of files. It is needed.
	Files *files.Table
	// Keeper, if not nil, keeps files that lose their names while they are open, and shows locks
	// to the machine. The table of files calls it.
	Keeper *Keeper
	// Names turns owners into numbers and back; nil means that there are numbers only.
	Names *idmap.Map
	// Callbacks and Ask, if not nil, call clients back. Ask is transport.Server.Ask.
	Callbacks *Callbacks
	Ask       func(conn uint64, a *rpc.Ask) error
	// Places is how many places run the program's procedures, the same number as the export
	// table has. The default allows for 1024.
	Places int
	// Clock is the clock that files are stamped by, time.Now by default.
	Clock func() time.Time
	// Refused, if not nil, hears of each call that an export refuses for where it comes
	// from. It is called on the thread that runs the call, which may not sleep.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
	// Unreached, if not nil, is called by New for each export in which others lie to which it
	// does not lead. Who is served by both does not get to the inner ones.
	Unreached func(outer *export.Export)
}

// replyMax returns how many bytes the results of a compound may have that belongs to no session: a
// READ or READDIR of the largest size, and what goes with it.
func (c *Config) replyMax() int { return int(max(c.ReadMax, c.ReadDirMax)) + replySlack }

func (c *Config) settle() {
	if c.ReadMax == 0 {
		c.ReadMax = transferDefault
	}
	if c.WriteMax == 0 {
		c.WriteMax = transferDefault
	}
	if c.ReadDirMax == 0 {
		c.ReadDirMax = directoryDefault
	}
	if c.Lease == 0 {
		c.Lease = LeaseDefault
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Places <= 0 {
		c.Places = placesDefault
	}
}
