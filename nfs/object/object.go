// Package object opens what file handles name, for the programs that serve NFS: which export an
// object is of, whether that serves the caller, the view it is reached by, and as whom. It
// depends on no version of the protocol, and has no goroutines and no locks.
package object

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Opener opens handles of the exports of a table. It is immutable and may be used on all
// places at once.
type Opener struct {
	Table *export.Table
	// Refused, if not nil, hears of each call that an export refuses for where it comes
	// from. It is called on the thread that runs the call, which may not sleep.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
}

// Object is a file handle taken apart. Without a View the handle could not be opened, or the
// caller has no business with its export.
type Object struct {
	Export *export.Export
	View   vfs.View
	Handle vfs.Handle
}

// Served is a peer that an export serves: that of a place's last call, since those of a
// connection mostly come one after the other. It belongs to one place. The zero value is
// nobody.
type Served struct {
	export *export.Export
	peer   netip.AddrPort
	local  bool
}

// Open finds the object of a handle as it is on the wire, which is borrowed, for reading. last
// may be nil. It does not block. The status is BadHandle or Stale for the handle, Access for
// the caller.
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

// serves reports whether x serves the caller, and puts who that is into last.
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

// OpenChange finds the object of a handle for changing it, or what is in it: it is [Opener.Open]
// but for an export that is read-only, which is ROFS.
func (p *Opener) OpenChange(c *rpc.Call, fh []byte, o *Object, last *Served) vfs.Status {
	st := p.Open(c, fh, o, last)
	if st == vfs.OK && o.Export.ReadOnly {
		return vfs.ROFS
	}
	return st
}

// Volume returns the volume of the call's first handle, with which the arguments of all
// procedures begin that have any (see [rpc.Program]).
func (p *Opener) Volume(c *rpc.Call) int {
	d := c.Args
	return p.Table.Volume(d.Opaque(export.WireMax))
}

// Cred returns the caller's credential on the object's export, which belongs to the thread and
// is valid until its next use.
func (o *Object) Cred(c *rpc.Call) *vfs.Cred {
	return o.Export.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
}

// Fill asks for the object's attributes, which the caller has found missing; they stay so when
// they cannot be had. It may only be called while nothing has been changed. It reports false
// when the call must wait for them.
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

// Waits reports whether the call must be run again where it may wait. On a thread that may,
// Again is a mistake of the back end and a server fault.
func Waits(c *rpc.Call, st vfs.Status) bool {
	return st == vfs.Again && !c.Place.Thread.MayWait
}

// Gone reports whether an object with this status has no attributes to ask for.
func Gone(st vfs.Status) bool { return st == vfs.Stale || st == vfs.BadHandle }
