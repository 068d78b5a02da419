package posixfs

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
)

// How the code that makes changes gets them on stable storage: it takes a mark, makes the change,
// and calls stabilize or stabilizeData. These flush at once, or note what the change owes for Pay.

// debt is what changes of one object owe.
type debt struct {
	e    *entry // kept by the View's Uses
	fd   int    // see stabilize
	mark uint64 // from before the first of the changes
}

// debts are what the changes owe that a View has made, see vfs.Debts. The zero value is nothing.
type debts struct {
	list  [table.KeptMax]debt
	n     int
	all   bool       // the whole file system is to be flushed
	at    int        // with all: before which one of list
	mark  uint64     // with all
	early vfs.Status // what became of debts that were paid for want of room in list
	gone  []*entry   // of objects that have lost their last name, to be released
}

// mark returns a mark for stabilize, before a change of e.
func (fs *FS) mark(e *entry, fd int) uint64 {
	if fd < 0 {
		return fs.store.MarkAll()
	}
	return e.Own.flush.Failures()
}

// stabilize puts a change of e that is not one of data on stable storage, or leaves that to Pay. fd
// is -1 for an object that cannot be opened: a link, a device, a socket, and, if the process is not
// root, an object that it may not read. Such an object reaches stable storage only when the whole
// file system is flushed. mark is from before the change.
func (v *View) stabilize(e *entry, fd int, mark uint64) vfs.Status {
	if v.fs.is.memory {
		return vfs.OK
	}
	return v.stabilizeData(e, fd, mark)
}

// stabilizeData is stabilize for a change of e's data. In memory, too, the file is clean
// afterwards.
func (v *View) stabilizeData(e *entry, fd int, mark uint64) vfs.Status {
	switch {
	case v.th.Debts.Owe(v):
		v.owe(e, fd, mark)
		return vfs.OK
	case fd < 0:
		return v.fs.flushAll(mark)
	}
	return v.fs.flushSince(e, fd, mark)
}

// owe notes what a change of e owes. What does not fit is paid at once, and Pay tells what became
// of it.
func (v *View) owe(e *entry, fd int, mark uint64) {
	d := &v.debts
	if fd < 0 {
		if !d.all {
			d.all, d.at, d.mark = true, d.n, mark
		}
		return
	}
	if i := d.of(e); i >= 0 {
		d.list[i].mark = min(d.list[i].mark, mark)
		return
	}
	if d.n == len(d.list) {
		v.payEarly()
	}
	v.use.Keep(e, d.n)
	d.list[d.n] = debt{e, fd, mark}
	d.n++
}

// of returns the place of e's debt in d.list, -1 if e owes nothing.
func (d *debts) of(e *entry) int {
	for i := range d.n {
		if d.list[i].e == e {
			return i
		}
	}
	return -1
}

// place returns when a change of e is flushed, in comparison to others. fd is as in stabilize. The
// debt may be that of an older entry of the same object.
func (d *debts) place(e *entry, fd int) int {
	for i := range d.n {
		if d.list[i].e.Key == e.Key {
			return 2*i + 1
		}
	}
	if fd < 0 && d.all {
		return 2 * d.at
	}
	return math.MaxInt // in the order in which they come
}

// overtakes reports whether a change of e would be flushed before one of x, because e owes already
// or the whole file system is to be flushed. fd is that of x.
func (d *debts) overtakes(e, x *entry, fd int) bool {
	at := d.place(e, 0)
	if d.all {
		at = min(at, 2*d.at)
	}
	return at < d.place(x, fd)
}

// payEarly pays before the caller asks for it, and keeps the result for Pay.
func (v *View) payEarly() {
	s := v.Pay()
	v.debts.early = s
}

// Pay implements vfs.Payer. It flushes the objects in the order in which they came to owe.
func (v *View) Pay() vfs.Status {
	v.owner.check()
	d := &v.debts
	s, gone := d.early, false
	add := func(t vfs.Status) {
		if s == vfs.OK {
			s = t
		}
	}
	for i, e := range d.gone { // first, so that one flush is for the freed space, too
		v.fs.release(e)
		d.gone[i] = nil
	}
	for i := range d.n + 1 {
		if d.all && i == d.at {
			add(v.fs.flushAll(d.mark))
		}
		if i == d.n {
			break
		}
		x := d.list[i]
		x.e.Own.data.Locking.Add(1)
		add(v.fs.flushSince(x.e, x.fd, x.mark))
		x.e.Own.data.Locking.Add(-1)
		v.use.Unkeep(i)
		gone = gone || x.e.Dead()
	}
	*d = debts{gone: d.gone[:0]}
	if gone {
		v.fs.reap(false) // see release
	}
	return s
}

// flushSince is flush for a change that must be on stable storage when the caller answers. mark is
// from before the change.
func (fs *FS) flushSince(e *entry, fd int, mark uint64) vfs.Status {
	_, s := fs.flush(e, fd)
	if s == vfs.OK {
		s = fs.status(e.Own.flush.Since(mark))
	}
	return s
}

// flush puts e's data and attributes on stable storage. It uses fd if e is not open for writing. It
// returns the write verifier. If the verifier has changed since the client saw it, the client
// writes again, which is never wrong.
func (fs *FS) flush(e *entry, fd int) (verf uint64, s vfs.Status) {
	errno := fs.store.Flush(&e.Own.flush, &e.Write, fd)
	fs.data.Flushed(&e.Own.data, fd)
	if errno != 0 {
		return 0, fs.status(errno)
	}
	if fs.tab.Going() != 0 {
		// The data may have been written through an entry that has been retired since. That
		// entry's descriptor knows of failures that e's descriptor, opened later, does not:
		// failures that the kernel has already reported to another process.
		for _, x := range fs.tab.Olders(&e.Handle) {
			fs.store.Leave(&x.Own.flush, &x.Write, false)
		}
	}
	return fs.store.Verifier(), vfs.OK
}

// flushAll puts everything on the file system on stable storage. mark is from before the caller's
// change.
func (fs *FS) flushAll(mark uint64) vfs.Status {
	return fs.status(fs.store.SyncAll(fs.root, mark))
}
