package v4

import (
	"strconv"

	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// namesWorst is the most bytes that owner and owner_group take beyond attributesWorst when they are
// names.
const namesWorst = 2 * idmap.OwnerMax

// putUser writes an owner, and putGroup an owning group: the number in digits, unless names are
// sent.
func putUser(e *xdr.Encoder, v *values) {
	if names := v.s.cfg.Names; names.SendsNames() {
		v.putName(e, &names.Users, v.attr.UID)
		return
	}
	e.Opaque(strconv.AppendUint(v.digits[:0], uint64(v.attr.UID), 10))
}

func putGroup(e *xdr.Encoder, v *values) {
	if names := v.s.cfg.Names; names.SendsNames() {
		v.putName(e, &names.Groups, v.attr.GID)
		return
	}
	e.Opaque(strconv.AppendUint(v.digits[:0], uint64(v.attr.GID), 10))
}

// putName writes what is sent for a user or a group.
func (v *values) putName(e *xdr.Encoder, side *idmap.Side, id uint32) {
	owner, ok := side.AppendOwner(v.digits[:0], id, v.mayWait)
	v.unnamed = v.unnamed || !ok
	e.Opaque(owner)
}

// roomForNames is what stGrow and tooBig are about, for an operation whose result has attributes:
// the table of operations has no room for names, which few servers send.
func (k *compound) roomForNames() nfs4.Nfsstat4 {
	switch {
	case !k.s.cfg.Names.SendsNames():
	case attributesWorst+namesWorst > k.left():
		return k.tooBig()
	case !k.c.Room(attributesWorst + namesWorst):
		return stGrow
	}
	return nfs4.NFS4_OK
}

// owner reads an owner or, from the other side, a group. It may wait for the system's database.
func (k *compound) owner(d *xdr.Decoder, groups bool, before nfs4.Nfsstat4) (has bool, id uint32, st nfs4.Nfsstat4) {
	name := d.Opaque(attributesMax)
	names := k.s.cfg.Names
	if names == nil {
		names = numbers
	}
	side := &names.Users
	if groups {
		side = &names.Groups
	}
	if st = before; st != nfs4.NFS4_OK || d.Err() != nil {
		return true, 0, st
	}
	id, got := side.ID(name)
	switch got {
	case idmap.OK:
	case idmap.Invalid:
		st = nfs4.NFS4ERR_INVAL
	case idmap.Later:
		st = nfs4.NFS4ERR_DELAY
	case idmap.Unknown:
		st = nfs4.NFS4ERR_BADOWNER
	}
	return true, id, st
}

// numbers is what a server without names goes by.
var numbers = func() *idmap.Map {
	nobody := idmap.Database{ID: func(string) (uint32, error) { return 0, idmap.ErrUnknown }}
	return idmap.New(idmap.Config{Users: nobody, Groups: nobody})
}()
