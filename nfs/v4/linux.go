package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Linux asks for one set of attributes nearly always: of what it looks up, opens and makes, and when
// it looks whether what it knows still holds. Since 2025 the set has the time of birth, too. For
// speed the values of both sets are written in one piece; TestLinuxsAttributesAreThoseOfTheTable
// holds them equal to those of the table.
const (
	linux0 = 1<<nfs4.FATTR4_TYPE | 1<<nfs4.FATTR4_CHANGE | 1<<nfs4.FATTR4_SIZE | 1<<nfs4.FATTR4_FSID |
		1<<nfs4.FATTR4_FILEID
	linux1 = 1<<(nfs4.FATTR4_MODE-32) | 1<<(nfs4.FATTR4_NUMLINKS-32) | 1<<(nfs4.FATTR4_OWNER-32) |
		1<<(nfs4.FATTR4_OWNER_GROUP-32) | 1<<(nfs4.FATTR4_RAWDEV-32) | 1<<(nfs4.FATTR4_SPACE_USED-32) |
		1<<(nfs4.FATTR4_TIME_ACCESS-32) | 1<<(nfs4.FATTR4_TIME_METADATA-32) |
		1<<(nfs4.FATTR4_TIME_MODIFY-32) | 1<<(nfs4.FATTR4_MOUNTED_ON_FILEID-32)
	linuxBirth = 1 << (nfs4.FATTR4_TIME_CREATE - 32)
)

// ofLinux reports whether b is one of Linux's sets.
func (b *bitmap) ofLinux() bool {
	return b[0] == linux0 && b[1]&^linuxBirth == linux1 && b[2] == 0
}

// Sizes in bytes on the wire.
const (
	timeSize    = 12
	beforeOwner = 4 + 8 + 8 + 16 + 8 + 4 + 4 // type to fileid, mode, numlinks
	behindOwner = 8 + 8 + 3*timeSize + 8     // rawdev to mounted_on_fileid, without the birth
)

// encodeLinux writes the fattr4 of one of Linux's sets.
func (v *values) encodeLinux(e *xdr.Encoder, birth bool) {
	a := v.attr
	birth = birth && a.Has(vfs.AttrBirth)
	b := e.Reserve(4 + 8 + 4 + beforeOwner)
	if b == nil {
		return
	}
	length := e.Len() - beforeOwner - 4
	_ = b[4+8+4+beforeOwner-1]
	be := binary.BigEndian
	be.PutUint32(b[0:], 2)
	be.PutUint32(b[4:], linux0)
	if birth {
		be.PutUint32(b[8:], linux1|linuxBirth)
	} else {
		be.PutUint32(b[8:], linux1)
	}
	b = b[16:] // behind the length
	be.PutUint32(b[0:], uint32(types[a.Type&7]))
	be.PutUint64(b[4:], v.s.change(a))
	be.PutUint64(b[12:], a.Size)
	be.PutUint64(b[20:], v.fsid[0])
	be.PutUint64(b[28:], v.fsid[1])
	be.PutUint64(b[36:], a.FileID)
	be.PutUint32(b[44:], a.Mode)
	be.PutUint32(b[48:], a.Nlink)
	attributes[nfs4.FATTR4_OWNER].write(e, v)
	attributes[nfs4.FATTR4_OWNER_GROUP].write(e, v)
	n := behindOwner
	if birth {
		n += timeSize
	}
	if b = e.Reserve(n); b == nil {
		return
	}
	be.PutUint32(b[0:], a.Major)
	be.PutUint32(b[4:], a.Minor)
	be.PutUint64(b[8:], a.Used)
	b = timeInto(b[16:], a.Atime)
	if birth {
		b = timeInto(b, a.Birth)
	}
	b = timeInto(b, a.Ctime)
	b = timeInto(b, a.Mtime)
	be.PutUint64(b, v.mounted)
	e.SetUint32(length, uint32(e.Len()-length-4))
}

// timeInto puts a nfstime4 at the beginning of b, and returns the rest of b.
func timeInto(b []byte, t vfs.Time) []byte {
	binary.BigEndian.PutUint64(b, uint64(t.Sec))
	binary.BigEndian.PutUint32(b[8:], t.Nsec)
	return b[timeSize:]
}
