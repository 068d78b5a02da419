package transport

import "fmt"

// ReadPath is how the data of large READs leaves.
type ReadPath uint8

// The paths.
const (
	// PathAuto is zero-copy where notifications say that nothing is copied, and
	// splice elsewhere. It is the default.
	PathAuto ReadPath = iota
	// PathCopy reads into a slab and sends it plainly.
	PathCopy
	// PathSplice moves the pages of the file to the socket.
	PathSplice
	// PathZeroCopy reads into a slab that is sent without a copy, and used again
	// when the notification says that the peer has acknowledged it.
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

// All thresholds of the three ways.
const (
	// SpliceDefault is Config.SpliceFrom: a READ of fewer bytes is copied, which is
	// cheaper than a pipe. Measured in docs/design/0012.
	SpliceDefault = 64 << 10
	// PipesDefault is how many spliced replies a lane can have on their way. A READ that
	// finds no pipe is copied.
	PipesDefault = 48
	// pipeLeast is the smallest pipe in bytes that is worth it. Where the kernel grants
	// less, nothing is spliced.
	pipeLeast = 64 << 10

	// ZeroCopyDefault is Config.ZeroCopyFrom: a send of fewer bytes is copied, which is
	// cheaper than the notification.
	ZeroCopyDefault = 32 << 10
	// strikesMax notifications of a copy in a row switch zero-copy off.
	strikesMax = 8
	// trialAfter is how many large sends it is then off; each failed trial doubles it.
	trialAfter    = 1024
	trialAfterMax = 1 << 20
	// pauseSends is how many sends are plain after ENOMEM or ENOBUFS: the memory
	// limit for pinned pages, most likely.
	pauseSends = 64
)

// way returns how the data of large READs should leave by the connection now. It is asked
// twice for each of them, because two things are known only later.
//
// Before the call runs (lane.call): with waySplice the call is lent pipes. Whether its data
// is spliced is decided where the number of bytes is known (callPipes.Pipe: SpliceFrom and
// a pipe with room) and by the back end, which declines when it cannot splice or the
// pages are not to be had so (vfs.Splicer). The program asks for the pipe and decides
// nothing. Data that is not spliced is read to memory.
//
// Before a send of data in memory (mayZC): with wayZeroCopy, and ZeroCopyFrom bytes or more,
// it leaves without a copy, as long as the ring can do that and what is not acknowledged
// yet leaves enough slabs for others (PinnedMax of a connection, half of each size of a
// lane). Everything else is copied.
//
// With PathAuto the peer's place and the kernel's word decide. A peer on this machine gets
// splice, because there a zero-copy send copies after all. So does a socket that has no
// zero-copy sends, and a connection whose last strikesMax notifications told of copies: for
// trialAfter large replies, and twice as many after each trial that fails. Every other one
// gets zero-copy.
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
