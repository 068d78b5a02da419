package kernel

import "golang.org/x/sys/unix"

// ObjectKey tells one living object of a file system from all others. The birth time is part of it
// because the inode numbers of some file systems wrap around.
type ObjectKey struct {
	Ino          uint64
	Major, Minor uint32
	bornSec      int64
	bornNsec     uint32
}

// KeyOf returns the key of the object that st describes.
func KeyOf(st *unix.Statx_t) ObjectKey {
	return ObjectKey{
		Ino:      st.Ino,
		Major:    st.Dev_major,
		Minor:    st.Dev_minor,
		bornSec:  st.Btime.Sec,
		bornNsec: st.Btime.Nsec,
	}
}

// Hash returns a hash of the key for tables in memory.
func (k *ObjectKey) Hash() uint64 { return Mix(k.Ino ^ uint64(k.Minor)<<40) }

// Later reports whether a is after b.
func Later(a, b *unix.StatxTimestamp) bool {
	return a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec
}

// Mix spreads the bits of x: the finaliser of MurmurHash3.
func Mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
