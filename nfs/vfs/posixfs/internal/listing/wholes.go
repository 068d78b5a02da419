package listing

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// wholes are the directories that are being listed: the last one in any case, and others
// as far as there is room.
type wholes struct {
	mu      sync.Mutex
	list    []*whole
	reading atomic.Int64 // bytes of dents of the directories that are being read now
	said    atomic.Int64 // tick at which the log was told of one that is too large
}

const (
	wholesMax     = 64
	wholeTicks    = 24        // how long a listing may rest and then go on with what it began with: 30 s
	wholeLife     = 480       // how long it may go on with that at all: 10 minutes
	wholeBounds   = 64 << 20  // bytes of dents beyond which a directory is not listed
	wholesKept    = 128 << 20 // bytes that are kept; what wholeBounds allows fits in
	wholesReading = 128 << 20 // bytes of dents that are being read, beyond which clients come back
)

// find returns what as began a listing of dir with.
func (ws *wholes) find(dir *vfs.Handle, as *vfs.Cred, tick int64) *whole {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		if w.dir == *dir && w.good(tick) && sameCred(w.as, as) {
			w.used = tick
			return w
		}
	}
	return nil
}

// keep adds w, in the place of an older one of the same directory, and lets go of those
// that were not in use for the longest time, as many as have to go.
func (ws *wholes) keep(w *whole, tick int64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(old *whole) bool {
		return !old.good(tick) || old.dir == w.dir && sameCred(old.as, w.as)
	})
	slices.SortStableFunc(ws.list, func(a, b *whole) int { return int(b.used - a.used) })
	room, n := wholesKept-w.size(), 0
	for n < len(ws.list) && n < wholesMax-1 && ws.list[n].size() <= room {
		room -= ws.list[n].size()
		n++
	}
	clear(ws.list[n:])
	ws.list = slices.Insert(ws.list[:n], 0, w)
}

// expire lets go of what no listing may go on with.
func (ws *wholes) expire(tick int64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(w *whole) bool { return !w.good(tick) })
}

// say reports whether the log is to be told of a directory that is too large: now and then.
func (ws *wholes) say(tick int64) bool {
	said := ws.said.Load()
	return (said == 0 || tick-said >= wholeTicks) && ws.said.CompareAndSwap(said, tick)
}

// sameCred compares the credentials of two threads.
func sameCred(a, b *vfs.Cred) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.GID == b.GID && slices.Equal(a.Groups, b.Groups)
}
