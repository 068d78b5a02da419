package v4

import (
	"strconv"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// decodeSet reads a fattr4 of attributes to set into w.set and w.modes, and returns which they are.
// Those in allowed may be set.
func decodeSet(
	d *xdr.Decoder,
	minor uint32,
	allowed *bitmap,
	w *work,
) (given bitmap, st nfs4.Nfsstat4) {
	w.set = vfs.SetAttr{}
	more := given.decode(d)
	b := d.Opaque(attributesMax)
	if d.Err() != nil {
		return given, nfs4.NFS4ERR_BADXDR
	}
	return given, parseSet(&given, more, b, minor, allowed, w)
}

// setOf is decodeSet for a fattr4 that has been decoded.
func setOf(a *nfs4.Fattr4, minor uint32, allowed *bitmap, w *work) (given bitmap, st nfs4.Nfsstat4) {
	w.set = vfs.SetAttr{}
	more := false
	for i, w := range a.Attrmask {
		if i < words {
			given[i] = w
		} else if w != 0 {
			more = true
		}
	}
	return given, parseSet(&given, more, a.AttrVals, minor, allowed, w)
}

// parseSet reads the values of the attributes given; more says that there are others, which the
// server does not know.
func parseSet(
	given *bitmap,
	more bool,
	b []byte,
	minor uint32,
	allowed *bitmap,
	w *work,
) (st nfs4.Nfsstat4) {
	set := &w.set
	switch {
	case more || !given.within(&supported[minor]):
		return nfs4.NFS4ERR_ATTRNOTSUPP
	case !given.within(&settable[minor]), !given.within(allowed):
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
		set.HasUID, set.UID, st = number(&v, st)
	}
	if given.has(nfs4.FATTR4_OWNER_GROUP) {
		set.HasGID, set.GID, st = number(&v, st)
	}
	if given.has(nfs4.FATTR4_TIME_ACCESS_SET) {
		set.AtimeHow, set.Atime, st = decodeTime(&v, st)
	}
	if given.has(nfs4.FATTR4_TIME_MODIFY_SET) {
		set.MtimeHow, set.Mtime, st = decodeTime(&v, st)
	}
	st = decodeModes(&v, given, w, st)
	if v.Err() != nil || v.Left() != 0 {
		return nfs4.NFS4ERR_BADXDR
	}
	return st
}

// number reads an owner or group: a number in digits.
func number(d *xdr.Decoder, before nfs4.Nfsstat4) (has bool, id uint32, st nfs4.Nfsstat4) {
	name := d.Opaque(attributesMax)
	n, err := strconv.ParseUint(string(name), 10, 32)
	switch {
	case before != nfs4.NFS4_OK:
		st = before
	case len(name) == 0:
		st = nfs4.NFS4ERR_INVAL
	case err != nil || name[0] == '+' || n == 1<<32-1: // which stands for none
		st = nfs4.NFS4ERR_BADOWNER
	}
	return true, uint32(n), st
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
