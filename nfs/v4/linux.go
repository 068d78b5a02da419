package v4

import (
	"encoding/binary"
	"strconv"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Linux asks for one set of attributes nearly always: of what it looks up, opens and makes, and
// when it looks whether what it knows still holds. Since 2025 the set has the time of birth, too.
// For speed the values of both sets are written in one piece;
// TestLinuxsAttributesAreThoseOfTheTable holds them equal to those of the table.
const (
	linux0 = 1<<nfs4.FATTR4_TYPE | 1<<nfs4.FATTR4_CHANGE | 1<<nfs4.FATTR4_SIZE | 1<<nfs4.FATTR4_FSID |
		1<<nfs4.FATTR4_FILEID
	linux1 = 1<<(nfs4.FATTR4_MODE-32) | 1<<(nfs4.FATTR4_NUMLINKS-32) | 1<<(nfs4.FATTR4_OWNER-32) |
		1<<(nfs4.FATTR4_OWNER_GROUP-32) | 1<<(nfs4.FATTR4_RAWDEV-32) | 1<<(nfs4.FATTR4_SPACE_USED-32) |
		1<<(nfs4.FATTR4_TIME_ACCESS-32) | 1<<(nfs4.FATTR4_TIME_METADATA-32) |
		1<<(nfs4.FATTR4_TIME_MODIFY-32) | 1<<(nfs4.FATTR4_MOUNTED_ON_FILEID-32)
	// What it asks for to see whether what it knows still holds, behind an operation.
	few0 = 1<<nfs4.FATTR4_CHANGE | 1<<nfs4.FATTR4_SIZE
	few1 = 1<<(nfs4.FATTR4_TIME_METADATA-32) | 1<<(nfs4.FATTR4_TIME_MODIFY-32)

	linuxBirth = 1 << (nfs4.FATTR4_TIME_CREATE - 32)
)

// ofLinux reports whether b is one of Linux's sets.
func (b *bitmap) ofLinux() bool {
	return b[0] == linux0 && b[1]&^linuxBirth == linux1 && b[2] == 0
}

// Sizes in bytes on the wire.
const (
	timeSize    = 12
	fattrHead   = 4 + 8 + 4                              // the bitmap, and the length of the values
	beforeOwner = fattrHead + 4 + 8 + 8 + 16 + 8 + 4 + 4 // type to fileid, mode, numlinks
	digitsWorst = 4 + 12                                 // an owner in digits
	behindOwner = 8 + 8 + timeSize                       // rawdev, space_used, time_access
	behindBirth = 2*timeSize + 8                         // the other times, mounted_on_fileid
	behindWorst = behindOwner + timeSize + behindBirth
)

// encodeLinux writes the fattr4 of one of Linux's sets. It takes the room that the longest needs,
// and gives back what is left.
func (v *values) encodeLinux(e *xdr.Encoder, birth bool) {
	a := v.attr
	birth = birth && a.Has(vfs.AttrBirth)
	at := e.Len()
	b := e.Reserve(beforeOwner + 2*digitsWorst + behindWorst)
	if b == nil {
		return
	}
	be := binary.BigEndian
	p := (*[beforeOwner]byte)(b)
	mask := uint32(linux1)
	if birth {
		mask |= linuxBirth
	}
	be.PutUint32(p[0:], 2)
	be.PutUint32(p[4:], linux0)
	be.PutUint32(p[8:], mask)
	be.PutUint32(p[16:], uint32(types[a.Type&7]))
	be.PutUint64(p[20:], v.s.change(a, v.clock))
	be.PutUint64(p[28:], a.Size)
	be.PutUint64(p[36:], v.fsid[0])
	be.PutUint64(p[44:], v.fsid[1])
	be.PutUint64(p[52:], a.FileID)
	be.PutUint32(p[60:], a.Mode)
	be.PutUint32(p[64:], a.Nlink)
	n := beforeOwner
	if v.s.cfg.Names.SendsNames() {
		e.Truncate(at + n)
		putUser(e, v)
		putGroup(e, v)
		n = e.Len() - at
		if b = e.Reserve(behindWorst); b == nil {
			return
		}
		b = e.Bytes()[at:]
	} else {
		n += v.user.put(b[n:], a.UID)
		n += v.group.put(b[n:], a.GID)
	}
	q := (*[behindOwner]byte)(b[n:])
	be.PutUint32(q[0:], a.Major)
	be.PutUint32(q[4:], a.Minor)
	be.PutUint64(q[8:], a.Used)
	putTimeAt((*[timeSize]byte)(q[16:]), &a.Atime)
	n += behindOwner
	if birth {
		putTimeAt((*[timeSize]byte)(b[n:]), &a.Birth)
		n += timeSize
	}
	r := (*[behindBirth]byte)(b[n:])
	putTimeAt((*[timeSize]byte)(r[0:]), &a.Ctime)
	putTimeAt((*[timeSize]byte)(r[timeSize:]), &a.Mtime)
	be.PutUint64(r[2*timeSize:], v.mounted)
	n += behindBirth
	be.PutUint32(p[12:], uint32(n-fattrHead))
	e.Truncate(at + n)
}

// encodeFew writes the fattr4 of change, size, ctime and mtime.
func (v *values) encodeFew(e *xdr.Encoder) {
	const size = fattrHead + 8 + 8 + 2*timeSize
	b := e.Reserve(size)
	if b == nil {
		return
	}
	a, be := v.attr, binary.BigEndian
	p := (*[size]byte)(b)
	be.PutUint32(p[0:], 2)
	be.PutUint32(p[4:], few0)
	be.PutUint32(p[8:], few1)
	be.PutUint32(p[12:], size-fattrHead)
	be.PutUint64(p[16:], v.s.change(a, v.clock))
	be.PutUint64(p[24:], a.Size)
	putTimeAt((*[timeSize]byte)(p[32:]), &a.Ctime)
	putTimeAt((*[timeSize]byte)(p[44:]), &a.Mtime)
}

// putTimeAt writes a nfstime4 to b.
func putTimeAt(b *[timeSize]byte, t *vfs.Time) {
	binary.BigEndian.PutUint64(b[0:], uint64(t.Sec))
	binary.BigEndian.PutUint32(b[8:], t.Nsec)
}

// digits is an owner in digits as opaque data. The same owner mostly comes again.
type digits struct {
	id   uint32
	size int // 0 for none yet
	text [digitsWorst]byte
}

// put writes the owner id to b, of which all digitsWorst bytes may be written to, and returns how
// many the owner takes.
func (d *digits) put(b []byte, id uint32) int {
	if d.id != id || d.size == 0 {
		var e xdr.Encoder
		e.Reset(d.text[:])
		e.String(strconv.FormatUint(uint64(id), 10))
		d.id, d.size = id, e.Len()
	}
	*(*[digitsWorst]byte)(b) = d.text
	return d.size
}
