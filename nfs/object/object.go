// Package object opens the objects that file handles name, for the programs that serve NFS. It
// finds the object's export, whether the export serves the caller, the View that reaches the
// object, and the caller's credential. It depends on no version of the protocol, and has no
// goroutines and no locks.
package object

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Opener opens handles of the exports of a table. It is immutable. All places may use it at the
// same time.
type Opener struct {
	Table *export.Table
	// Refused, if not nil, is told of each call that an export refuses because of where the
	// call comes from. It is called on the thread that runs the call, which may not sleep.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
}

// Object is a file handle taken apart. It has no View if the handle could not be opened, or if its
// export does not serve the caller.
type Object struct {
	Export *export.Export
	View   vfs.View
	Handle vfs.Handle
}

// Served is a peer that an export serves: the peer of a place's last call. It saves the next check,
// because the calls of one connection mostly come one after the other. It belongs to one place. The
// zero value is no peer.
type Served struct {
	export *export.Export
	peer   netip.AddrPort
	local  bool
}

// Open finds the object of a handle in its wire form, for reading. It borrows the handle. last may
// be nil. Open does not block. The status is BadHandle or Stale if the handle is no good, and
// Access if the export does not serve the caller.
func (p *Opener) Open(c *rpc.Call, fh []byte, o *Object, last *Served) vfs.Status {
	x, st := p.Table.OpenAt(c.Place.Index, fh, &o.Handle)
	if st != vfs.OK {
		return st
	}
	if last == nil || last.export != x || last.peer != c.Peer || last.local != c.Origin.Local() {
		if !p.serves(c, x, last) {
			return vfs.Access
		}
	}
	o.Export = x
	o.View = p.Table.View(c.Place.Index, x)
	return vfs.OK
}

// serves reports whether x serves the caller. If it does, serves puts the caller into last.
func (p *Opener) serves(c *rpc.Call, x *export.Export, last *Served) bool {
	local := c.Origin.Local()
	if why := x.Refuses(c.Peer, local); why != export.Served {
		if p.Refused != nil {
			p.Refused(c, x, why)
		}
		return false
	}
	if last != nil {
		*last = Served{x, c.Peer, local}
	}
	return true
}

// OpenChange finds the object of a handle, for changing the object or its content. It is
// [Opener.Open], but an export that is read-only gives ROFS.
func (p *Opener) OpenChange(c *rpc.Call, fh []byte, o *Object, last *Served) vfs.Status {
	st := p.Open(c, fh, o, last)
	if st == vfs.OK && o.Export.ReadOnly {
		return vfs.ROFS
	}
	return st
}

// Target returns the volume of the call's first handle, and its object if the call must not run
// twice: such calls change the object. The arguments of all procedures that have any begin with a
// handle (see [rpc.Program]).
func (p *Opener) Target(c *rpc.Call) rpc.Target {
	d := c.Args
	fh := d.Opaque(export.WireMax)
	t := rpc.Target{Volume: p.Table.Volume(fh)}
	if proc := c.Procedure(); proc != nil && proc.Once {
		t.Object = export.ObjectOf(fh)
	}
	return t
}

// Cred returns the caller's credential on the object's export. It belongs to the thread. The caller
// does not keep it.
func (o *Object) Cred(c *rpc.Call) *vfs.Cred {
	return o.Export.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
}

// Fill asks for the object's attributes when the caller has found them missing. If the back end
// does not give them, they stay missing. Fill may only be called while nothing has been changed. It
// reports false when the call must wait for the attributes.
func (o *Object) Fill(c *rpc.Call, a *vfs.Attr) bool {
	if o.View == nil {
		return true
	}
	st := o.View.GetAttr(o.Handle, a)
	if st != vfs.OK {
		a.Mask = 0
	}
	return !Waits(c, st)
}

// Waits reports whether the call must be run again on a thread that may wait. On such a thread
// Again is a mistake of the back end and becomes a server fault.
func Waits(c *rpc.Call, st vfs.Status) bool {
	return st == vfs.Again && !c.Place.Thread.MayWait
}

// Gone reports whether an object with this status has no attributes to ask for.
func Gone(st vfs.Status) bool { return st == vfs.Stale || st == vfs.BadHandle }
