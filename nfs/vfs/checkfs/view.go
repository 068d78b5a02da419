package checkfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// view is an FS seen from one thread.
type view struct {
	vfs.View // the wrapped View
	report   Report
	mayWait  bool
	list     listing
	read     vfs.ReadArgs    // arguments for the wrapped View
	readdir  vfs.ReadDirArgs // likewise
	able     vfs.Abilities
}

// Abilities returns those of the wrapped View, each held to its contract.
func (v *view) Abilities() *vfs.Abilities { return &v.able }

// abilities wraps the abilities that in has.
func abilities(v *view, in *vfs.Abilities) (able vfs.Abilities) {
	if in.Splice != nil {
		able.Splice = &splicer{view: v, in: in.Splice}
	}
	if in.ACLs != nil {
		able.ACLs = &acls{view: v, in: in.ACLs}
	}
	if in.Hold != nil {
		able.Hold = &holder{view: v, in: in.Hold}
	}
	if in.Locks != nil {
		able.Locks = &locker{view: v, in: in.Locks}
	}
	if in.Ranges != nil {
		able.Ranges = &ranges{view: v, in: in.Ranges}
	}
	if in.Copy != nil {
		able.Copy = &copier{view: v, in: in.Copy}
	}
	if in.Xattrs != nil {
		able.Xattrs = &xattrs{view: v, in: in.Xattrs}
	}
	return able
}

// status judges the status that a method returned.
func (v *view) status(method string, s vfs.Status) vfs.Status {
	switch {
	case s == vfs.Again && v.mayWait:
		return v.breach(method, "returned Again on a thread that may wait")
	case s >= vfs.NumStatus:
		return v.breach(method, fmt.Sprintf("returned status %d, which package vfs does not know", s))
	}
	return s
}

// breach reports a breach and returns the status that the call ends with.
func (v *view) breach(method, what string) vfs.Status {
	v.report(method, what)
	return vfs.ServerFault
}

// attr removes attributes that cannot be right, and those of an object that no longer exists. Where
// the mask says that there are none, there is nothing to remove.
func (v *view) attr(method string, a *vfs.Attr, s vfs.Status) {
	switch {
	case s == vfs.Again || !a.Filled():
		return
	case s == vfs.Stale || s == vfs.BadHandle:
		a.Mask = 0 // unspecified
		return
	}
	if what := impossible(a); what != "" {
		v.report(method, what)
		a.Mask = 0
	}
}

// wcc removes the halves that cannot be right.
func (v *view) wcc(method string, w *vfs.WCC, s vfs.Status) {
	if s == vfs.Again {
		return
	}
	if w.HasBefore && (w.Before.Mtime.Nsec > vfs.NsecMax || w.Before.Ctime.Nsec > vfs.NsecMax) {
		v.report(method, "filled WCC.Before with a time of more than 999,999,999 nanoseconds")
		w.HasBefore = false
	}
	if !w.After.Filled() {
		return
	}
	if what := impossible(&w.After); what != "" {
		v.report(method, what)
		w.After.Mask = 0
	}
}

// entry judges the object that a method has found or made.
func (v *view) entry(method string, e *vfs.Entry, s vfs.Status) vfs.Status {
	if s != vfs.OK {
		return s
	}
	if e.Handle.Len() == 0 {
		return v.breach(method, "returned OK without a handle")
	}
	if e.Attr.Filled() {
		if what := impossible(&e.Attr); what != "" {
			v.report(method, what)
			e.Attr.Mask = 0
		}
	}
	return s
}

// impossible says what is wrong with attributes that the mask says are filled in, "" if nothing is.
func impossible(a *vfs.Attr) string {
	switch {
	case a.Type < vfs.TypeReg || a.Type > vfs.TypeFifo:
		return fmt.Sprintf("filled attributes with type %d, which no object has", a.Type)
	case a.Mode&^0o7777 != 0:
		return fmt.Sprintf("filled attributes with mode %#o: only the bits of 07777 belong there", a.Mode)
	case a.Atime.Nsec > vfs.NsecMax || a.Mtime.Nsec > vfs.NsecMax || a.Ctime.Nsec > vfs.NsecMax,
		a.Has(vfs.AttrBirth) && a.Birth.Nsec > vfs.NsecMax:
		return "filled attributes with a time of more than 999,999,999 nanoseconds"
	}
	return ""
}
