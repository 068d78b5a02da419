package export

import (
	"crypto/subtle"
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Nodes are the directories of NFSv4's pseudo file system, which lead to the exports (RFC
// 8881, section 7.3). They are no objects of any export, but have handles of the same form,
// with an ID that no export has. [Table.Open] does not know them, so that a version of the
// protocol without a pseudo file system finds them stale.

// nodeID is in the handles of nodes in the place of an export's ID.
const nodeID = math.MaxUint32

// nodeLen is the length of a node's handle.
const nodeLen = wireHeader + 8 + tagLen

// nodes is the identity that nodes' handles are sealed for.
var nodes = vfs.Identity{'p', 's', 'e', 'u', 'd', 'o'}

// SealNode appends the sealed handle of the node n to dst and returns the extended slice. It
// does not allocate when dst has room for [WireMax] bytes more. N is to be the same over
// restarts.
func (t *Table) SealNode(n uint64, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, wireVersion, 0xff, 0xff, 0xff, 0xff, 8)
	dst = binary.BigEndian.AppendUint64(dst, n)
	return binary.LittleEndian.AppendUint64(dst, siphash(t.nodes.k0, t.nodes.k1, dst[start:]))
}

// IsNode reports whether fh, which a client sent, claims to be a node's handle.
func IsNode(fh []byte) bool {
	return len(fh) == nodeLen && fh[0] == wireVersion && binary.BigEndian.Uint32(fh[1:]) == nodeID
}

// OpenNode verifies a handle for which IsNode is true. The status is Stale when its tag is
// wrong, and BadHandle for what cannot be one.
func (t *Table) OpenNode(fh []byte) (n uint64, s vfs.Status) {
	if !IsNode(fh) || fh[5] != 8 {
		return 0, vfs.BadHandle
	}
	var want [tagLen]byte
	binary.LittleEndian.PutUint64(want[:], siphash(t.nodes.k0, t.nodes.k1, fh[:nodeLen-tagLen]))
	if subtle.ConstantTimeCompare(want[:], fh[nodeLen-tagLen:]) != 1 {
		return 0, vfs.Stale
	}
	return binary.BigEndian.Uint64(fh[wireHeader:]), vfs.OK
}
