package mount

import (
	"math"
	"net/netip"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mnt is MNT of version 3: a handle for a path (RFC 1813, section 5.2.1).
func (s *server) mnt(c *rpc.Call) rpc.Outcome {
	path, ok := argument(c)
	if !ok {
		return rpc.GarbageArgs
	}
	var res mount3.Mountres3
	var fh [mount3.FHSIZE3]byte
	var p found
	st := s.find(c, path, &p)
	if st == vfs.Again {
		return rpc.Wait
	}
	if res.FhsStatus = statusOf(st); st == vfs.OK {
		res.Mountinfo.Fhandle = s.table.Seal(p.x, &p.e.Handle, fh[:0])
		res.Mountinfo.AuthFlavors = []int32{rpc.AuthSys, rpc.AuthNone} // best first
		// DUMP could not show a longer path.
		if len(p.full) <= mount3.MNTPATHLEN {
			s.list.add(entryOf(c, p.full))
		}
	}
	res.Encode(&c.Reply)
	s.cfg.Answered(c, Answer{
		Path: path[:min(len(path), mount3.MNTPATHLEN)], Status: res.FhsStatus, Why: p.why(st),
	})
	return rpc.Done
}

// errnoAccess is EACCES, which versions 1 and 2 use as a status.
const errnoAccess = 13

// mntOld is MNT of versions 1 and 2. Their handles are for NFS version 2, which is not served, and
// have 32 bytes, into which ours do not fit. So nobody gets one.
func (s *server) mntOld(c *rpc.Call) rpc.Outcome {
	if _, ok := argument(c); !ok {
		return rpc.GarbageArgs
	}
	res := mount3.Fhstatus{FhsStatus: errnoAccess}
	res.Encode(&c.Reply)
	return rpc.Done
}

// argument decodes the path that most procedures have as their only argument. A path that is longer
// than the protocol allows is no error here, because it has a status of its own.
func argument(c *rpc.Call) (string, bool) {
	path := c.Args.Opaque(math.MaxUint32)
	if c.Args.Err() != nil {
		return "", false
	}
	if len(path) > mount3.MNTPATHLEN {
		path = path[:mount3.MNTPATHLEN+1] // enough to be too long
	}
	return string(path), true
}

// found is what a path leads to: the object, its export, and its clean path in that export.
type found struct {
	x       *export.Export
	full    string
	e       vfs.Entry
	refusal export.Refusal // set with Access, if the export does not serve the caller
}

// why says why a path is refused, "" when it is not.
func (p *found) why(st vfs.Status) string {
	switch {
	case st == vfs.OK:
		return ""
	case p.refusal != export.Served:
		return p.refusal.String()
	case p.x == nil && st == vfs.NoEnt:
		return "it is not exported"
	}
	return "the directory: " + st.String()
}

// find looks up the object that path means for the caller.
func (s *server) find(c *rpc.Call, path string, p *found) vfs.Status {
	if len(path) > mount3.MNTPATHLEN {
		return vfs.NameTooLong
	}
	x, rest, ok := s.table.ByPath(path)
	if !ok {
		return vfs.NoEnt
	}
	p.x = x
	if p.refusal = x.Refuses(c.Peer, c.Origin.Local()); p.refusal != export.Served {
		return vfs.Access
	}
	view := s.table.View(c.Place.Index, x)
	caller := x.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
	if st := view.Walk(caller, rest, &p.e); st != vfs.OK {
		return st
	}
	if !p.e.Attr.Filled() {
		if st := view.GetAttr(p.e.Handle, &p.e.Attr); st != vfs.OK {
			return st
		}
	}
	if p.e.Attr.Type != vfs.TypeDir && p.e.Attr.Type != vfs.TypeReg {
		return vfs.NotDir
	}
	p.full = join(x, rest)
	return vfs.OK
}

// join returns the clean path of the object at rest below x.
func join(x *export.Export, rest string) string {
	if rest == "" {
		return x.Path
	}
	return strings.TrimSuffix(x.Path, "/") + "/" + rest
}

// entryOf returns the list's entry for the caller's mount of a path.
func entryOf(c *rpc.Call, path string) entry {
	return entry{house: c.Origin.House(c.Peer.Addr()), peer: peer(c), path: path}
}

// peer returns the caller's address in the form that the list has.
func peer(c *rpc.Call) netip.Addr { return c.Peer.Addr().Unmap().WithZone("") }
