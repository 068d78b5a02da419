package listing

import (
	"slices"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// wholes are the directories of present listings: the last one in any case, and others as long as
// there is room.
type wholes struct {
	mu      futex.Mutex
	list    []*whole
	reading atomic.Int64 // bytes of dents of the directories that are being read now
	said    atomic.Int64 // tick at which the log was last told of a directory that is too large
}

const (
	wholesMax     = 64
	wholeTicks    = 24        // 30 s: how long a listing may rest and then use its whole
	wholeLife     = 480       // 10 minutes: how long a listing may use its whole in all
	wholeBounds   = 64 << 20  // a directory with more bytes of dents is not listed
	wholesKept    = 128 << 20 // bytes that are kept; any directory within wholeBounds fits
	wholesReading = 128 << 20 // bytes of dents being read; beyond that clients must come back
)

// find returns the whole with which the user as began a listing of dir, nil if there is none.
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

// keep adds w in the place of an older whole of the same directory and user. To make room, it drops
// the wholes that have been unused for the longest time.
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

// expire drops the wholes with which no listing may continue.
func (ws *wholes) expire(tick int64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(w *whole) bool { return !w.good(tick) })
}

// say reports whether to tell the log now of a directory that is too large. It limits how often the
// log is told.
func (ws *wholes) say(tick int64) bool {
	said := ws.said.Load()
	return (said == 0 || tick-said >= wholeTicks) && ws.said.CompareAndSwap(said, tick)
}

// sameCred reports whether two threads act with the same credential.
func sameCred(a, b *vfs.Cred) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.GID == b.GID && slices.Equal(a.Groups, b.Groups)
}
