package export

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// WireMax is the largest file handle of NFSv3 in bytes (RFC 1813, section 2.4).
// A sealed handle is never larger.
const WireMax = 64

// The layout of a sealed handle: version, export ID (big endian), length of the back end's handle,
// that handle, and a tag. The tag covers everything before it, with the key of the export.
const (
	wireVersion = 1
	wireHeader  = 1 + 4 + 1
	tagLen      = 8
	wireMin     = wireHeader + tagLen
	wireFull    = wireHeader + vfs.HandleMax + tagLen
)

// This does not compile if a full handle outgrows the protocol's limit.
const _ = uint(WireMax - wireFull)

// sealKey is SipHash's key for the handles of one export. It is made of the server's key, the
// export's ID and the identity of its FS. So a handle is good for one file system only, although
// that identity is not in the handle.
type sealKey struct{ k0, k1 uint64 }

// seal derives the key of an export (HMAC-SHA-256, cut).
func (k *Key) seal(id uint32, fs vfs.Identity) sealKey {
	m := hmac.New(sha256.New, k[:])
	m.Write([]byte("ringnfs sealed handle"))
	m.Write(binary.BigEndian.AppendUint32(nil, id))
	m.Write(fs[:])
	sum := m.Sum(nil)
	return sealKey{k0: binary.LittleEndian.Uint64(sum), k1: binary.LittleEndian.Uint64(sum[8:])}
}

// Seal appends h, sealed for x, to dst and returns the extended slice. It does
// not allocate when dst has room for [WireMax] bytes more. x is one of t's.
func (t *Table) Seal(x *Export, h *vfs.Handle, dst []byte) []byte {
	start := len(dst)
	b := h.Bytes()
	dst = append(dst, wireVersion,
		byte(x.ID>>24), byte(x.ID>>16), byte(x.ID>>8), byte(x.ID), byte(len(b)))
	dst = append(dst, b...)
	return binary.LittleEndian.AppendUint64(dst, siphash(x.seal.k0, x.seal.k1, dst[start:]))
}

// Open verifies a handle that a client sent and takes it apart. It borrows fh and does not
// allocate. The status is BadHandle if fh cannot be a handle of this server (length or version). It
// is Stale if the tag is wrong, or if the export no longer exists or is another file system. x is
// nil in both cases.
func (t *Table) Open(fh []byte) (x *Export, h vfs.Handle, s vfs.Status) {
	if len(fh) < wireMin || len(fh) > wireFull || fh[0] != wireVersion || int(fh[5]) != len(fh)-wireMin {
		return nil, h, vfs.BadHandle
	}
	body := fh[:len(fh)-tagLen]
	id := binary.BigEndian.Uint32(body[1:])
	if len(t.exports) > 0 && t.exports[0].ID == id { // most servers have one export
		x = t.exports[0]
	} else {
		x = t.byID[id]
	}
	// Each export has a key of its own. A handle of an export that does not exist takes as long
	// as a forged one, so that nobody without the key can learn anything about the table.
	k := &t.noKey
	if x != nil {
		k = &x.seal
	}
	var want [tagLen]byte
	binary.LittleEndian.PutUint64(want[:], siphash(k.k0, k.k1, body))
	if subtle.ConstantTimeCompare(want[:], fh[len(body):]) != 1 || x == nil {
		return nil, h, vfs.Stale
	}
	h, ok := vfs.MakeHandle(body[wireHeader:])
	if !ok {
		return nil, h, vfs.BadHandle
	}
	return x, h, vfs.OK
}
