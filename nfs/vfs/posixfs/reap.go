package posixfs

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

const (
	tickPeriod = 1250 * time.Millisecond // a file is closed one to two of it after it was last written
	sweepEvery = 2                       // of which
	idleRounds = 4                       // an entry is closed 10 to 12.5 s after its last use
)

// runJanitor closes what is idle or retired until stop is closed. It waits for discs.
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
			if round++; round%sweepEvery == 0 {
				fs.sweep()
			}
		}
		fs.reap(true)
	}
}

// runDirty looks at memory when lanes have written much, until stop is closed.
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

// runWatch counts the ticks and watches the lanes' writes until stop is closed. It
// makes no system call that could wait for memory or a disc, so that what has a time
// limit keeps it while they are slow.
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

// restWriters retires the files that were written to, but not since it last came by, and
// have nothing unstable. Where the file system forgets what is not open, another entry of
// the same object takes the place.
func (fs *FS) restWriters() { fs.tab.Rest(fs.odd.keeps(), dirty) }

// sweep retires the entries that nobody has used for idleRounds, unless the file
// system forgets what is not open, and brings access times up to date.
func (fs *FS) sweep() {
	fs.tab.Sweep(
		idleRounds,
		fs.odd.keeps(),
		func(e *entry) bool { return e.Own.atime.due.Load() },
		fs.writeAtime,
	)
}

// reap closes the retired entries that no View has published. Those with unstable
// data, or an access time to note, are left to the janitor unless flush is set.
func (fs *FS) reap(flush bool) {
	free, later := fs.tab.Reap(
		fs.published,
		func(e *entry) bool { return !flush && (dirty(e) || e.Own.atime.due.Load()) },
	)
	for _, e := range free {
		fs.closeEntry(e)
	}
	if later {
		fs.wake()
	}
}

// wake lets the janitor run soon. It does not block.
func (fs *FS) wake() {
	select {
	case fs.kick <- struct{}{}:
	default:
	}
}

// published reports whether some View is working with e.
func (fs *FS) published(e *entry) bool {
	for _, v := range *fs.views.Load() {
		if v.use.Has(e) {
			return true
		}
	}
	return false
}

// closeEntry closes the descriptors of a retired entry that no View has published.
// Unstable data is flushed first: closed, the file would forget that writing it
// back has failed.
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

// room makes space for n descriptors. It may block, and flushes by itself what the
// janitor cannot flush fast enough.
func (fs *FS) room(n int) {
	over := func() bool { return fs.tab.Open()+n > fs.tab.Max() }
	if over() {
		fs.tab.Evict(n, dirty, fs.published)
		if fs.reap(false); over() {
			fs.reap(true)
		}
	}
}

// shed closes a quarter of the descriptors that are kept for objects, though they are
// not too many by their own bound: the process, or the machine, has none left. It may
// block like room, and reports whether there are fewer now.
func (fs *FS) shed() bool {
	before := fs.tab.Open()
	fs.tab.Evict(fs.tab.Max()-before+max(shedLeast, before/4), dirty, fs.published)
	if fs.reap(false); fs.tab.Open() >= before {
		fs.reap(true)
	}
	return fs.tab.Open() < before
}

// Shed closes a quarter of what is kept open for objects that nobody uses now. It may
// be called from any goroutine until Close, and may block on the file system.
func (fs *FS) Shed() { fs.shed() }

const (
	// shedLeast is how many descriptors shed closes at least, if there are as many.
	shedLeast = 16
	// shedTimes is how often an operation that finds none has some closed.
	shedTimes = 4
)

// plenty opens by open, which has no lock of the table. When descriptors have run out,
// some that are only kept are closed and it is tried again: a cache keeps nobody from
// working. Workers only.
func (fs *FS) plenty(open func() (int, unix.Errno)) (fd int, errno unix.Errno) {
	fd, errno = open()
	for try := 0; kernel.LowOnFDs(errno) && try < shedTimes && fs.shed(); try++ {
		fd, errno = open()
	}
	return fd, errno
}

// retire drops an entry, for instance because its object is gone, and closes it
// unless somebody else is in the middle of using it.
func (fs *FS) retire(e *entry) {
	fs.tab.Retire(e)
	fs.wake()
}
