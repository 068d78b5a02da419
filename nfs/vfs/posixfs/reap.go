package posixfs

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	janitorPeriod = 2500 * time.Millisecond
	idleRounds    = 4 // an entry is closed 10 to 12.5 s after its last use
	sweepBatch    = 512
)

// runJanitor closes what is idle or retired until stop is closed.
func (fs *FS) runJanitor() {
	defer close(fs.done)
	tick := time.NewTicker(fs.period)
	defer tick.Stop()
	for {
		select {
		case <-fs.stop:
			return
		case <-fs.kick:
		case <-tick.C:
			fs.sweep()
		}
		fs.reap(true)
	}
}

// sweep retires the entries that nobody has used for idleRounds. It holds the
// table's lock for a batch at a time, since lanes may be waiting for it.
func (fs *FS) sweep() {
	t := &fs.tab
	for i := 0; ; {
		t.mu.Lock()
		end := min(i+sweepBatch, len(t.clock))
		for i < end {
			e := t.clock[i]
			if e.ref.Swap(false) {
				e.idle = 0
			} else if e.idle++; e.idle >= idleRounds {
				t.retireLocked(e) // another entry takes its place
				end--
				continue
			}
			i++
		}
		done := i >= len(t.clock)
		t.mu.Unlock()
		if done {
			return
		}
	}
}

// reap closes the retired entries that no View has published. Those with unstable
// data are left to the janitor, which may flush.
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
		case e.dirty.Load() != 0 && !flush:
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

// closeEntry closes the descriptors of an entry that nobody can reach any more.
// Unstable data is flushed first: closed, the file would forget that writing it
// back has failed.
func (fs *FS) closeEntry(e *entry) {
	if w := e.write.Load(); w >= 0 && e.dirty.Load() != 0 {
		fs.closingMu.Lock()
		fs.closing.Add(1)
		if fsync(int(w)) != 0 {
			fs.lost()
		}
		fs.closing.Add(-1)
		fs.closingMu.Unlock()
	}
	n := e.fds()
	if r := int(e.read.Load()); r >= 0 && r != e.fd {
		closeFD(r)
	}
	if w := int(e.write.Load()); w >= 0 && w != e.fd {
		closeFD(w)
	}
	closeFD(e.fd)
	fs.tab.open.Add(int64(-n))
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

// retire drops an entry, for instance because its object is gone, and closes it
// unless somebody else is in the middle of using it.
func (fs *FS) retire(e *entry) {
	fs.tab.retire(e)
	fs.wake()
}

// lowOnFDs reports whether errno means that descriptors have run out.
func lowOnFDs(e unix.Errno) bool { return e == unix.EMFILE || e == unix.ENFILE }
