package posixfs

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Write implements vfs.View. It writes with the caller's credential, so that the
// kernel takes set-id bits away, charges quotas and keeps reserved blocks from
// those who have no right to them.
func (v *View) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (n int, got vfs.Stability, verf uint64, s vfs.Status) {
	off, src, how := r.Off, r.Src, r.How
	verf = v.fs.verifier.Load()
	if v.lane {
		now := v.fs.writes.clock()
		if how != vfs.Unstable || !v.fs.writes.may(now) {
			return 0, 0, 0, vfs.Again
		}
		v.awake(now)
		v.writing.Store(now)
		defer func() { v.wrote(now, n) }()
	}
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		if s != vfs.Again {
			*w = vfs.WCC{}
		}
		return 0, 0, 0, s
	}
	defer v.done()
	if !v.lane {
		e.Own.access.locking.Add(1)
		defer e.Own.access.locking.Add(-1)
	}
	fd, s := v.beginWrite(c, e, false)
	if s == vfs.Again {
		return 0, 0, 0, s
	}
	mark := uint64(0)
	if how != vfs.Unstable {
		mark = e.Own.flush.flushes.failures()
	}
	if s == vfs.OK {
		n, s = v.writeBy(c, e, fd, src, off)
		if s == vfs.Again {
			return 0, 0, 0, s
		}
		if s == vfs.OK && n > 0 && how != vfs.Unstable {
			// Not RWF_SYNC: writers of one file who wait together share an fsync.
			s = v.fs.flushSince(e, fd, mark)
			v.trailed(e, fd)
		}
	}
	*w = vfs.WCC{}
	if v.st2.Nlink != 0 {
		v.fs.setBefore(w, &v.st2)
	}
	v.after(e, w)
	return n, how, verf, s
}

// beginWrite makes everything ready for writing to e: v.st2 holds the attributes
// from before (Nlink 0 when there are none), and the thread acts for c. To
// commit, the descriptor need not be open for writing.
func (v *View) beginWrite(c *vfs.Cred, e *entry, commit bool) (fd int, s vfs.Status) {
	v.st2.Nlink = 0
	fd = -1
	switch {
	case e.Kind == unix.S_IFDIR:
		s = vfs.IsDir
	case e.Kind != unix.S_IFREG:
		s = vfs.Inval
	case commit:
		fd, s = v.committer(c, e)
	default:
		fd, s = v.writerFor(c, e)
	}
	if s == vfs.Again {
		return -1, s
	}
	if t := v.stat(e, &v.st2); t != vfs.OK {
		return -1, t
	}
	if s != vfs.OK {
		return -1, s
	}
	granted, s := v.may(c, e, &v.st2, mayWriteData)
	if s == vfs.OK && granted == 0 {
		s = vfs.Access
	}
	if s == vfs.OK && !v.as(c) {
		s = vfs.ServerFault
	}
	return fd, s
}

// setBefore fills the first half of w.
func (fs *FS) setBefore(w *vfs.WCC, st *unix.Statx_t) {
	w.HasBefore = true
	b := &w.Before
	b.Size = st.Size
	b.Mtime = vfs.Time{Sec: st.Mtime.Sec, Nsec: st.Mtime.Nsec}
	b.Ctime = vfs.Time{Sec: st.Ctime.Sec, Nsec: st.Ctime.Nsec}
	b.Change, b.HasChange = b.Ctime.Change(), fs.tells&vfs.AttrChange != 0 && st.Ctime.Nsec != 0
}

// after fills the second half of w.
func (v *View) after(e *entry, w *vfs.WCC) {
	if v.statx(e.FD, &v.st) == 0 && !v.fs.gone(&v.st) {
		v.fs.attributes(&w.After, &v.st)
	}
}

// writeAll writes src at off, with flags of pwritev2. What was written before an
// error counts.
func (v *View) writeAll(e *entry, fd int, src [][]byte, off uint64, flags uintptr) (n int, s vfs.Status) {
	total := 0
	for _, b := range src {
		total += len(b)
	}
	switch {
	case total == 0:
		return 0, vfs.OK
	case off > math.MaxInt64 || uint64(total) > math.MaxInt64-off:
		return 0, vfs.FBig
	}
	if v.lane && v.wouldWait(e, fd, off, uint64(total)) {
		return 0, vfs.Again
	}
	// Counted when it is written, and not before: an fsync that runs meanwhile has
	// not seen all of it, and must not take the file for clean. Until then the
	// entry is in use, so that nobody closes it.
	defer e.Own.flush.dirty.Add(1)
	p := kernel.Patience{}
	i, skip := 0, 0 // the first segment that is not yet written, and how much of it is
	for n < total {
		k, asked := v.vector(src[i:], skip)
		r, errno := v.pwritev(fd, k, off+uint64(n), flags)
		if errno != 0 {
			if !v.lane && p.Again(errno) || v.lane && p.AtOnceAgain(errno) {
				continue
			}
			return n, v.writeError(errno, n)
		}
		n += int(r)
		if v.lane && int(r) < asked || r == 0 {
			break // a short write is a result, too
		}
		for skip += int(r); i < len(src) && skip >= len(src[i]); i++ {
			skip -= len(src[i])
		}
	}
	if n == 0 {
		return 0, vfs.IO
	}
	return n, vfs.OK
}

// vector fills v.iov from src without the first skip bytes of it and returns how
// many elements it used, and how many bytes they have.
func (v *View) vector(src [][]byte, skip int) (k, bytes int) {
	for _, b := range src {
		if b = b[skip:]; len(b) > 0 {
			v.iov[k] = unix.Iovec{Base: &b[0], Len: uint64(len(b))}
			bytes += len(b)
			if k++; k == len(v.iov) {
				break
			}
		}
		skip = 0
	}
	return k, bytes
}

// pwritev writes v.iov[:k]. Lanes do not use RWF_NOWAIT (docs/design/0008), and say
// that they may sleep: the collector waits for whoever does not.
func (v *View) pwritev(fd, k int, off uint64, flags uintptr) (r uintptr, errno unix.Errno) {
	nr := uintptr(unix.SYS_PWRITEV2)
	if v.fs.is.noPwritev2 { // then there are no flags: see FS.cannot
		nr = unix.SYS_PWRITEV
	}
	r, _, errno = unix.Syscall6(
		nr,
		uintptr(fd),
		uintptr(unsafe.Pointer(&v.iov[0])),
		uintptr(k),
		uintptr(off),
		0,
		flags,
	)
	clear(v.iov[:k]) // the data is the caller's
	return r, errno
}

// writeError says what a write that failed after n bytes comes to.
func (v *View) writeError(errno unix.Errno, n int) vfs.Status {
	if n > 0 {
		return vfs.OK
	}
	return v.status(errno)
}

// Commit implements vfs.View. It flushes the whole file, which is what fsync
// does and what is needed to learn of every failure.
func (v *View) Commit(c *vfs.Cred, h vfs.Handle, r *vfs.CommitArgs, w *vfs.WCC) (verf uint64, s vfs.Status) {
	if v.lane {
		return 0, vfs.Again
	}
	*w = vfs.WCC{}
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return 0, s
	}
	defer v.done()
	e.Own.access.locking.Add(1)
	defer e.Own.access.locking.Add(-1)
	fd, s := v.beginWrite(c, e, true)
	if v.st2.Nlink != 0 {
		v.fs.setBefore(w, &v.st2)
	}
	if s == vfs.OK {
		verf, s = v.fs.flush(e, fd)
		v.trailed(e, fd)
	}
	v.after(e, w)
	return verf, s
}
