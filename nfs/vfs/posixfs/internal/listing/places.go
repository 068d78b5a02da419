package listing

import (
	"bytes"
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// placesLast reports whether places in dir mean something to another open, as far as
// can be seen: an empty directory has none.
func placesLast(dir int) bool {
	for range 3 { // it may be changing
		if last, sure := placesLastOnce(dir); last || sure {
			return last
		}
	}
	return false
}

func placesLastOnce(dir int) (last, sure bool) {
	var places []uint64
	var names [][]byte
	for d := First(dir); len(d) > 0; d = d.Rest() {
		places, names = append(places, d.Place()), append(names, d.Name())
	}
	if !distinct(places) || positions(places) {
		return false, true
	}
	if len(places) < 2 {
		return true, true
	}
	fd, errno := reopen(dir)
	if errno != 0 {
		return true, true // then nobody lists it
	}
	defer kernel.CloseFD(fd)
	i := (len(places) - 1) / 2
	if !seek(fd, places[i]) {
		return false, false
	}
	d, errno := Read(fd, make([]byte, pieceBytes))
	if errno != 0 || len(d) == 0 {
		return false, false
	}
	return bytes.Equal(d.Name(), names[i+1]), false
}

// distinct reports whether places are such that a listing can go on after each of them.
func distinct(places []uint64) bool {
	seen := make(map[uint64]bool)
	for _, p := range places {
		if p == 0 || p > math.MaxInt64 || seen[p] {
			return false
		}
		seen[p] = true
	}
	return true
}

// positions reports whether places may be positions in what the directory held when it was
// opened: numbers of entries, or of bytes of records. Only those are that close together
// from the beginning on; what an index or a hash gives is not, as a rule, and where it is
// the whole directory is read for nothing.
func positions(places []uint64) bool {
	const record = 24 + 256 // bytes, the most that an entry has in a reply of FUSE
	last := uint64(0)
	for _, p := range places {
		if p <= last || p-last > record {
			return false
		}
		last = p
	}
	return len(places) > 2 // "." and ".." may be anywhere
}
