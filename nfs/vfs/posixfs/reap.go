package posixfs

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

const (
	tickPeriod = 1250 * time.Millisecond // a file is closed 1 to 2 of it after its last write
	sweepEvery = 2                       // ticks between two sweeps
	idleRounds = 4                       // an entry is closed 10 to 12.5 s after its last use
)

// runJanitor closes idle and retired entries until stop is closed. It waits for discs.
func (fs *FS) runJanitor() {
	tick := time.NewTicker(fs.period)
	defer tick.Stop()
	for round := 1; ; {
		select {
		case <-fs.stop:
			return
		case <-fs.kick:
		case <-tick.C:
			fs.restWriters()
			fs.restLocked()
			if round++; round%sweepEvery == 0 {
				fs.sweep()
			}
		}
		fs.reap(true)
		fs.closeLocked(func(*lockedFile) bool { return false }) // those that are left
	}
}

// runDirty looks at memory whenever lanes have written much, until stop is closed.
func (fs *FS) runDirty() {
	for {
		select {
		case <-fs.stop:
			return
		case <-fs.data.Pace.Soiled():
			fs.data.Pace.LookAtMemory()
		}
	}
}

// runWatch counts the ticks and watches the lanes' writes, until stop is closed. It makes no system
// call that could wait for memory or a disc, so that time limits hold while these are slow.
func (fs *FS) runWatch() {
	tick := time.NewTicker(fs.period)
	defer tick.Stop()
	for {
		select {
		case <-fs.stop:
			return
		case at := <-tick.C:
			fs.now.Store(at.Unix())
			fs.listings.Expire(fs.tick.Add(1))
			fs.watchWrites(fs.data.Pace.Clock())
		}
	}
}

// restWriters retires the entries that somebody has written to, but not since restWriters last ran,
// and that have nothing unstable. If the file system forgets objects that are not open, another
// entry of the same object takes the place.
func (fs *FS) restWriters() { fs.tab.Rest(fs.odd.keeps(), dirty) }

// sweep retires the entries that nobody has used for idleRounds sweeps, unless the file system
// forgets objects that are not open. It also brings access times up to date.
func (fs *FS) sweep() {
	fs.tab.Sweep(
		idleRounds,
		fs.odd.keeps(),
		func(e *entry) bool { return e.Own.atime.due.Load() },
		fs.writeAtime,
	)
}

// reap closes the retired entries that no View has published. Unless flush is set, it leaves
// entries with unstable data, or with an access time to update, to the janitor.
func (fs *FS) reap(flush bool) {
	wait := waits
	if flush {
		wait = func(*entry) bool { return false }
	}
	fs.closeAll(fs.tab.Reap(wait))
}

// waits reports whether e, which is retired, is left to the janitor: closing it takes long.
func waits(e *entry) bool { return dirty(e) || e.Own.atime.due.Load() }

// closeAll closes entries that the table has handed out. later says that others are left to the
// janitor.
func (fs *FS) closeAll(free []*entry, later bool) {
	for _, e := range free {
		fs.closeEntry(e)
	}
	if later {
		fs.wake()
	}
}

// release retires an entry, and closes it at once if no View has published it.
func (fs *FS) release(e *entry) {
	free, later := fs.tab.Release(e, waits)
	if free {
		fs.closeEntry(e)
	}
	if later {
		fs.wake()
	}
}

// wake makes the janitor run soon. It does not block.
func (fs *FS) wake() {
	select {
	case fs.kick <- struct{}{}:
	default:
	}
}

// closeEntry closes the descriptors of a retired entry that no View has published. It flushes
// unstable data first, because a file that is closed forgets that writing it back has failed.
func (fs *FS) closeEntry(e *entry) {
	fs.store.Leave(&e.Own.flush, &e.Write, true)
	fs.tab.Gone(e)
	fs.writeAtime(e)
	n := e.FDs()
	if r := int(e.Read.Load()); r >= 0 && r != e.FD {
		kernel.CloseFD(r)
	}
	w := int(e.Write.Load())
	if w >= 0 && w != e.FD {
		fs.store.CloseWritten(w)
	}
	if fd := int(e.Waits.Load()); fd >= 0 {
		kernel.CloseFD(fd)
	}
	for d := range e.Direct {
		if fd := int(e.Direct[d].Load()); fd >= 0 {
			fs.store.CloseWritten(fd)
		}
	}
	if w == e.FD {
		fs.store.CloseWritten(w)
	} else {
		kernel.CloseFD(e.FD)
	}
	fs.tab.Closed(n)
}

// room makes space for n descriptors. It may block. It also flushes files, if the janitor cannot
// flush fast enough.
func (fs *FS) room(n int) {
	over := func() bool { return fs.tab.Open()+n > fs.tab.Max() }
	if over() {
		fs.closeAll(fs.tab.Evict(n, dirty, waits))
		if over() {
			fs.reap(false)
		}
		if over() {
			fs.reap(true)
		}
	}
}

// shed closes a quarter of the descriptors that the FS keeps for objects, although they are within
// the FS's own bound, because the process or the machine has no descriptor left. It may block, as
// room may. It reports whether the FS has fewer descriptors now.
func (fs *FS) shed() bool {
	before := fs.tab.Open()
	fs.closeAll(fs.tab.Evict(fs.tab.Max()-before+max(shedLeast, before/4), dirty, waits))
	if fs.reap(false); fs.tab.Open() >= before {
		fs.reap(true)
	}
	return fs.tab.Open() < before
}

// Shed closes a quarter of the descriptors that the FS keeps for objects which nobody uses now. Any
// goroutine may call it until Close. It may block for the file system.
func (fs *FS) Shed() { fs.shed() }

const (
	// shedLeast is the fewest descriptors that shed closes, if there are that many.
	shedLeast = 16
	// shedTimes is how often an operation that finds no descriptor calls shed.
	shedTimes = 4
)

// plenty opens by open, which must not take the table's lock. If descriptors have run out, plenty
// closes some that are kept without need, and tries again: a cache must not keep anybody from
// working. Only workers call it.
func (fs *FS) plenty(open func() (int, unix.Errno)) (fd int, errno unix.Errno) {
	fd, errno = open()
	for try := 0; kernel.LowOnFDs(errno) && try < shedTimes && fs.shed(); try++ {
		fd, errno = open()
	}
	return fd, errno
}

// retire retires an entry, for example because its object is gone. The janitor closes it as soon as
// nobody uses it.
func (fs *FS) retire(e *entry) {
	fs.tab.Retire(e)
	fs.wake()
}
