package nfs

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// Descriptors are bounded by RLIMIT_NOFILE. What the server cannot do without is counted
// first; pipes, the connections and what the exports keep open share the rest. Without a
// bound on connections one client that opens them and says nothing would keep all others
// from opening a file.
//
// The soft limit need not be raised here: Go's runtime (package os) raises it to the hard
// one at the start of each program.

// holders are what takes descriptors.
type holders struct {
	open    int // what the process has open: sockets, standard streams, the program's own
	lanes   int // the reserve lane among them
	splice  bool
	workers int
	exports int
}

const (
	// workerFDs is what one operation has open at most apart from what is counted for
	// its export: the objects of a RENAME, a directory that is read.
	workerFDs = 4
	// exportFDs is what an export has open for itself: its root and mounts of it, and a
	// walk for a handle.
	exportFDs = 8 + posixfs.WalkDescriptors
	// spareFDs is for what comes and goes: sockets that are duplicated at the start, a
	// connection that is refused, files in /proc, resolving names.
	spareFDs = 24
	// cacheLeast is what each export must be able to keep open for its objects: some for
	// each of the default's workers.
	cacheLeast = 64
	// connsLeast is how many connections there must be room for.
	connsLeast = 32
	// pipesLeast is how many pipes a lane needs for them to be worth it.
	pipesLeast = 4
	// cacheMost is what all exports together keep open at most.
	cacheMost = 1 << 17
)

// fixed returns what is taken in any case.
func (h holders) fixed() int {
	return h.open + // already
		h.lanes*transport.LaneDescriptors + // rings and what wakes them
		h.workers*workerFDs + // operations in progress
		h.exports*exportFDs + // roots
		spareFDs
}

// least returns the least limit that the server can work with.
func (h holders) least() int { return h.fixed() + h.exports*cacheLeast + connsLeast }

// shares is how the limit is divided.
type shares struct {
	pipes       int // for each lane, -1 for none
	caches      int // what each export may keep open
	connections int
}

// share divides limit. It fails when that is too little, and says what to do.
func (h holders) share(limit uint64) (s shares, err error) {
	least := h.least()
	if limit < uint64(least) {
		return s, fmt.Errorf(
			"nfs: %d open files are too few: %d lanes, %d workers and %d exports take %d at least; "+
				"raise the limit (ulimit -n %d, or LimitNOFILE=%d in the unit of systemd), or give fewer lanes",
			limit,
			h.lanes,
			h.workers,
			h.exports,
			least,
			2*least,
			2*least,
		)
	}
	left := int(min(limit, 1<<30)) - least
	s.pipes = -1
	if h.splice {
		// A quarter of what is left, for all lanes, and none is better than a few.
		if n := (left/(4*h.lanes) - 1) / transport.PipeDescriptors; n >= pipesLeast {
			s.pipes = min(n, transport.PipesDefault)
			left -= h.lanes * (s.pipes*transport.PipeDescriptors + 1)
		}
	}
	caches := min(left/4, cacheMost)
	s.caches = cacheLeast + caches/h.exports
	s.connections = min(connsLeast+left-caches, transport.ConnsDefault)
	return s, nil
}

// openFilesLimit is the soft limit.
func openFilesLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return limit.Cur
}

// openFiles counts what the process has open. Where there is no /proc it is taken to be
// little.
func openFiles() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return spareFDs
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return spareFDs
	}
	return len(names)
}

// shedder closes what an export keeps open and nobody uses. That may wait for the file
// system, so each export has a goroutine of its own, and one at a time.
type shedder struct {
	fs      interface{ Shed() }
	running atomic.Bool
}

// shed starts the shedders that are not running, and waits for none.
func (s *Server) shed() {
	for _, x := range s.shedders {
		if x.running.CompareAndSwap(false, true) {
			s.shedding.Go(x.runShed)
		}
	}
}

// runShed is the goroutine.
func (x *shedder) runShed() {
	defer x.running.Store(false)
	x.fs.Shed()
}

// newShedders makes one for each export that can do it.
func newShedders(exports []Export) (list []*shedder) {
	for i := range exports {
		if fs, ok := exports[i].FS.(interface{ Shed() }); ok {
			list = append(list, &shedder{fs: fs})
		}
	}
	return list
}
