package uringtest

import "github.com/ringnfs/ringnfs/uring"

// Group is a fake provided-buffer ring, with the methods of uring.BufRing.
type Group struct {
	ring    *Ring
	id      uring.GroupID
	entries int
	inc     bool

	added []provided // guarded by ring.mu, as is free: seen after Advance
	free  []provided
	taken int
}

type provided struct {
	buf []byte
	id  uring.BufferID
}

// NewGroup makes a group for up to entries buffers.
func (r *Ring) NewGroup(id uring.GroupID, entries int, incremental bool) *Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups[id] != nil {
		r.t.Errorf("uringtest: group %d exists", id)
	}
	g := &Group{ring: r, id: id, entries: entries, inc: incremental}
	r.groups[id] = g
	return g
}

// Group returns the id that entries name.
func (g *Group) Group() uring.GroupID { return g.id }

// Entries returns how many buffers fit.
func (g *Group) Entries() int { return g.entries }

// Incremental says that buffers are filled piece by piece.
func (g *Group) Incremental() bool { return g.inc }

// Add puts a free buffer behind the others, for Advance to show. A buffer that is added twice, or
// more buffers than Entries, are an error of the test.
func (g *Group) Add(buf []byte, id uring.BufferID) {
	g.ring.mu.Lock()
	defer g.ring.mu.Unlock()
	if len(g.free)+len(g.added) == g.entries {
		g.ring.t.Errorf("uringtest: group %d is overfull", g.id)
	}
	for _, list := range [][]provided{g.free, g.added} {
		for _, p := range list {
			if p.id == id {
				g.ring.t.Errorf("uringtest: buffer %d was added twice to group %d", id, g.id)
			}
		}
	}
	g.added = append(g.added, provided{buf, id})
}

// Advance shows all added buffers, and wakes receives that wait for data. A receive that ended with
// ENOBUFS must be submitted again.
func (g *Group) Advance() {
	g.ring.mu.Lock()
	defer g.ring.mu.Unlock()
	g.free = append(g.free, g.added...)
	g.added = g.added[:0]
}

// Free returns how many buffers a receive could take.
func (g *Group) Free() int {
	g.ring.mu.Lock()
	defer g.ring.mu.Unlock()
	return len(g.free)
}

// Taken returns how many buffers receives have used up so far.
func (g *Group) Taken() int {
	g.ring.mu.Lock()
	defer g.ring.mu.Unlock()
	return g.taken
}

// Close forgets the group.
func (g *Group) Close() error {
	g.ring.mu.Lock()
	defer g.ring.mu.Unlock()
	if g.ring.groups[g.id] != g {
		return uring.ErrClosed
	}
	delete(g.ring.groups, g.id)
	return nil
}

// fill puts data into the first buffer, or with bundle into as many buffers as the data needs. The
// lock of the ring is held.
func (g *Group) fill(data []byte, bundle bool) (id uring.BufferID, n int, more, ok bool) {
	if len(g.free) == 0 {
		return 0, 0, false, false
	}
	id = g.free[0].id
	if g.inc && len(g.free[0].buf) > 1 && g.ring.fault(func(f *Faults) float64 { return f.IncGap }) {
		g.free[0].buf = g.free[0].buf[1:]
	}
	for len(g.free) > 0 && n < len(data) {
		p := &g.free[0]
		if room := min(len(p.buf), len(data)-n); bundle && room > 1 && len(g.free) > 1 &&
			g.ring.fault(func(f *Faults) float64 { return f.BundleGap }) {
			n += copy(p.buf[:room/2], data[n:])
			g.free = g.free[1:]
			g.taken++
			continue
		}
		k := copy(p.buf, data[n:])
		n += k
		if g.inc && k < len(p.buf) {
			// The kernel goes on behind what it has filled.
			p.buf = p.buf[k:]
			more = true
			break
		}
		g.free = g.free[1:]
		g.taken++
		if !bundle {
			break
		}
	}
	return id, n, more, true
}
