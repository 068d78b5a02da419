package posixfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// How changes become stable, for those who make them. Whoever promises that a change is on
// stable storage takes a mark, makes the change, and calls stabilize.

// mark returns what stabilize is to be given for a change of e that is about to be made.
func (fs *FS) mark(e *entry, fd int) uint64 {
	if fd < 0 {
		return fs.store.MarkAll()
	}
	return e.Own.flush.Failures()
}

// stabilize puts a change of e on stable storage. Fd is -1 for an object that cannot be
// opened (a link, a device, a socket; not as root, what may not be read): only flushing the
// file system reaches those. Mark is from before the change.
func (fs *FS) stabilize(e *entry, fd int, mark uint64) vfs.Status {
	if fs.is.memory {
		return vfs.OK
	}
	if fd < 0 {
		return fs.flushAll(mark)
	}
	return fs.flushSince(e, fd, mark)
}

// flushSince is flush for a change that is to be on stable storage when the caller answers.
// Mark is from before the change.
func (fs *FS) flushSince(e *entry, fd int, mark uint64) vfs.Status {
	_, s := fs.flush(e, fd)
	if s == vfs.OK {
		s = fs.status(e.Own.flush.Since(mark))
	}
	return s
}

// flush puts e's data and attributes on stable storage. Fd is for an entry that is not open
// for writing. It returns the write verifier: one that changed since the client has seen it
// makes the client write again, which is never wrong.
func (fs *FS) flush(e *entry, fd int) (verf uint64, s vfs.Status) {
	errno := fs.store.Flush(&e.Own.flush, &e.Write, fd)
	fs.data.Flushed(&e.Own.data, fd)
	if errno != 0 {
		return 0, fs.status(errno)
	}
	if fs.tab.Going() != 0 {
		// The data may have been written by way of an entry that was retired since. Its
		// descriptor knows of failures that e's, opened later, does not: of those that
		// another process has been told before.
		for _, x := range fs.tab.Olders(&e.Handle) {
			fs.store.Leave(&x.Own.flush, &x.Write, false)
		}
	}
	return fs.store.Verifier(), vfs.OK
}

// flushAll puts everything on the file system on stable storage. Mark is from before the
// change that this is for.
func (fs *FS) flushAll(mark uint64) vfs.Status {
	return fs.status(fs.store.SyncAll(fs.root, mark))
}

// syncNow flushes a descriptor that nobody else has.
func (fs *FS) syncNow(fd int) vfs.Status {
	if errno := fs.store.Sync(fd); errno != 0 {
		return fs.status(errno)
	}
	return vfs.OK
}
