package nfs

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// RLIMIT_NOFILE bounds the descriptors. The server first counts those that it cannot do without.
// Pipes, connections and the objects that exports keep open share the rest. Without a bound on
// connections, one client that opens them and says nothing would keep all others from opening a
// file.
//
// The soft limit need not be raised here: Go's runtime (package os) raises it to the hard limit at
// the start of each program.

// holders are the parts of the server that take descriptors.
type holders struct {
	open    int // what the process has open: sockets, standard streams, the program's own
	lanes   int // with the reserve lane
	splice  bool
	workers int
	exports int
}

const (
	// workerFDs is how many descriptors one operation has open at most, beside those that its
	// export counts: the objects of a RENAME, a directory that is read.
	workerFDs = 4
	// exportFDs is how many an export has open for itself: its root, mounts of the root, and a
	// walk for a handle.
	exportFDs = 8 + posixfs.WalkDescriptors
	// spareFDs is for descriptors that are open briefly: sockets that are duplicated at the
	// start, a connection that is refused, files in /proc, resolving names.
	spareFDs = 24
	// cacheLeast is how many objects each export must be able to keep open: some for each
	// worker of the default number.
	cacheLeast = 64
	// connsLeast is the least number of connections that there must be room for.
	connsLeast = 32
	// pipesLeast is the least number of pipes that is worth it for a lane.
	pipesLeast = 4
	// connsExpected is for how many connections there is room in the process's table from the start.
	connsExpected = 1024
	// cacheMost is how many objects all exports together keep open at most.
	cacheMost = 1 << 17
)

// fixed returns how many descriptors are taken in any case.
func (h holders) fixed() int {
	return h.open + // already
		h.lanes*transport.LaneDescriptors + // rings and what wakes them
		h.workers*workerFDs + // operations in progress
		h.exports*exportFDs + // roots
		spareFDs
}

// least returns the least limit with which the server can work.
func (h holders) least() int { return h.fixed() + h.exports*cacheLeast + connsLeast }

// shares is how the limit is divided.
type shares struct {
	pipes       int // for each lane, -1 for none
	caches      int // what each export may keep open
	connections int
}

// share divides limit. If limit is too low, share fails and says what to do.
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
		// Pipes get a quarter of what is left, for all lanes together. Fewer than
		// pipesLeast are not worth it.
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

// expected returns how many descriptors the process is expected to have in time.
func (s *shares) expected(h holders) int {
	pipes := h.lanes * max(0, s.pipes) * transport.PipeDescriptors
	return h.fixed() + pipes + h.exports*s.caches + min(s.connections, connsExpected)
}

// growTable makes room for n descriptors in the process's table. While a process with threads opens
// more descriptors than ever before, the kernel doubles the table now and then, and whoever opens
// waits for all processors to notice (synchronize_rcu, some 10 ms each time). A table never shrinks.
// growTable blocks for that once. Beyond the process's limit (RLIMIT_NOFILE) it makes no room.
func growTable(n int) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return // descriptors are short; the table grows as it is needed
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, n-1)
	if err == nil {
		_ = unix.Close(high)
	}
	_ = unix.Close(fd)
}

// openFilesLimit returns the soft limit.
func openFilesLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return limit.Cur
}

// openFiles counts what the process has open. Where there is no /proc, it answers with a small
// number.
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

// shedder closes the objects that an export keeps open and nobody uses. Closing may wait for the
// file system, so each export has a goroutine of its own for it, at most one at a time.
type shedder struct {
	fs      interface{ Shed() }
	running atomic.Bool
}

// shed starts the shedders that are not running. It waits for none of them.
func (s *Server) shed() {
	for _, x := range s.shedders {
		if x.running.CompareAndSwap(false, true) {
			s.shedding.Go(x.runShed)
		}
	}
}

// runShed is a shedder's goroutine.
func (x *shedder) runShed() {
	defer x.running.Store(false)
	x.fs.Shed()
}

// newShedders makes a shedder for each export whose file system can shed.
func newShedders(exports []Export) (list []*shedder) {
	for i := range exports {
		if fs, ok := exports[i].FS.(interface{ Shed() }); ok {
			list = append(list, &shedder{fs: fs})
		}
	}
	return list
}
