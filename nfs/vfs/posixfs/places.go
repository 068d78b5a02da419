package posixfs

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A client goes on with a listing where the last reply ended, in a later call, so a
// place in a directory (d_off) has to mean the same to every open. Where it does not,
// or is the same for several entries, the whole directory is read for a listing, and an
// entry's place is made of its name: whatever order the entries come in, a listing
// that goes on after a place leaves nothing out and says nothing twice.

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
	dents, names := firstDents(dir)
	var places []uint64
	seen := make(map[uint64]bool)
	for b := dents; len(b) > 0; b = b[binary.NativeEndian.Uint16(b[direntReclen:]):] {
		p := binary.NativeEndian.Uint64(b[direntOff:])
		if p == 0 || p > math.MaxInt64 || seen[p] {
			return false, true
		}
		seen[p] = true
		places = append(places, p)
	}
	if len(places) < 2 {
		return true, true
	}
	if positions(places) {
		return false, true
	}
	fd, errno := kernel.Openat(dir, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errno != 0 {
		return true, true // then nobody lists it
	}
	defer kernel.CloseFD(fd)
	i := (len(places) - 1) / 2
	at, errno := kernel.Call(unix.SYS_LSEEK, uintptr(fd), uintptr(places[i]), unix.SEEK_SET, 0, 0, 0)
	if errno != 0 || uint64(at) != places[i] {
		return false, false
	}
	b := make([]byte, dentsBytes)
	n, errno := getdents(fd, b)
	if errno != 0 || n == 0 {
		return false, false
	}
	return bytes.Equal(cut(b[direntName:n]), cut(names[i+1])), false
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

// trial looks at the places of e before a listing of it begins.
func (v *View) trial(e *entry) {
	if v.fs.odd.doubtful && !v.lane && !v.fs.odd.unplaced.Load() && v.as(nil) && !placesLast(e.FD) {
		v.fs.odd.unplaced.Store(true)
	}
}

// fetchPlaced fills v.dents like fetch, with places of our own.
func (v *View) fetchPlaced(l *listing) (n int, s vfs.Status) {
	w := v.fs.wholes.find(l, v.fs.tick.Load())
	if w == nil {
		if w, s = v.readWhole(l); s != vfs.OK {
			return 0, s
		}
		v.fs.wholes.keep(w, v.fs.tick.Load())
	}
	if v.dents == nil {
		v.dents = make([]byte, dentsBytes)
	}
	size := dentsBytes
	if l.plus {
		size = dentsPlusBytes
	}
	i := sort.Search(len(w.places), func(i int) bool { return w.places[i] > l.cookie })
	for ; i < len(w.places); i++ {
		rec := w.dents[w.starts[i]:]
		rec = rec[:binary.NativeEndian.Uint16(rec[direntReclen:])]
		if n+len(rec) > size {
			break
		}
		copy(v.dents[n:], rec)
		binary.NativeEndian.PutUint64(v.dents[n+direntOff:], w.places[i])
		n += len(rec)
	}
	return n, vfs.OK
}

// readWhole reads all of l's directory.
func (v *View) readWhole(l *listing) (*whole, vfs.Status) {
	fd, s := v.openDir(l.as, l.de)
	if s != vfs.OK {
		return nil, s
	}
	defer kernel.CloseFD(fd)
	ws, had := &v.fs.wholes, int64(0)
	defer func() { ws.reading.Add(-had) }()
	now := v.fs.tick.Load()
	w := &whole{dir: l.de.Handle, as: l.as, began: now, used: now}
	seen := make(map[string]bool)
	b := make([]byte, 64<<10)
	for fresh := true; fresh; {
		n, errno := getdents(fd, b)
		if errno != 0 {
			return nil, v.fs.status(errno)
		}
		fresh = false // a file system that knows no end begins again
		for rest := b[:n]; len(rest) > 0; {
			size := binary.NativeEndian.Uint16(rest[direntReclen:])
			rec := rest[:size]
			rest = rest[size:]
			name := cut(rec[direntName:])
			if seen[string(name)] {
				continue
			}
			seen[string(name)], fresh = true, true
			w.starts = append(w.starts, int32(len(w.dents)))
			w.dents = append(w.dents, rec...)
		}
		if len(w.dents) > wholeBounds {
			v.tooLarge(l.de)
			return nil, vfs.IO
		}
		more := int64(len(w.dents)) - had
		had += more
		if ws.reading.Add(more) > wholesReading {
			return nil, vfs.Delay // the others come to an end
		}
	}
	w.sort()
	return w, vfs.OK
}

// sort gives the entries their places, each larger than the one before.
func (w *whole) sort() {
	place := func(start int32) uint64 {
		h := fnv.New64a()
		_, _ = h.Write(cut(w.dents[start+direntName:]))
		return max(kernel.Mix(h.Sum64())>>2, 1)
	}
	type one struct {
		place uint64
		start int32
	}
	all := make([]one, len(w.starts))
	for i, start := range w.starts {
		all[i] = one{place(start), start}
	}
	slices.SortFunc(all, func(a, b one) int {
		switch {
		case a.place < b.place:
			return -1
		case a.place > b.place:
			return 1
		}
		return bytes.Compare(cut(w.dents[a.start+direntName:]), cut(w.dents[b.start+direntName:]))
	})
	w.places = make([]uint64, len(all))
	last := uint64(0)
	for i, x := range all {
		last = max(x.place, last+1)
		w.starts[i], w.places[i] = x.start, last
	}
}
