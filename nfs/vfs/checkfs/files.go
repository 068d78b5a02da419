package checkfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func (v *view) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	const method = "GetAttr"
	s := v.status(method, v.View.GetAttr(h, a))
	if s == vfs.OK {
		if what := impossible(a); what != "" {
			return v.breach(method, what)
		}
	}
	return s
}

func (v *view) SetAttr(c *vfs.Cred, h vfs.Handle, set *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	const method = "SetAttr"
	s := v.status(method, v.View.SetAttr(c, h, set, w))
	v.wcc(method, w, s)
	return s
}

func (v *view) Access(
	c *vfs.Cred,
	h vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	const method = "Access"
	got, s := v.View.Access(c, h, want, a)
	s = v.status(method, s)
	v.attr(method, a, s)
	if s == vfs.OK && got&^want != 0 {
		return 0, v.breach(
			method,
			fmt.Sprintf("granted %#x where %#x was asked for", uint8(got), uint8(want)),
		)
	}
	return got, s
}

func (v *view) Statfs(c *vfs.Cred, h vfs.Handle, st *vfs.Statfs) vfs.Status {
	*st = vfs.Statfs{} // unfilled fields must not be the last call's
	return v.status("Statfs", v.View.Statfs(c, h, st))
}

func (v *view) PathConf(h vfs.Handle, l *vfs.Limits) vfs.Status {
	*l = vfs.Limits{}
	return v.status("PathConf", v.View.PathConf(h, l))
}

// Read gives the back end a slice whose capacity ends with dst, so that the back end cannot reach
// the memory behind it.
func (v *view) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	const method = "Read"
	v.read = *r
	v.read.Dst = r.Dst[:len(r.Dst):len(r.Dst)]
	n, eof, s := v.View.Read(c, h, &v.read, a)
	s = v.status(method, s)
	v.attr(method, a, s)
	switch {
	case s != vfs.OK:
		return 0, false, s
	case n < 0 || n > len(r.Dst):
		return 0, false, v.breach(method, beyond(n, len(r.Dst)))
	case n == 0 && !eof && len(r.Dst) > 0:
		return 0, false, v.breach(method, "returned OK with no bytes before the end of the file")
	}
	return n, eof, s
}

func beyond(n, room int) string {
	return fmt.Sprintf("returned %d bytes where there could be 0 to %d", n, room)
}

func (v *view) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (int, vfs.Stability, uint64, vfs.Status) {
	const method = "Write"
	n, got, verf, s := v.View.Write(c, h, r, w)
	s = v.status(method, s)
	v.wcc(method, w, s)
	if s != vfs.OK {
		return 0, got, verf, s
	}
	given := 0
	for _, b := range r.Src {
		given += len(b)
	}
	switch {
	case n < 0 || n > given:
		return 0, got, verf, v.breach(method, beyond(n, given))
	case n == 0 && given > 0:
		return 0, got, verf, v.breach(method, "returned OK with nothing written")
	case got < r.How || got > vfs.FileSync:
		return 0, r.How, verf, v.breach(
			method,
			fmt.Sprintf("reached stability %d where %d was asked for", got, r.How),
		)
	}
	return n, got, verf, s
}

func (v *view) Commit(c *vfs.Cred, h vfs.Handle, r *vfs.CommitArgs, w *vfs.WCC) (uint64, vfs.Status) {
	const method = "Commit"
	verf, s := v.View.Commit(c, h, r, w)
	s = v.status(method, s)
	v.wcc(method, w, s)
	return verf, s
}

func (v *view) ReadLink(c *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (int, vfs.Status) {
	const method = "ReadLink"
	n, s := v.View.ReadLink(c, h, dst[:len(dst):len(dst)], a)
	s = v.status(method, s)
	v.attr(method, a, s)
	switch {
	case s != vfs.OK:
		return 0, s
	case n < 0 || n > len(dst):
		return 0, v.breach(method, beyond(n, len(dst)))
	}
	return n, s
}

// splicer is the ability to splice.
type splicer struct {
	view *view
	in   vfs.Splicer
}

// Splice checks only what the method returns. The lender of the pipe checks what is in it.
func (v *splicer) Splice(c *vfs.Cred, h vfs.Handle, r *vfs.SpliceArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	const method = "Splice"
	moved, eof, s := v.in.Splice(c, h, r, a)
	s = v.view.status(method, s)
	v.view.attr(method, a, s)
	switch {
	case s != vfs.OK:
		return 0, false, s
	case moved < 0 || moved > r.N:
		return 0, false, v.view.breach(method, beyond(moved, r.N))
	case moved == 0 && !eof && r.N > 0:
		return 0, false, v.view.breach(method, "returned OK with no bytes before the end of the file")
	}
	return moved, eof, s
}
