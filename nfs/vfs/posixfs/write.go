package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// Write implements vfs.View. It writes with the caller's credential, so that the kernel clears
// set-id bits, charges quotas, and keeps reserved blocks from callers that have no right to them.
func (v *View) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (n int, got vfs.Stability, verf uint64, s vfs.Status) {
	verf = v.fs.store.Verifier()
	if !v.data.MayWrite(r.How) {
		return 0, 0, 0, vfs.Again
	}
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		if s != vfs.Again {
			*w = vfs.WCC{}
		}
		return 0, 0, 0, s
	}
	defer v.doneChanging()
	if !v.lane {
		e.Own.data.Locking.Add(1)
		defer e.Own.data.Locking.Add(-1)
	}
	v.begin(&e.Key, false, siteWrite)
	fd, s := v.beginWrite(c, e, false)
	if s == vfs.Again {
		return 0, 0, 0, s
	}
	mark := uint64(0)
	if r.How != vfs.Unstable {
		mark = e.Own.flush.Failures()
	}
	if s == vfs.OK {
		n, s = v.data.Write(c, &e.Own.data, fd, r.Src, r.Off, v.st2.Size, v.th.Epoch)
		if s == vfs.Again {
			return 0, 0, 0, s
		}
		if s == vfs.OK && n > 0 && r.How != vfs.Unstable {
			// Without RWF_SYNC: writers of one file that wait together share an fsync.
			s = v.stabilizeData(e, fd, mark)
		}
	}
	*w = vfs.WCC{}
	if v.st2.Mask != 0 {
		v.fs.setBefore(w, &v.st2)
	}
	v.after(e, w)
	return n, r.How, verf, s
}

// beginWrite prepares writing to e. v.st2 holds the attributes from before, with Mask 0 if there
// are none, and the thread acts for c. With commit the descriptor need not be open for writing.
func (v *View) beginWrite(c *vfs.Cred, e *entry, commit bool) (fd int, s vfs.Status) {
	v.st2.Mask = 0
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
		v.st2.Mask = 0
		return -1, t
	}
	v.unchanged(e, &v.st2)
	if s != vfs.OK {
		return -1, s
	}
	granted, s := v.judge.May(c, &e.Own.rights, &v.st2, verdict.WriteData)
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
	unstable := unsettled(e)
	if v.statx(e.FD, &v.st) == 0 && !v.fs.lost(e, &v.st) {
		v.fs.attributes(&w.After, &v.st)
		w.Atomic = v.changed(e, unstable) && w.HasBefore
	}
}

// Commit implements vfs.View. It flushes the whole file. That is what fsync does, and it is needed
// to learn of every failure.
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
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	fd, s := v.beginWrite(c, e, true)
	if v.st2.Mask != 0 {
		v.fs.setBefore(w, &v.st2)
	}
	if s == vfs.OK {
		verf, s = v.fs.flush(e, fd)
	}
	v.after(e, w)
	return verf, s
}
