package load

import (
	"encoding/binary"
	"fmt"
)

// A data file holds a pattern: the 64-bit word at each offset is a function of the file's seed and
// the offset. So any block can be made and checked independently. Offsets and lengths are multiples
// of eight.

func word(seed, index uint64) uint64 {
	x := (index + seed) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

// fill writes the pattern of seed at offset off into b.
func fill(b []byte, seed uint64, off int64) {
	index := uint64(off) / 8
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], word(seed, index))
		index++
	}
}

// check compares b with the pattern of seed at offset off.
func check(b []byte, seed uint64, off int64) error {
	index := uint64(off) / 8
	for i := 0; i+8 <= len(b); i += 8 {
		if got, want := binary.LittleEndian.Uint64(b[i:]), word(seed, index); got != want {
			return fmt.Errorf("wrong data at offset %d: %#x instead of %#x", off+int64(i), got, want)
		}
		index++
	}
	return nil
}

// random is a small generator of block numbers (splitmix64).
type random uint64

func (r *random) below(n uint64) uint64 {
	*r += 0x9e3779b97f4a7c15
	x := uint64(*r)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x ^ x>>31) % n
}
