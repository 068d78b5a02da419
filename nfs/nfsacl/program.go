package nfsacl

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Config is what the program does besides answering. The zero value is its defaults.
type Config struct {
	// Refused, if not nil, hears of each call that an export refuses, on the thread that
	// runs the call.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
}

// server is what the procedures share. It is immutable.
type server struct {
	table *export.Table
	cfg   Config
}

// New returns the NFSACL program for the exports of t. The places that run it have been
// attached to t.
func New(t *export.Table, cfg Config) *rpc.Program {
	s := &server{table: t, cfg: cfg}
	return &rpc.Program{
		Name:   "nfs_acl",
		Number: NFS_ACL_PROGRAM,
		Versions: []rpc.Version{{Number: NFS_ACL_V3, Procedures: []rpc.Procedure{
			ACLPROC3_NULL:   {Name: "NULL", Class: rpc.Inline, Handle: s.null},
			ACLPROC3_GETACL: {Name: "GETACL", Class: rpc.Blocking, Reads: true, Handle: s.getacl},
			ACLPROC3_SETACL: {Name: "SETACL", Class: rpc.Blocking, Handle: s.setacl},
		}}},
		Volume: s.volume,
	}
}

// volume returns the volume of the handle with which all arguments begin.
func (s *server) volume(c *rpc.Call) int {
	d := c.Args
	return s.table.Volume(d.Opaque(export.WireMax))
}

// null does nothing: the caller wants to know whether the program is there.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }

// object is a file handle taken apart.
type object struct {
	x *export.Export
	v vfs.View
	h vfs.Handle
}

// open finds the object of a handle, if its export serves the caller.
func (s *server) open(c *rpc.Call, fh []byte) (o object, st vfs.Status) {
	if o.x, st = s.table.OpenAt(c.Place.Index, fh, &o.h); st != vfs.OK {
		return o, st
	}
	if why := o.x.Refuses(c.Peer, c.Origin.Local()); why != export.Served {
		if s.cfg.Refused != nil {
			s.cfg.Refused(c, o.x, why)
		}
		return o, vfs.Access
	}
	o.v = s.table.View(c.Place.Index, o.x)
	return o, vfs.OK
}

// cred returns the caller's credential on the object's export.
func (o *object) cred(c *rpc.Call) *vfs.Cred {
	return o.x.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
}

// waits reports whether the call must be run again where it may wait.
func waits(c *rpc.Call, st vfs.Status) bool { return st == vfs.Again && !c.Place.Thread.MayWait }
