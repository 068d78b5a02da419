package v3

import (
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// For speed READ, WRITE, GETATTR, LOOKUP and READDIRPLUS, which make up most calls, decode and
// encode by hand. FuzzArgumentsByHand and FuzzResultsByHand hold these twins equal to the generated
// codec.

// Sizes in bytes on the wire.
const (
	fattrLen      = 84           // fattr3
	postOpAttrLen = 4 + fattrLen // post_op_attr with attributes
	preOpLen      = 24           // wcc_attr
)

// decodeHandle reads an nfs_fh3, a view.
func decodeHandle(d *xdr.Decoder) []byte { return d.Opaque(export.WireMax) }

func putTime(b []byte, t vfs.Time) {
	n := translate.Time(t)
	binary.BigEndian.PutUint32(b, n.Seconds)
	binary.BigEndian.PutUint32(b[4:], n.Nseconds)
}

// encodeFattr writes a fattr3 (RFC 1813, section 2.5.5), in one piece because nearly every reply
// has one.
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

// encodePostOpAttr writes a post_op_attr, without attributes if a has not been filled in.
func encodePostOpAttr(e *xdr.Encoder, a *vfs.Attr) {
	if !a.Filled() {
		e.Uint32(0)
		return
	}
	e.Uint32(1)
	encodeFattr(e, a)
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
	encodePostOpAttr(e, &w.After)
}

// dirop is diropargs3 of LOOKUP: an entry of a directory.
type dirop struct {
	dir  []byte
	name []byte
}

func (a *dirop) decode(d *xdr.Decoder) {
	a.dir = decodeHandle(d)
	a.name = d.Clipped(nameMax)
}

// readArgs is READ3args.
type readArgs struct {
	fh     []byte
	offset uint64
	count  uint32
}

func (a *readArgs) decode(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.offset = d.Uint64()
	a.count = d.Uint32()
}

// writeArgs is WRITE3args. The data stays in the segments in which it was received.
type writeArgs struct {
	fh     []byte
	offset uint64
	count  uint32
	stable vfs.Stability
	data   [][]byte
}

// decode appends the data's segments to dst.
func (a *writeArgs) decode(d *xdr.Decoder, dst [][]byte) {
	a.fh = decodeHandle(d)
	a.offset = d.Uint64()
	a.count = d.Uint32()
	stable := d.Uint32()
	if stable > uint32(vfs.FileSync) {
		d.Fail(xdr.ErrValue)
	}
	a.stable = vfs.Stability(stable)
	a.data = d.OpaqueSegments(math.MaxUint32, dst)
}

// decodePlus reads READDIRPLUS3args.
func (a *dirArgs) decodePlus(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.cookie = d.Uint64()
	a.verf = d.Uint64()
	a.names = d.Uint32()
	a.max = d.Uint32()
}
