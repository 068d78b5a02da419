package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// stateid names open or lock state (stateid4 of RFC 8881, section 3.3.12).
type stateid struct {
	seq   uint32
	other [nfs4.NFS4_OTHER_SIZE]byte
}

// decodeStateid reads a stateid4.
func decodeStateid(d *xdr.Decoder) (id stateid) {
	id.seq = d.Uint32()
	copy(id.other[:], d.Fixed(len(id.other)))
	return id
}

// anonymous and bypass are the special stateids of who has not opened the file (section
// 8.2.3).
var (
	anonymous = stateid{}
	bypass    = stateid{seq: ^uint32(0), other: [nfs4.NFS4_OTHER_SIZE]byte{
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	}}
)

// mayResize says whether the size of the current file may be set with id.
func (k *compound) mayResize(id *stateid) nfs4.Nfsstat4 {
	if *id == anonymous {
		return nfs4.NFS4_OK
	}
	return nfs4.NFS4ERR_BAD_STATEID
}

// mayRead says whether the current file may be read with id.
func (k *compound) mayRead(id *stateid) nfs4.Nfsstat4 {
	if *id == anonymous || *id == bypass {
		return nfs4.NFS4_OK
	}
	return nfs4.NFS4ERR_BAD_STATEID
}

// mayWrite says whether the current file may be written with id.
func (k *compound) mayWrite(id *stateid) nfs4.Nfsstat4 { return k.mayResize(id) }
