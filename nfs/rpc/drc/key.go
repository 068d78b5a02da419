package drc

import (
	"hash/maphash"
	"net/netip"
)

// Key is what a call and its retransmission have in common. The XID alone does not tell calls
// apart: after a reboot a client starts with any number, and several programs on one host choose
// them independently. The peer's port is left out, since it changes when the client connects again.
type Key struct {
	Peer netip.Addr
	// House is the household that the entry counts for in the bounds. It is a function of Peer.
	// A zero House stands for Peer.
	House                 netip.Addr
	XID, Prog, Vers, Proc uint32
	Caller                uint64 // Sum of what the caller shows for itself
	Sum                   uint64 // Sum of the beginning of the arguments
	Len                   uint32 // bytes in the arguments
}

// SumMax is how many bytes of the arguments to give to Sum. No call that must not run twice has
// more. Fewer would not do: two calls may differ only in the second name of a RENAME or at the end
// of a symbolic link's target.
const SumMax = 8 << 10

var seed = maphash.MakeSeed()

// Sum returns a checksum of b for a Key. It is good for the life of the process. Nobody outside can
// make two different b collide on purpose.
func Sum(b []byte) uint64 { return maphash.Bytes(seed, b) }

// normal is k with addresses that do not depend on the family of the socket by which the call came
// in.
func (k Key) normal() Key {
	k.Peer = k.Peer.Unmap()
	if !k.House.IsValid() {
		k.House = k.Peer
	}
	k.House = k.House.Unmap()
	return k
}

// hash spreads keys over shards. Consecutive XIDs of one client go to different shards.
func (k *Key) hash() uint32 {
	h := (uint64(k.XID) ^ k.Sum) * 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}
