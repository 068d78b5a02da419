package nfs3

import (
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Sizes in bytes on the wire.
const (
	fattrLen      = 84           // fattr3
	postOpAttrLen = 4 + fattrLen // post_op_attr with attributes
	preOpLen      = 24           // wcc_attr
)

// nsecMax is the largest number of nanoseconds within a second.
const nsecMax = 999_999_999

// decodeHandle reads an nfs_fh3, a view.
func decodeHandle(d *xdr.Decoder) []byte { return d.Opaque(export.WireMax) }

// encodeHandle writes an nfs_fh3.
func (s *server) encodeHandle(c *rpc.Call, x *export.Export, h *vfs.Handle, w *work) {
	c.Reply.Opaque(s.table.SealAt(c.Place.Index, x, h, w.fh[:0]))
}

// wireTime fits a time into nfstime3, whose seconds are unsigned 32 bits: what
// lies before 1970 or after 2106 becomes the end of the range that it is nearest
// to, rather than another time altogether.
func wireTime(t vfs.Time) (sec, nsec uint32) {
	switch {
	case t.Sec < 0:
		return 0, 0
	case t.Sec > math.MaxUint32:
		return math.MaxUint32, nsecMax
	}
	return uint32(t.Sec), t.Nsec
}

func putTime(b []byte, t vfs.Time) {
	sec, nsec := wireTime(t)
	binary.BigEndian.PutUint32(b, sec)
	binary.BigEndian.PutUint32(b[4:], nsec)
}

// encodeFattr writes a fattr3 (RFC 1813, section 2.5.5), in one piece because it
// is in nearly every reply.
func encodeFattr(e *xdr.Encoder, a *vfs.Attr) {
	b := e.Reserve(fattrLen)
	if b == nil {
		return
	}
	_ = b[fattrLen-1]
	be := binary.BigEndian
	be.PutUint32(b[0:], uint32(a.Type))
	be.PutUint32(b[4:], a.Mode)
	be.PutUint32(b[8:], a.Nlink)
	be.PutUint32(b[12:], a.UID)
	be.PutUint32(b[16:], a.GID)
	be.PutUint64(b[20:], a.Size)
	be.PutUint64(b[28:], a.Used)
	be.PutUint32(b[36:], a.Major)
	be.PutUint32(b[40:], a.Minor)
	be.PutUint64(b[44:], a.FSID)
	be.PutUint64(b[52:], a.FileID)
	putTime(b[60:], a.Atime)
	putTime(b[68:], a.Mtime)
	putTime(b[76:], a.Ctime)
}

// encodePostOpAttr writes a post_op_attr, without attributes when a has not been
// filled (its Type is 0).
func encodePostOpAttr(e *xdr.Encoder, a *vfs.Attr) {
	if !a.Filled() {
		e.Uint32(0)
		return
	}
	e.Uint32(1)
	encodeFattr(e, a)
}

// encodeEntryAttr writes the post_op_attr of an entry.
func encodeEntryAttr(e *xdr.Encoder, n *vfs.Entry) {
	if !n.Attr.Filled() {
		e.Uint32(0)
		return
	}
	e.Uint32(1)
	encodeFattr(e, &n.Attr)
}

// encodeWCC writes a wcc_data (RFC 1813, section 2.6).
func encodeWCC(e *xdr.Encoder, w *vfs.WCC) {
	if w.HasBefore {
		e.Uint32(1)
		if b := e.Reserve(preOpLen); b != nil {
			binary.BigEndian.PutUint64(b, w.Before.Size)
			putTime(b[8:], w.Before.Mtime)
			putTime(b[16:], w.Before.Ctime)
		}
	} else {
		e.Uint32(0)
	}
	if !w.After.Filled() {
		e.Uint32(0)
		return
	}
	e.Uint32(1)
	encodeFattr(e, &w.After)
}

// decodeSattr reads a sattr3 (RFC 1813, section 2.5.5) and sets all of s.
func decodeSattr(d *xdr.Decoder, s *vfs.SetAttr) {
	*s = vfs.SetAttr{}
	if s.HasMode = d.Bool(); s.HasMode {
		s.Mode = d.Uint32()
	}
	if s.HasUID = d.Bool(); s.HasUID {
		s.UID = d.Uint32()
	}
	if s.HasGID = d.Bool(); s.HasGID {
		s.GID = d.Uint32()
	}
	if s.HasSize = d.Bool(); s.HasSize {
		s.Size = d.Uint64()
	}
	s.AtimeHow, s.Atime = decodeTimeHow(d)
	s.MtimeHow, s.Mtime = decodeTimeHow(d)
}

// decodeTimeHow reads a set_atime or set_mtime. The numbers of time_how are those
// of [vfs.TimeHow].
func decodeTimeHow(d *xdr.Decoder) (how vfs.TimeHow, t vfs.Time) {
	switch n := d.Uint32(); n {
	case uint32(vfs.TimeKeep), uint32(vfs.TimeServer):
		return vfs.TimeHow(n), t
	case uint32(vfs.TimeClient):
		return vfs.TimeClient, decodeTime(d)
	}
	d.Fail(xdr.ErrValue)
	return vfs.TimeKeep, t
}

func decodeTime(d *xdr.Decoder) vfs.Time {
	sec := d.Uint32()
	return vfs.Time{Sec: int64(sec), Nsec: d.Uint32()}
}

// checkSattr judges what no file system could carry out: more than a second of
// nanoseconds, a size that does not fit a signed file offset. It drops the mode's
// bits that are not permissions.
func checkSattr(s *vfs.SetAttr) vfs.Status {
	if s.AtimeHow == vfs.TimeClient && s.Atime.Nsec > nsecMax ||
		s.MtimeHow == vfs.TimeClient && s.Mtime.Nsec > nsecMax ||
		s.HasSize && s.Size > math.MaxInt64 {
		return vfs.Inval
	}
	s.Mode &= 0o7777
	return vfs.OK
}
