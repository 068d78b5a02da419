package cli

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// The garbage collector runs when as much has been allocated as was alive after its last run, or 4
// MiB. Little of the server's memory is on the heap: without a further measure the collector ran
// after every 1,500 changes of names, and what it scans are mostly the tables of the threads, which
// are always the same.
const (
	idleHeapLeast = 8 << 20
	idleHeapMost  = 64 << 20
)

// spareHeap lets the heap grow by an eighth of memory, which is the size of the buffers in bytes,
// before the collector runs, beside what it may grow anyway. It does so with an allocation that
// nobody ever touches, so that it is no memory: it only counts. The collector does not scan it.
// What it costs is that much more garbage at most. It ends when the function that it returns is
// called. If the environment sets GOGC or GOMEMLIMIT, the collector is left as it is.
func spareHeap(memory int64) (end func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	idle := make([]byte, min(max(memory/8, idleHeapLeast), idleHeapMost))
	_ = unix.Madvise(idle, unix.MADV_DONTNEED) // the runtime clears memory that it uses again
	return func() { runtime.KeepAlive(idle) }
}
