package listing

import (
	"bytes"
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// placesLast reports whether places in dir mean something to another open, as far as it can find
// out. An empty directory has no places.
func placesLast(dir int) bool {
	for range 3 { // the directory may be changing
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
		return true, true // nobody can list it, so its places do not matter
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

// distinct reports whether a listing can go on after each of places.
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

// positions reports whether places may be positions in what the directory held when somebody opened
// it: numbers of entries, or of bytes of records. Only such places are so close together from the
// beginning on. Places that an index or a hash gives usually are not. If they are, listings read
// the whole directory without need.
func positions(places []uint64) bool {
	const record = 24 + 256 // bytes, the most that FUSE uses for an entry
	last := uint64(0)
	for _, p := range places {
		if p <= last || p-last > record {
			return false
		}
		last = p
	}
	return len(places) > 2 // "." and ".." may be anywhere
}
