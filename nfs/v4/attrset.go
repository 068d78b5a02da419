package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// decodeSet reads a fattr4 of attributes to set into k.w.set and k.w.modes, and returns which they
// are. Those in allowed may be set.
func (k *compound) decodeSet(d *xdr.Decoder, allowed *bitmap) (given bitmap, st nfs4.Nfsstat4) {
	k.w.set = vfs.SetAttr{}
	more := given.decode(d)
	b := d.Opaque(attributesMax)
	if d.Err() != nil {
		return given, nfs4.NFS4ERR_BADXDR
	}
	return given, k.parseSet(&given, more, b, allowed)
}

// setOf is decodeSet for a fattr4 that has been decoded.
func (k *compound) setOf(a *nfs4.Fattr4, allowed *bitmap) (given bitmap, st nfs4.Nfsstat4) {
	k.w.set = vfs.SetAttr{}
	more := false
	for i, w := range a.Attrmask {
		if i < words {
			given[i] = w
		} else if w != 0 {
			more = true
		}
	}
	return given, k.parseSet(&given, more, a.AttrVals, allowed)
}

// parseSet reads the values of the attributes given; more says that there are others, which the
// server does not know.
func (k *compound) parseSet(given *bitmap, more bool, b []byte, allowed *bitmap) (st nfs4.Nfsstat4) {
	set := &k.w.set
	switch {
	case more || !given.within(&supported[k.minor]):
		return nfs4.NFS4ERR_ATTRNOTSUPP
	case !given.within(&settable[k.minor]), !given.within(allowed):
		return nfs4.NFS4ERR_INVAL
	}
	var v xdr.Decoder
	v.Reset(b)
	if given.has(nfs4.FATTR4_SIZE) {
		set.HasSize, set.Size = true, v.Uint64()
	}
	if given.has(nfs4.FATTR4_MODE) {
		if set.HasMode, set.Mode = true, v.Uint32(); set.Mode > 07777 {
			st = nfs4.NFS4ERR_INVAL
		}
	}
	if given.has(nfs4.FATTR4_OWNER) {
		set.HasUID, set.UID, st = k.owner(&v, false, st)
	}
	if given.has(nfs4.FATTR4_OWNER_GROUP) {
		set.HasGID, set.GID, st = k.owner(&v, true, st)
	}
	if given.has(nfs4.FATTR4_TIME_ACCESS_SET) {
		set.AtimeHow, set.Atime, st = decodeTime(&v, st)
	}
	if given.has(nfs4.FATTR4_TIME_MODIFY_SET) {
		set.MtimeHow, set.Mtime, st = decodeTime(&v, st)
	}
	st = decodeModes(&v, given, k.w, st)
	if v.Err() != nil || v.Left() != 0 {
		return nfs4.NFS4ERR_BADXDR
	}
	return st
}

// decodeTime reads a settime4.
func decodeTime(d *xdr.Decoder, before nfs4.Nfsstat4) (how vfs.TimeHow, t vfs.Time, st nfs4.Nfsstat4) {
	st = before
	switch nfs4.TimeHow4(d.Uint32()) {
	case nfs4.SET_TO_SERVER_TIME4:
		return vfs.TimeServer, t, st
	case nfs4.SET_TO_CLIENT_TIME4:
		t = vfs.Time{Sec: d.Int64(), Nsec: d.Uint32()}
		if t.Nsec > vfs.NsecMax && st == nfs4.NFS4_OK {
			st = nfs4.NFS4ERR_INVAL
		}
		return vfs.TimeClient, t, st
	}
	d.Fail(xdr.ErrValue)
	return vfs.TimeKeep, t, st
}
