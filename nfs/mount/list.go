package mount

import (
	"net/netip"
	"slices"
	"sync"
)

// Bounds of the list: what DUMP returns for it is a little above 1 MiB at most.
const (
	listMax    = 1024
	perPeerMax = 64
)

// list is who has mounted what, oldest first. It is ready when zero. Its methods
// may be called from any goroutine.
type list struct {
	mu      sync.Mutex
	entries []entry // guarded by mu
}

// entry is a mount: peer is an address without a zone or an IPv4 mapping.
type entry struct {
	peer netip.Addr
	path string
}

// add enters a mount as the newest. When there are too many, of this peer or in
// all, the oldest of them goes.
func (l *list) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(e)
	mine, oldest := 0, -1
	for i := range l.entries {
		if l.entries[i].peer == e.peer {
			if mine++; oldest < 0 {
				oldest = i
			}
		}
	}
	switch {
	case mine >= perPeerMax:
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

// drop is remove for those who hold mu.
func (l *list) drop(e entry) {
	if i := slices.Index(l.entries, e); i >= 0 {
		l.entries = slices.Delete(l.entries, i, i+1)
	}
}

// removePeer takes all mounts of a peer off the list.
func (l *list) removePeer(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.peer == peer })
}

// snapshot returns a copy of the list.
func (l *list) snapshot() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}
