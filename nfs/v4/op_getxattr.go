package v4

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// decodeXattr reads the name of an extended attribute.
func decodeXattr(d *xdr.Decoder) []byte { return d.Clipped(vfs.XattrNameMax) }

// checkXattr judges it.
func checkXattr(name []byte) nfs4.Nfsstat4 {
	switch {
	case len(name) == 0:
		return nfs4.NFS4ERR_INVAL
	case len(name) > vfs.XattrNameMax:
		return nfs4.NFS4ERR_NAMETOOLONG
	case bytes.IndexByte(name, 0) >= 0:
		return nfs4.NFS4ERR_BADCHAR
	}
	return nfs4.NFS4_OK
}

// xattrs returns the current object and the ability to keep its extended attributes.
func (k *compound) xattrs(change bool) (o object.Object, x vfs.Xattrs, st nfs4.Nfsstat4) {
	if k.current.node != nil {
		return o, nil, nfs4.NFS4ERR_NOTSUPP
	}
	if change {
		o, st = k.changeable(&k.current)
	} else {
		o, st = k.object(&k.current)
	}
	if st != nfs4.NFS4_OK {
		return o, nil, st
	}
	if x = o.View.Abilities().Xattrs; x == nil {
		return o, nil, nfs4.NFS4ERR_NOTSUPP
	}
	return o, x, nfs4.NFS4_OK
}

// getxattr is GETXATTR (RFC 8276, section 8.4.1). The value is read to where it stands in the
// result.
func (k *compound) getxattr() nfs4.Nfsstat4 {
	name := decodeXattr(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkXattr(name); st != nfs4.NFS4_OK {
		return st
	}
	o, x, st := k.xattrs(false)
	if st != nfs4.NFS4_OK {
		return st
	}
	e := &k.c.Reply
	at := e.Len()
	n, s := x.GetXattr(o.Cred(k.c), o.Handle, name, nil)
	for range 8 { // it may grow in between
		if s != vfs.TooSmall {
			break
		}
		room := 4 + (n+3)&^3
		if room > k.left() {
			return k.tooBig()
		}
		if !k.c.Room(room) {
			return stGrow
		}
		e.Truncate(at)
		e.Uint32(0)
		n, s = x.GetXattr(o.Cred(k.c), o.Handle, name, e.Reserve(n))
	}
	e.Truncate(at)
	switch {
	case s == vfs.TooSmall:
		return nfs4.NFS4ERR_DELAY
	case s != vfs.OK:
		return k.status(s)
	}
	e.Uint32(uint32(n))
	e.Reserve(n)
	e.Pad(n)
	return nfs4.NFS4_OK
}
