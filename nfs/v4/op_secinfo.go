package v4

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// secinfo is SECINFO (RFC 8881, section 18.29). It looks the name up, and lets go of the
// current file handle in minor versions that say so.
func (k *compound) secinfo() nfs4.Nfsstat4 {
	name := decodeName(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	was, had := k.current, k.stateid
	if st := k.find(name); st != nfs4.NFS4_OK {
		return st
	}
	k.flavors()
	if k.current, k.stateid = was, had; k.minor > 0 {
		k.become(position{})
	}
	return nfs4.NFS4_OK
}

// secinfoNoName is SECINFO_NO_NAME (section 18.45).
func (k *compound) secinfoNoName() nfs4.Nfsstat4 {
	style := k.c.Args.Uint32()
	if k.bad() || style > uint32(nfs4.SECINFO_STYLE4_PARENT) {
		return nfs4.NFS4ERR_BADXDR
	}
	if style == uint32(nfs4.SECINFO_STYLE4_PARENT) {
		if st := k.lookupp(); st != nfs4.NFS4_OK {
			return st
		}
	}
	k.flavors()
	k.become(position{})
	return nfs4.NFS4_OK
}

// flavors writes which flavors the current file handle may be used with, the best first. Callers
// without a credential are of use where nobody keeps a name.
func (k *compound) flavors() {
	e, n := &k.c.Reply, k.current.node
	anonymous := n != nil && n.offers(k.c, export.SquashAll)
	if x := k.current.export; x != nil {
		anonymous = x.Squash == export.SquashAll
	}
	if !anonymous {
		e.Uint32(1)
		e.Uint32(rpc.AuthSys)
		return
	}
	e.Uint32(2)
	e.Uint32(rpc.AuthSys)
	e.Uint32(rpc.AuthNone)
}
