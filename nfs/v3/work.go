package nfs3

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// work is a place's scratch: all that a View fills or keeps no longer than a
// call. A local variable would be allocated each time, for its address goes
// through an interface.
type work struct {
	attr   vfs.Attr // of the object, or of the directory of a LOOKUP
	entry  vfs.Entry
	found  vfs.Found // entry and attr
	wcc    vfs.WCC
	made   vfs.Made // entry and wcc
	wccTo  vfs.WCC  // of RENAME's target directory
	statfs vfs.Statfs
	limits vfs.Limits

	// What the View is asked for, one procedure's at a time.
	set     vfs.SetAttr
	guard   vfs.Time
	read    vfs.ReadArgs
	splice  vfs.SpliceArgs
	write   vfs.WriteArgs
	commit  vfs.CommitArgs
	create  vfs.CreateArgs
	mkdir   vfs.MkdirArgs
	symlink vfs.SymlinkArgs
	mknod   vfs.MknodArgs
	rename  vfs.RenameArgs
	link    vfs.LinkArgs
	readdir vfs.ReadDirArgs

	segments [][]byte // of WRITE's data; keeps its length between calls
	fh       [export.WireMax]byte
	target   [targetMax + 1]byte // of READLINK
	dir      dirWriter
	served   served
}

// served is a peer that an export serves: that of the place's last call, since those of
// a connection mostly come one after the other.
type served struct {
	x     *export.Export
	peer  netip.AddrPort
	local bool
}

const (
	// segmentsMin is how many segments of a WRITE are expected: 1 MiB in receive
	// buffers of 64 KiB, and the ends.
	segmentsMin = 18
	// segmentsMax is how many a scratch keeps room for: what one pwritev(2)
	// takes. A peer that sends its data in crumbs does not make it grow for good.
	segmentsMax = 1024
)

// work returns the scratch of the place that c runs on, with nothing filled.
func (s *server) work(c *rpc.Call) *work {
	w := s.works[c.Place.Index]
	if w == nil {
		w = &work{segments: make([][]byte, 0, segmentsMin)}
		w.dir.yield = w.dir.add // bound once, for each binding allocates
		w.found = vfs.Found{Entry: &w.entry, Dir: &w.attr}
		w.made = vfs.Made{Entry: &w.entry, Dir: &w.wcc}
		s.works[c.Place.Index] = w
	}
	w.attr.Mask = 0
	w.entry.Attr.Mask = 0
	w.wcc.HasBefore, w.wcc.After.Mask = false, 0
	w.wccTo.HasBefore, w.wccTo.After.Mask = false, 0
	return w
}

// release lets go of the received memory that a WRITE's segments are views of.
func (w *work) release() {
	clear(w.segments)
	w.write.Src = nil
	if cap(w.segments) > segmentsMax {
		w.segments = make([][]byte, 0, segmentsMin)
	}
}

// object is a file handle taken apart. Without a view the handle could not be
// opened, or the caller has no business with its export.
type object struct {
	x *export.Export
	v vfs.View
	h vfs.Handle
}

// open finds the object of a handle for reading.
func (s *server) open(c *rpc.Call, fh []byte, o *object, w *work) vfs.Status {
	x, st := s.table.OpenAt(c.Place.Index, fh, &o.h)
	if st != vfs.OK {
		return st
	}
	if q := &w.served; q.x != x || q.peer != c.Peer || q.local != c.Origin.Local() {
		if !s.serves(c, x, q) {
			return vfs.Access
		}
	}
	o.x = x
	o.v = s.table.View(c.Place.Index, x)
	return vfs.OK
}

// serves reports whether x serves the caller, and puts who that is into q.
func (s *server) serves(c *rpc.Call, x *export.Export, q *served) bool {
	local := c.Origin.Local()
	if why := x.Refuses(c.Peer, local); why != export.Served {
		if s.cfg.Refused != nil {
			s.cfg.Refused(c, x, why)
		}
		return false
	}
	*q = served{x, c.Peer, local}
	return true
}

// openChange finds the object of a handle for changing it, or what is in it.
func (s *server) openChange(c *rpc.Call, fh []byte, o *object, w *work) vfs.Status {
	st := s.open(c, fh, o, w)
	if st == vfs.OK && o.x.ReadOnly {
		return vfs.ROFS
	}
	return st
}

// cred returns the caller's credential on the object's export.
func (o *object) cred(c *rpc.Call) *vfs.Cred {
	return o.x.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
}

// fill asks for the object's attributes, which the caller has found missing. It
// may only be called while nothing has been changed. It reports false when the
// call must wait for them.
func (o *object) fill(c *rpc.Call, a *vfs.Attr) bool {
	if o.v == nil {
		return true
	}
	st := o.v.GetAttr(o.h, a)
	if st != vfs.OK {
		a.Mask = 0
	}
	return !waits(c, st)
}

// waits reports whether the call must be run again where it may wait. On a
// thread that may, Again is a mistake of the back end and a server fault.
func waits(c *rpc.Call, st vfs.Status) bool {
	return st == vfs.Again && !c.Place.Thread.MayWait
}

// gone reports whether an object with this status has no attributes to ask for.
func gone(st vfs.Status) bool { return st == vfs.Stale || st == vfs.BadHandle }

// failAttr ends a procedure that changes nothing with a failure whose results
// are the object's attributes: those in a, or those that o gives.
func failAttr(c *rpc.Call, proc int, st vfs.Status, o *object, a *vfs.Attr) rpc.Outcome {
	if waits(c, st) {
		return rpc.Wait
	}
	if !a.Filled() && !gone(st) && !o.fill(c, a) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(proc, st))
	encodePostOpAttr(&c.Reply, a)
	return rpc.Done
}

// refuse ends a procedure before it has tried to change anything, with a failure
// whose results are o's weak cache consistency data.
func refuse(c *rpc.Call, proc int, st vfs.Status, o *object, w *vfs.WCC) rpc.Outcome {
	if !unchanged(c, st, o, w) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(proc, st))
	encodeWCC(&c.Reply, w)
	return rpc.Done
}

// unchanged fills w for an object that has not been changed: before is as after.
// It reports false when the call must wait.
func unchanged(c *rpc.Call, st vfs.Status, o *object, w *vfs.WCC) bool {
	if o.v == nil || gone(st) {
		return true
	}
	if !o.fill(c, &w.After) {
		return false
	}
	if w.After.Filled() {
		w.SetBefore(&w.After)
	}
	return true
}

// finish ends a procedure whose results are a status and weak cache consistency
// data, whether it succeeded or not.
func finish(c *rpc.Call, proc int, st vfs.Status, w *vfs.WCC) rpc.Outcome {
	if waits(c, st) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(proc, st))
	encodeWCC(&c.Reply, w)
	return rpc.Done
}

// finishMade ends CREATE, MKDIR, SYMLINK and MKNOD, whose results are the same.
func (s *server) finishMade(c *rpc.Call, proc int, st vfs.Status, dir *object, w *work) rpc.Outcome {
	if st != vfs.OK {
		return finish(c, proc, st, &w.wcc)
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	c.Reply.Bool(true)
	s.encodeHandle(c, dir.x, &w.entry.Handle, w)
	encodeEntryAttr(&c.Reply, &w.entry)
	encodeWCC(&c.Reply, &w.wcc)
	return rpc.Done
}
