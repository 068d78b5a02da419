package mount

import (
	"math"
	"net/netip"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mnt is MNT of version 3: a handle for a path (RFC 1813, section 5.2.1).
func (s *server) mnt(c *rpc.Call) rpc.Outcome {
	path, ok := argument(c)
	if !ok {
		return rpc.GarbageArgs
	}
	var res Mountres3
	var fh [FHSIZE3]byte
	x, full, e, st := s.find(c, path)
	if st == vfs.Again {
		return rpc.Wait
	}
	if res.FhsStatus = statusOf(st); st == vfs.OK {
		res.Mountinfo.Fhandle = s.table.Seal(x, &e.Handle, fh[:0])
		res.Mountinfo.AuthFlavors = []int32{rpc.AuthSys}
		if len(full) <= MNTPATHLEN { // else DUMP could not show it
			s.list.add(entry{peer: peer(c), path: full})
		}
	}
	res.Encode(&c.Reply)
	return rpc.Done
}

// errnoAccess is EACCES, which versions 1 and 2 use as a status.
const errnoAccess = 13

// mntOld is MNT of versions 1 and 2. Their handles are for NFS version 2, which
// is not served and whose 32 bytes would not hold ours: nobody gets one.
func (s *server) mntOld(c *rpc.Call) rpc.Outcome {
	if _, ok := argument(c); !ok {
		return rpc.GarbageArgs
	}
	res := Fhstatus{FhsStatus: errnoAccess}
	res.Encode(&c.Reply)
	return rpc.Done
}

// argument decodes the path that most procedures have as their only argument. It
// may be longer than the protocol allows: that has a status of its own.
func argument(c *rpc.Call) (string, bool) {
	path := c.Args.Opaque(math.MaxUint32)
	if c.Args.Err() != nil {
		return "", false
	}
	if len(path) > MNTPATHLEN {
		path = path[:MNTPATHLEN+1] // enough to be too long
	}
	return string(path), true
}

// find looks up the object that path means for the caller, and the export and
// the clean path that it has there.
func (s *server) find(c *rpc.Call, path string) (x *export.Export, full string, e vfs.Entry, st vfs.Status) {
	if len(path) > MNTPATHLEN {
		return nil, "", e, vfs.NameTooLong
	}
	x, rest, ok := s.table.ByPath(path)
	if !ok {
		return nil, "", e, vfs.NoEnt
	}
	if !x.Allowed(c.Peer.Addr()) {
		return nil, "", e, vfs.Access
	}
	view := s.table.View(c.Place.Index, x)
	caller := x.Cred(c.Place.Thread, c.Auth.UID, c.Auth.GID, c.Auth.Groups())
	if st = view.Walk(caller, rest, &e); st != vfs.OK {
		return nil, "", e, st
	}
	if !e.HasAttr {
		if st = view.GetAttr(e.Handle, &e.Attr); st != vfs.OK {
			return nil, "", e, st
		}
	}
	if e.Attr.Type != vfs.TypeDir && e.Attr.Type != vfs.TypeReg {
		return nil, "", e, vfs.NotDir
	}
	return x, join(x, rest), e, vfs.OK
}

// join is the clean path of what lies at rest below x.
func join(x *export.Export, rest string) string {
	if rest == "" {
		return x.Path
	}
	return strings.TrimSuffix(x.Path, "/") + "/" + rest
}

// peer is the caller's address as the list has it.
func peer(c *rpc.Call) netip.Addr { return c.Peer.Addr().Unmap().WithZone("") }
