package v4

import (
	"bytes"
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// getattr is GETATTR (RFC 8881, section 18.7). Attributes that the server does not know are
// left out, and so are those that the minor version does not have: Linux asks for some.
func (k *compound) getattr() nfs4.Nfsstat4 {
	if write := k.straight(); write != nil {
		return k.getattrBy(write)
	}
	var want bitmap
	want.decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if !want.ofLinux() {
		if st := k.unreadable(&want); st != nfs4.NFS4_OK {
			return st
		}
	}
	if st := k.roomForNames(); st != nfs4.NFS4_OK {
		return st
	}
	if st := k.describe(&k.current, &want, k.knows()); st != nfs4.NFS4_OK {
		return st
	}
	k.w.values.encode(&k.c.Reply, want)
	if k.w.values.unnamed {
		return stAgain
	}
	return nfs4.NFS4_OK
}

// straight reads the arguments of a GETATTR that can be answered without the table: for one of
// Linux's sets, of an object in an export, while owners are numbers. It returns what writes the
// result, or nil and has read nothing.
func (k *compound) straight() func(*values, *xdr.Encoder) {
	const size = 4 + 2*4
	b := k.c.Args.Ahead(size)
	if b == nil || k.current.export == nil || k.s.cfg.Names.SendsNames() {
		return nil
	}
	be, v := binary.BigEndian, (*[size]byte)(b)
	var write func(*values, *xdr.Encoder)
	switch first, second := be.Uint64(v[0:]), be.Uint32(v[8:]); {
	case first == 2<<32|linux0 && second == linux1:
		write = writeLinux
	case first == 2<<32|linux0 && second == linux1|linuxBirth:
		write = writeLinuxBirth
	case first == 2<<32|few0 && second == few1:
		write = (*values).encodeFew
	default:
		return nil
	}
	k.c.Args.Run(size)
	return write
}

func writeLinux(v *values, e *xdr.Encoder)      { v.encodeLinux(e, false) }
func writeLinuxBirth(v *values, e *xdr.Encoder) { v.encodeLinux(e, true) }

// getattrBy is what is left of such a GETATTR.
func (k *compound) getattrBy(write func(*values, *xdr.Encoder)) nfs4.Nfsstat4 {
	p, v := &k.current, &k.w.values
	if v.attr = k.knows(); v.attr == nil {
		v.attr = &k.w.attr
		if s := k.s.Table.View(k.c.Place.Index, p.export).GetAttr(p.handle, v.attr); s != vfs.OK {
			return k.status(s)
		}
	}
	k.identify(v, p.export, &p.handle, v.attr)
	write(v, &k.c.Reply)
	return nfs4.NFS4_OK
}

// unreadable says no to attributes that can only be set.
func (k *compound) unreadable(want *bitmap) nfs4.Nfsstat4 {
	only := settable[k.minor]
	for i := range only {
		only[i] &^= readable[k.minor][i]
	}
	if want.any(&only) {
		return nfs4.NFS4ERR_INVAL
	}
	return nfs4.NFS4_OK
}

// verify is VERIFY (section 18.31).
func (k *compound) verify() nfs4.Nfsstat4 {
	same, st := k.compare()
	if st == nfs4.NFS4_OK && !same {
		return nfs4.NFS4ERR_NOT_SAME
	}
	return st
}

// nverify is NVERIFY (section 18.15).
func (k *compound) nverify() nfs4.Nfsstat4 {
	same, st := k.compare()
	if st == nfs4.NFS4_OK && same {
		return nfs4.NFS4ERR_SAME
	}
	return st
}

// compare reports whether the attributes that the client gives are the object's: byte for
// byte, for they have one form only.
func (k *compound) compare() (same bool, st nfs4.Nfsstat4) {
	var want bitmap
	more := want.decode(&k.c.Args)
	given := k.c.Args.Opaque(attributesMax)
	switch {
	case k.bad():
		return false, nfs4.NFS4ERR_BADXDR
	case more || !want.within(&supported[k.minor]):
		return false, nfs4.NFS4ERR_ATTRNOTSUPP
	case want.has(nfs4.FATTR4_RDATTR_ERROR):
		return false, nfs4.NFS4ERR_INVAL
	}
	if st = k.unreadable(&want); st != nfs4.NFS4_OK {
		return false, st
	}
	if st = k.describe(&k.current, &want, nil); st != nfs4.NFS4_OK {
		return false, st
	}
	// The values are written where the result would be, and taken back.
	e := &k.c.Reply
	at := e.Len()
	want.and(&readable[k.minor])
	k.w.values.encode(e, want)
	have := xdr.Decoder{}
	have.Reset(e.Bytes()[at:])
	var got bitmap
	got.decode(&have)
	same = got == want && bytes.Equal(have.Opaque(attributesMax), given)
	e.Truncate(at)
	if k.w.values.unnamed {
		return false, stAgain
	}
	return same, nfs4.NFS4_OK
}
