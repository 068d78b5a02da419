package listing

import (
	"bytes"
	"hash/fnv"
	"slices"
	"sort"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// whole is a directory as it was when a listing of it began. The entries are in the order of their
// places.
type whole struct {
	dir    vfs.Handle
	as     *vfs.Cred
	began  int64 // tick
	used   int64 // tick of the last call that found it; guarded by wholes.mu
	dents  Dents
	starts []int32  // where each entry begins in dents
	places []uint64 // the place of each entry
}

// size returns how much memory w takes, in bytes.
func (w *whole) size() int { return cap(w.dents) + 4*cap(w.starts) + 8*cap(w.places) }

func (w *whole) good(tick int64) bool { return tick-w.used < wholeTicks && tick-w.began < wholeLife }

// add appends the entries of d whose names are new. It reports false if there were none.
func (w *whole) add(d Dents, seen map[string]bool) (fresh bool) {
	for ; len(d) > 0; d = d.Rest() {
		if name := d.Name(); !seen[string(name)] {
			seen[string(name)], fresh = true, true
			w.starts = append(w.starts, int32(len(w.dents)))
			w.dents = append(w.dents, d.first()...)
		}
	}
	return fresh
}

// sort gives the entries their places, each larger than the one before it.
func (w *whole) sort() {
	type one struct {
		place uint64
		start int32
	}
	all := make([]one, len(w.starts))
	for i, start := range w.starts {
		h := fnv.New64a()
		_, _ = h.Write(w.dents[start:].Name())
		all[i] = one{max(kernel.Mix(h.Sum64())>>2, 1), start}
	}
	slices.SortFunc(all, func(a, b one) int {
		switch {
		case a.place < b.place:
			return -1
		case a.place > b.place:
			return 1
		}
		return bytes.Compare(w.dents[a.start:].Name(), w.dents[b.start:].Name())
	})
	w.places = make([]uint64, len(all))
	last := uint64(0)
	for i, x := range all {
		last = max(x.place, last+1)
		w.starts[i], w.places[i] = x.start, last
	}
}

// piece copies the entries behind a place into b, as many as fit, and stores their places in them.
func (w *whole) piece(b []byte, place uint64) Dents {
	n := 0
	i := sort.Search(len(w.places), func(i int) bool { return w.places[i] > place })
	for ; i < len(w.places); i++ {
		d := w.dents[w.starts[i]:].first()
		if n+len(d) > len(b) {
			break
		}
		copy(b[n:], d)
		Dents(b[n:]).setPlace(w.places[i])
		n += len(d)
	}
	return b[:n]
}
