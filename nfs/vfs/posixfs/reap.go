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
	sweepBatch = 512
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
		case <-fs.soiled:
			fs.watchDirty()
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
			fs.wholes.expire(fs.tick.Add(1))
			fs.watchWrites(fs.writes.clock())
		}
	}
}

// restWriters retires the files that were written to, but not since it last came
// by, and have nothing unstable: while they are open for writing nobody can
// execute them or make the file system read-only. Where the file system forgets what is
// not open, another entry of the same object takes the place.
func (fs *FS) restWriters() {
	t := &fs.tab
	for i := 0; ; {
		t.mu.Lock()
		for end := i + sweepBatch; i < min(end, len(t.writers)); {
			e := t.writers[i]
			if !e.dead.Load() {
				if e.wrote.Swap(false) || e.dirty.Load() != 0 {
					i++
					continue
				}
				if fs.odd.keeps() {
					t.replaceLocked(e)
				} else {
					t.retireLocked(e)
				}
			}
			last := len(t.writers) - 1
			t.writers[i], t.writers[last] = t.writers[last], nil
			t.writers = t.writers[:last]
			end--
		}
		done := i >= len(t.writers)
		t.mu.Unlock()
		if done {
			return
		}
	}
}

// sweep retires the entries that nobody has used for idleRounds, unless the file
// system forgets what is not open. It holds the
// table's lock for a batch at a time, since lanes may be waiting for it.
func (fs *FS) sweep() {
	t := &fs.tab
	var due []*entry
	for i := 0; ; {
		t.mu.Lock()
		end := min(i+sweepBatch, len(t.clock))
		for i < end {
			e := t.clock[i]
			if e.due.Load() {
				due = append(due, e)
			}
			if e.ref.Swap(false) {
				e.idle = 0
			} else if e.idle++; e.idle >= idleRounds && !fs.odd.keeps() {
				t.retireLocked(e) // another entry takes its place
				end--
				continue
			}
			i++
		}
		done := i >= len(t.clock)
		t.mu.Unlock()
		for _, e := range due { // only its handle is needed, so it may be closed meanwhile
			fs.settleAtime(e)
		}
		if due = due[:0]; done {
			return
		}
	}
}

// reap closes the retired entries that no View has published. Those with unstable
// data, or an access time to note, are left to the janitor unless flush is set.
func (fs *FS) reap(flush bool) {
	t := &fs.tab
	t.mu.Lock()
	if len(t.retired) == 0 {
		t.mu.Unlock()
		return
	}
	var free []*entry
	keep, later := t.retired[:0], false
	for _, e := range t.retired {
		switch {
		case fs.published(e):
			keep = append(keep, e)
		case (e.dirty.Load() != 0 || e.due.Load()) && !flush:
			keep, later = append(keep, e), true
		default:
			free = append(free, e)
			t.pending -= e.held
		}
	}
	clear(t.retired[len(keep):])
	t.retired = keep
	t.mu.Unlock()
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
		for i := range v.use {
			if v.use[i].Load() == e {
				return true
			}
		}
	}
	return false
}

// closeEntry closes the descriptors of a retired entry that no View has published.
// Unstable data is flushed first: closed, the file would forget that writing it
// back has failed.
func (fs *FS) closeEntry(e *entry) {
	e.leaving.Lock()
	fs.flushLeft(e)
	e.left = true
	e.leaving.Unlock()
	fs.tab.gone(e)
	fs.settleAtime(e)
	n := e.fds()
	if r := int(e.read.Load()); r >= 0 && r != e.fd {
		kernel.CloseFD(r)
	}
	w := int(e.write.Load())
	if w >= 0 && w != e.fd {
		fs.closeWritten(w)
	}
	if fd := int(e.waits.Load()); fd >= 0 {
		kernel.CloseFD(fd)
	}
	for d := range e.direct {
		if fd := int(e.direct[d].Load()); fd >= 0 {
			fs.closeWritten(fd)
		}
	}
	if w == e.fd {
		fs.closeWritten(w)
	} else {
		kernel.CloseFD(e.fd)
	}
	fs.tab.open.Add(int64(-n))
}

// closeWritten closes a descriptor that may have been written to. FUSE and file
// systems of other machines write back then, and report what became of it once.
func (fs *FS) closeWritten(fd int) {
	if fs.close(fd) != 0 { // it is closed all the same
		fs.lost()
	}
}

// lost changes the write verifier: data that was acknowledged as unstable may be
// gone.
func (fs *FS) lost() { fs.verifier.Add(1) }

// room makes space for n descriptors. It may block, and flushes by itself what the
// janitor cannot flush fast enough.
func (fs *FS) room(n int) {
	over := func() bool { return int(fs.tab.open.Load())+n > fs.tab.fdMax }
	if over() {
		fs.tab.evict(n, fs.published)
		if fs.reap(false); over() {
			fs.reap(true)
		}
	}
}

// shed closes a quarter of the descriptors that are kept for objects, though they are
// not too many by their own bound: the process, or the machine, has none left. It may
// block like room, and reports whether there are fewer now.
func (fs *FS) shed() bool {
	before := fs.tab.open.Load()
	fs.tab.evict(fs.tab.fdMax-int(before)+max(shedLeast, int(before)/4), fs.published)
	if fs.reap(false); fs.tab.open.Load() >= before {
		fs.reap(true)
	}
	return fs.tab.open.Load() < before
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
	for try := 0; lowOnFDs(errno) && try < shedTimes && fs.shed(); try++ {
		fd, errno = open()
	}
	return fd, errno
}

// retire drops an entry, for instance because its object is gone, and closes it
// unless somebody else is in the middle of using it.
func (fs *FS) retire(e *entry) {
	fs.tab.retire(e)
	fs.wake()
}

// lowOnFDs reports whether errno means that descriptors have run out.
func lowOnFDs(e unix.Errno) bool { return e == unix.EMFILE || e == unix.ENFILE }
