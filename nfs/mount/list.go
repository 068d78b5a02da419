package mount

import (
	"net/netip"
	"slices"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Bounds of the list. DUMP leaves out mounts that do not fit into a reply.
const (
	listMax     = 1024
	perHouseMax = 64 // of one household
)

// list is who has mounted what, oldest first. Its zero value is ready. Any goroutine may call its
// methods.
type list struct {
	mu      futex.Mutex
	entries []entry // guarded by mu
}

// entry is a mount. peer is an address without a zone or an IPv4 mapping; house is the household
// that the peer counts for.
type entry struct {
	house, peer netip.Addr
	path        string
}

// add enters a mount as the newest. If there are too many mounts, of this peer's household or in
// all, add drops the oldest of them.
func (l *list) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(e)
	mine, oldest := 0, -1
	for i := range l.entries {
		if l.entries[i].house == e.house {
			if mine++; oldest < 0 {
				oldest = i
			}
		}
	}
	switch {
	case mine >= perHouseMax:
		l.entries = slices.Delete(l.entries, oldest, oldest+1)
	case len(l.entries) >= listMax:
		l.entries = slices.Delete(l.entries, 0, 1)
	}
	l.entries = append(l.entries, e)
}

// remove takes a mount off the list.
func (l *list) remove(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(e)
}

// drop is remove for callers that hold mu.
func (l *list) drop(e entry) {
	if i := slices.Index(l.entries, e); i >= 0 {
		l.entries = slices.Delete(l.entries, i, i+1)
	}
}

// removePeer takes all mounts of a peer, in one household, off the list.
func (l *list) removePeer(house, peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.house == house && e.peer == peer })
}

// snapshot returns a copy of the list.
func (l *list) snapshot() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// of returns the mounts of a peer in one household.
func (l *list) of(house, peer netip.Addr) (mine []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		if l.entries[i].house == house && l.entries[i].peer == peer {
			mine = append(mine, l.entries[i])
		}
	}
	return mine
}
