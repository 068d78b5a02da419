package posixfs

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

var _ vfs.Copier = (*View)(nil)

// What one Copy copies at most, in bytes: where blocks are shared it takes no time.
const (
	copyMax      = 4 << 20
	copyCloneMax = 64 << 20
)

// source is a file that is lent to be copied from, also to a View of another FS.
type source struct {
	e  *entry
	fd int
}

// Lend implements vfs.Copier.
func (v *View) Lend(c *vfs.Cred, h vfs.Handle, use func(from any, size uint64) vfs.Status) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	e, s := v.acquire(&h, useSecond)
	if s != vfs.OK {
		return s
	}
	defer v.use.Drop(useSecond)
	switch e.Kind {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return vfs.IsDir
	default:
		return vfs.Inval
	}
	fd, s := v.reader(e)
	if s != vfs.OK {
		return s
	}
	if s = v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	size := v.st.Size
	granted, s := v.judge.May(c, &e.Own.rights, &v.st, verdict.ReadData)
	switch {
	case s != vfs.OK:
		return s
	case granted == 0:
		return vfs.Access
	}
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	defer v.touched(e)
	return use(source{e, fd}, size)
}

// borrow has act work with the file that r reads from, with the rights of c. n is how many bytes
// are asked for, and size is the file's.
func (v *View) borrow(
	c *vfs.Cred,
	to *entry,
	r *vfs.CopyArgs,
	act func(src source, n, size uint64) vfs.Status,
) vfs.Status {
	if r.From == nil {
		return vfs.XDev
	}
	return r.From.Lend(r.FromCred, r.FromHandle, func(from any, size uint64) vfs.Status {
		src, ours := from.(source)
		switch {
		case !ours:
			return vfs.XDev
		case !v.as(c): // lending may have changed that
			return vfs.ServerFault
		}
		left := size - min(r.FromOff, size)
		n := r.Len
		if n == 0 {
			n = left
		}
		if r.Off > math.MaxInt64 || n > math.MaxInt64-r.Off {
			return vfs.FBig
		}
		// The kernel sees only as much as it is given at a time.
		if m := min(n, left); src.e.Key == to.Key && r.Off < r.FromOff+m && r.FromOff < r.Off+m {
			return vfs.Inval
		}
		return act(src, n, size)
	})
}

// Clone implements vfs.Copier.
func (v *View) Clone(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) vfs.Status {
	return v.alter(c, &h, w, func(e *entry, fd int) vfs.Status {
		mark := e.Own.flush.Failures()
		s := v.borrow(c, e, r, func(src source, _, size uint64) vfs.Status {
			if size < r.FromOff || r.Len > size-r.FromOff {
				return vfs.Inval
			}
			return v.fs.status(kernel.CloneRange(fd, &unix.FileCloneRange{
				Src_fd: int64(src.fd), Src_offset: r.FromOff, Src_length: r.Len, Dest_offset: r.Off,
			}))
		})
		if s != vfs.OK {
			return s
		}
		return v.stabilizeData(e, fd, mark)
	})
}

// Copy implements vfs.Copier.
func (v *View) Copy(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) (n, verf uint64, s vfs.Status) {
	verf = v.fs.store.Verifier()
	s = v.alter(c, &h, w, func(e *entry, fd int) vfs.Status {
		return v.borrow(c, e, r, func(src source, want, _ uint64) (s vfs.Status) {
			defer e.Own.flush.Wrote()
			most := uint64(copyMax)
			if v.fs.limits.CloneBlock != 0 {
				most = copyCloneMax
			}
			want = min(want, most)
			n, s = v.copyRange(src.fd, fd, r.FromOff, r.Off, want)
			return s
		})
	})
	return n, verf, s
}

// copyRange copies n bytes, or as many as there are. What was copied before an error counts.
func (v *View) copyRange(from, to int, fromOff, off, n uint64) (done uint64, s vfs.Status) {
	if fromOff > math.MaxInt64 {
		return 0, vfs.OK
	}
	for done < n {
		got, errno := kernel.CopyRange(from, to, fromOff+done, off+done, n-done)
		switch {
		case errno != 0 && done > 0:
			return done, vfs.OK
		case errno != 0:
			return 0, v.fs.status(errno)
		case got == 0:
			return done, vfs.OK
		}
		done += uint64(got)
	}
	return done, vfs.OK
}
