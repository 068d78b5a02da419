package transport

import "fmt"

// ReadPath is how the data of large READs leaves.
type ReadPath uint8

// The ways that Config.ReadPath names.
const (
	// PathAuto is zero-copy where notifications say that nothing is copied, and splice
	// elsewhere. It is the default.
	PathAuto ReadPath = iota
	// PathCopy reads into a slab and sends it with a copy.
	PathCopy
	// PathSplice moves the pages of the file to the socket.
	PathSplice
	// PathZeroCopy reads into a slab that is sent without a copy. The slab is used again when
	// the notification says that the peer has acknowledged it.
	PathZeroCopy
)

// Splices reports whether the path may need pipes.
func (p ReadPath) Splices() bool { return p == PathSplice || p == PathAuto }

var readPathNames = [...]string{PathAuto: "auto", PathCopy: "copy", PathSplice: "splice", PathZeroCopy: "zc"}

// String returns the word that ParseReadPath takes.
func (p ReadPath) String() string {
	if int(p) < len(readPathNames) {
		return readPathNames[p]
	}
	return "unknown"
}

// ParseReadPath reads copy, splice, zc or auto.
func ParseReadPath(word string) (ReadPath, error) {
	for p, name := range readPathNames {
		if word == name {
			return ReadPath(p), nil
		}
	}
	return 0, fmt.Errorf("transport: read path %q is none of copy, splice, zc, auto", word)
}

// way is one of the ways in which the data of a READ can leave.
type way uint8

const (
	wayCopy way = iota
	waySplice
	wayZeroCopy
)

// The thresholds of the three ways, all of them.
const (
	// SpliceDefault is the default of Config.SpliceFrom: for a READ of fewer bytes a copy is
	// cheaper than a pipe. Measured in docs/design/0012.
	SpliceDefault = 64 << 10
	// PipesDefault is how many spliced replies of a lane can be on their way. A READ that finds
	// no pipe is copied.
	PipesDefault = 48
	// pipeLeast is the size in bytes of the smallest pipe that is worth it. If the kernel
	// grants less, nothing is spliced.
	pipeLeast = 64 << 10

	// ZeroCopyDefault is the default of Config.ZeroCopyFrom: for a send of fewer bytes a copy
	// is cheaper than the notification.
	ZeroCopyDefault = 32 << 10
	// strikesMax is how many notifications of a copy in a row switch zero-copy off.
	strikesMax = 8
	// trialAfter is for how many large sends zero-copy is then off; each failed trial doubles
	// that, up to trialAfterMax.
	trialAfter    = 1024
	trialAfterMax = 1 << 20
	// pauseSends is how many sends are plain after ENOMEM or ENOBUFS, which most likely mean
	// the limit of pinned memory.
	pauseSends = 64
)

// way returns how the data of large READs should leave by the connection now. It is asked twice for
// each READ, because two facts are known only later.
//
// The lane asks before the call runs (lane.call). With waySplice it lends pipes to the call. Two
// others then decide whether the data is spliced: callPipes.Pipe, where the number of bytes is
// known (SpliceFrom, and a pipe with room), and the back end, which declines when it cannot splice
// or cannot get the pages in this way (vfs.Splicer). The program asks for the pipe and decides
// nothing. Data that is not spliced is read into memory.
//
// mayZC asks before a send of data in memory. With wayZeroCopy, data of at least ZeroCopyFrom bytes
// leaves without a copy, if the ring can do that, and if the sends that are not acknowledged yet
// leave enough slabs for others (PinnedMax of a connection, half of each size of a lane).
// Everything else is copied.
//
// With PathAuto the peer's place and the kernel's notifications decide. A peer on this machine gets
// splice, because there a zero-copy send copies after all. So does a socket that has no zero-copy
// sends. So does a connection whose last strikesMax notifications told of copies: for trialAfter
// large replies, and twice as many after each trial that fails. Every other connection gets
// zero-copy.
func (o *output) way() way {
	z := &o.zc
	switch o.conn.lane.srv.cfg.ReadPath {
	case PathSplice:
		return waySplice
	case PathZeroCopy:
		if z.unable {
			return wayCopy
		}
		return wayZeroCopy
	case PathAuto:
		if z.local || z.unable || z.off && !z.due() {
			return waySplice
		}
		return wayZeroCopy
	default:
		return wayCopy
	}
}
