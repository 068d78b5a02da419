package posixfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// How the code that makes changes gets them on stable storage: before it answers that a change is
// stable, it takes a mark, makes the change, and calls stabilize.

// mark returns a mark for stabilize, before a change of e.
func (fs *FS) mark(e *entry, fd int) uint64 {
	if fd < 0 {
		return fs.store.MarkAll()
	}
	return e.Own.flush.Failures()
}

// stabilize puts a change of e on stable storage. fd is -1 for an object that cannot be opened: a
// link, a device, a socket, and, if the process is not root, an object that it may not read. Such
// an object reaches stable storage only when the whole file system is flushed. mark is from before
// the change.
func (fs *FS) stabilize(e *entry, fd int, mark uint64) vfs.Status {
	if fs.is.memory {
		return vfs.OK
	}
	if fd < 0 {
		return fs.flushAll(mark)
	}
	return fs.flushSince(e, fd, mark)
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

// syncNow flushes a descriptor that no other operation uses.
func (fs *FS) syncNow(fd int) vfs.Status {
	if errno := fs.store.Sync(fd); errno != 0 {
		return fs.status(errno)
	}
	return vfs.OK
}
