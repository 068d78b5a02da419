package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring"
)

// Config describes a Server. Zero values of the limits mean the defaults.
type Config struct {
	// Lanes is the number of lanes, at least 1.
	Lanes int
	// Workers is the number of threads for calls that may sleep.
	Workers int
	// Volumes is the highest number that the programs give a volume: see
	// rpc.Program. None of them can have all workers.
	Volumes int
	// ReceiveBytes and SendBytes are each lane's arenas.
	ReceiveBytes int
	SendBytes    int
	// Reserve adds a lane that waits for no file system: see reserve.go. Its arenas are
	// ReserveReceive and ReserveSend bytes, as large as the lanes' when they are 0.
	Reserve                     bool
	ReserveReceive, ReserveSend int
	// RecordMax is the largest record in bytes that a peer may send: the largest
	// WRITE with its headers.
	RecordMax int
	// ReplyMax is the largest reply in bytes: the largest READ with its headers.
	ReplyMax int
	// ConnsMax is how many connections there may be in all.
	ConnsMax int
	// PeerConnsMax is how many of them one address may have, or one network of 64
	// bits where the addresses are of IPv6, or one user of this machine (rpc.Origin.House).
	PeerConnsMax int
	// GuestConnsMax is how many of them all users of this machine together may have. It
	// counts no connection that Origin believes, such as root's, nor does PeerConnsMax:
	// those have ConnsMax alone.
	GuestConnsMax int
	// CallsMax is how many calls of one connection may be in progress.
	CallsMax int
	// OutputMax is how many unsent bytes one connection may have before it is no
	// longer read from.
	OutputMax int
	// ReadPath is how the data of large READs leaves.
	ReadPath ReadPath
	// PipesMax is how many pipes a lane has for READs that are spliced, PipesDefault at
	// most; below 0 none. Each takes two descriptors.
	PipesMax int
	// SpliceFrom is the least READ in bytes whose data is spliced from the page
	// cache to the socket.
	SpliceFrom int
	// ZeroCopyFrom is the least send in bytes that is made without a copy.
	ZeroCopyFrom int
	// PinnedMax is how many bytes of slabs zero-copy sends of one connection may
	// keep waiting for the peer's acknowledgement; what is beyond is copied. All
	// connections of a lane together may pin half of the slabs of each size.
	PinnedMax int
	// Spin is how long a lane with nothing to do looks for more before it sleeps;
	// see loop.Loop. 0 is not at all.
	Spin time.Duration
	// SendTimeout is how long a peer may take no reply bytes at all.
	SendTimeout time.Duration
	// Without switches ring features off.
	Without uring.Feature
	// Attach prepares a place on its own thread before the first call runs
	// there, Detach ends it, also on its thread.
	Attach func(*rpc.Place) error
	Detach func(*rpc.Place)
	// Origin tells who is at the other end; nil, and what it returns as nil, is another
	// machine. It is called once for a connection, by the lane that accepts it, and for
	// each datagram whose call asks for it (rpc.Server.Asks): it does not sleep. later, if
	// not nil, may sleep, and returns what counts instead of o, which is not nil then: it
	// is of the same user, and as well or little believed (rpc.Origin.Guest). Nothing is
	// read from the connection before that. A datagram is dropped: when its sender repeats
	// it, Origin remembers what later has found, or asks for it again.
	Origin func(Ends) (o *rpc.Origin, later func() *rpc.Origin)
	// Renew, if not nil, returns what an origin with groups (rpc.Bound) is now, nil when
	// that cannot be found out. It may block, and is called now and then, on a goroutine
	// of its own, for users whose connections began a while ago, and soon for those whose
	// groups could not be found out at first (rpc.Origin.Unsure).
	Renew func(old *rpc.Origin) *rpc.Origin
	// Shed, if not nil, closes descriptors that can be done without. It is called on a
	// goroutine of its own when a connection cannot be accepted for want of some, and
	// may block; the connection is accepted at the next tick.
	Shed func()
	// Duplicates is the cache for procedures that must not run twice.
	Duplicates *drc.Cache
	Log        *slog.Logger
}

// Defaults of Config. Those of how the data of READs leaves are in way.go.
const (
	WorkersDefault     = 32
	ReceiveDefault     = 32 << 20
	SendDefault        = 96 << 20
	ConnsDefault       = 65536
	CallsDefault       = 256
	SendTimeoutDefault = 60 * time.Second
)

func (c *Config) fill() error {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.Lanes, 1)
	set(&c.Workers, WorkersDefault)
	set(&c.ReceiveBytes, ReceiveDefault)
	set(&c.SendBytes, SendDefault)
	set(&c.ReserveReceive, c.ReceiveBytes)
	set(&c.ReserveSend, c.SendBytes)
	set(&c.RecordMax, 1<<20+recordSlack)
	set(&c.ReplyMax, 1<<20+recordSlack)
	set(&c.ConnsMax, ConnsDefault)
	set(&c.PeerConnsMax, min(c.ConnsMax, max(c.ConnsMax/4, peerConnsLeast)))
	set(&c.GuestConnsMax, max(c.ConnsMax/2, 1))
	set(&c.CallsMax, CallsDefault)
	set(&c.SpliceFrom, SpliceDefault)
	set(&c.ZeroCopyFrom, ZeroCopyDefault)
	if c.PipesMax == 0 || c.PipesMax > PipesDefault {
		c.PipesMax = PipesDefault
	}
	set(&c.OutputMax, max(4<<20, 4*c.ReplyMax))
	set(&c.PinnedMax, 2*c.OutputMax)
	if c.SendTimeout == 0 {
		c.SendTimeout = SendTimeoutDefault
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Lanes < 1 || c.Workers < 1 {
		return errors.New("transport: at least one lane and one worker are needed")
	}
	if int(c.ReadPath) >= len(readPathNames) {
		return fmt.Errorf(
			"transport: read path %d is unknown: use PathAuto, PathCopy, PathSplice or PathZeroCopy",
			c.ReadPath,
		)
	}
	if c.Attach == nil || c.Detach == nil || c.Duplicates == nil {
		return errors.New("transport: Attach, Detach and Duplicates must be set")
	}
	return nil
}

// peerConnsLeast is what the default leaves to one address where there are few
// connections in all: four clients behind it with as many as Linux opens for one
// server (nconnect=16).
const peerConnsLeast = 64

// recordSlack is what headers, credentials, handles and names can add to the
// data of a READ or WRITE.
const recordSlack = 8 << 10

// Listener is a socket to serve.
type Listener struct {
	// FD is a listening TCP socket or, with Datagram, a bound UDP socket. The
	// Server takes it over and closes it.
	FD       int
	Datagram bool
	Addr     netip.AddrPort
	// Programs answers the calls that come in here.
	Programs *rpc.Server
}
