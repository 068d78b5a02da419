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
	// Volumes is the highest number that the programs give a volume: see rpc.Program. No volume
	// can have all workers.
	Volumes int
	// ReceiveBytes and SendBytes are the sizes of each lane's arenas.
	ReceiveBytes int
	SendBytes    int
	// Reserve adds a lane that waits for no file system: see reserve.go. Its arenas have
	// ReserveReceive and ReserveSend bytes; 0 means as many as those of the other lanes.
	Reserve                     bool
	ReserveReceive, ReserveSend int
	// RecordMax is the largest record in bytes that a peer may send: the largest WRITE with its
	// headers.
	RecordMax int
	// ReplyMax is the largest reply in bytes: the largest READ with its headers.
	ReplyMax int
	// ConnsMax is how many connections there may be in all.
	ConnsMax int
	// PeerConnsMax is how many connections one household may have: an IPv4 address, an IPv6
	// network of 64 bits, or a user of this machine (rpc.Origin.House).
	PeerConnsMax int
	// GuestConnsMax is how many connections all users of this machine may have together.
	// Connections that Origin believes, such as root's, count neither here nor for
	// PeerConnsMax, but only for ConnsMax.
	GuestConnsMax int
	// CallsMax is how many calls of one connection may be in progress.
	CallsMax int
	// OutputMax is how many unsent bytes one connection may have before the server stops
	// reading from it.
	OutputMax int
	// ReadPath is how the data of large READs leaves.
	ReadPath ReadPath
	// PipesMax is how many pipes a lane has for READs that are spliced, at most PipesDefault; a
	// negative number means none. Each pipe takes two descriptors.
	PipesMax int
	// SpliceFrom is the size in bytes of the smallest READ whose data is spliced from the page
	// cache to the socket.
	SpliceFrom int
	// ZeroCopyFrom is the size in bytes of the smallest send that is made without a copy.
	ZeroCopyFrom int
	// PinnedMax is how many bytes of slabs the zero-copy sends of one connection may keep until
	// the peer acknowledges them. Sends beyond that are copied. All connections of a lane
	// together may pin half of the slabs of each size.
	PinnedMax int
	// Spin is how long a lane with nothing to do looks for more before it sleeps; see
	// loop.Loop. With 0 it sleeps at once.
	Spin time.Duration
	// SendTimeout is how long a peer may take no reply bytes at all.
	SendTimeout time.Duration
	// Without switches ring features off.
	Without uring.Feature
	// Attach prepares a place on the place's own thread before the first call runs there.
	// Detach ends the place, on the same thread.
	Attach func(*rpc.Place) error
	Detach func(*rpc.Place)
	// Origin tells who is at the other end. If Origin, or o, is nil, that is another machine.
	// The accepting lane calls Origin once for a connection, and a datagram socket calls it for
	// each datagram whose call asks for it (rpc.Server.Asks). It must not sleep.
	//
	// later, if not nil, may sleep. It returns what counts instead of o: an origin of the same
	// user, believed as well or as little (rpc.Origin.Guest). o is not nil then. Nothing is
	// read from the connection before later has returned. A datagram is dropped meanwhile; when
	// its sender repeats it, Origin remembers what later has found, or starts again.
	Origin func(Ends) (o *rpc.Origin, later func() *rpc.Origin)
	// Renew, if not nil, returns what an origin with groups (rpc.Bound) is now, or nil when
	// that cannot be found out. It may block. A goroutine of its own calls it from time to time
	// for users whose connections began a while ago, and soon for those whose groups could not
	// be found out at first (rpc.Origin.Unsure).
	Renew func(old *rpc.Origin) *rpc.Origin
	// Shed, if not nil, closes descriptors that the server can do without. A goroutine of its
	// own calls it when a connection cannot be accepted for want of descriptors. It may block.
	// The connection is accepted at the next tick.
	Shed func()
	// Ended, if not nil, hears the number (rpc.Call.Conn) of each connection that is over, when
	// none of its calls runs any more. It must not sleep.
	Ended func(conn uint64)
	// Duplicates is the cache for procedures that must not run twice.
	Duplicates *drc.Cache
	Log        *slog.Logger
}

// Defaults of Config. The defaults that say how the data of READs leaves are in way.go.
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

// peerConnsLeast is how many connections the default leaves to one address where there are few in
// all: enough for four clients behind it that each open as many as Linux does for one server
// (nconnect=16).
const peerConnsLeast = 64

// recordSlack is what headers, credentials, handles and names can add to the
// data of a READ or WRITE.
const recordSlack = 8 << 10

// Listener is a socket to serve.
type Listener struct {
	// FD is a listening TCP socket or, with Datagram, a bound UDP socket. The Server owns it
	// and closes it.
	FD       int
	Datagram bool
	Addr     netip.AddrPort
	// Programs answers the calls that come in by this socket.
	Programs *rpc.Server
}
