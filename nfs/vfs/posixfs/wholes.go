package posixfs

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// whole is a directory as it was when a listing of it began, in the order of places.
type whole struct {
	dir    vfs.Handle
	as     *vfs.Cred
	began  int64 // tick
	used   int64 // tick of the last call that found it; guarded by wholes.mu
	dents  []byte
	starts []int32  // of the entries in dents
	places []uint64 // of the entries
}

// wholes are the directories that are being listed: the last one in any case, and others
// as far as there is room.
type wholes struct {
	mu      sync.Mutex
	list    []*whole
	reading atomic.Int64 // bytes of dents of the directories that are being read now
	said    atomic.Int64 // tick at which tooLarge has logged
}

const (
	wholesMax     = 64
	wholeTicks    = 24        // how long a listing may rest and then go on with what it began with: 30 s
	wholeLife     = 480       // how long it may go on with that at all: 10 minutes
	wholeBounds   = 64 << 20  // bytes of dents beyond which a directory is not listed
	wholesKept    = 128 << 20 // bytes that are kept; what wholeBounds allows fits in
	wholesReading = 128 << 20 // bytes of dents that are being read, beyond which clients come back
)

// size is how much memory w takes.
func (w *whole) size() int { return cap(w.dents) + 4*cap(w.starts) + 8*cap(w.places) }

func (w *whole) good(tick int64) bool { return tick-w.used < wholeTicks && tick-w.began < wholeLife }

// find returns what a listing that goes on began with.
func (ws *wholes) find(l *listing, tick int64) *whole {
	if l.cookie == 0 {
		return nil
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		if w.dir == l.de.Handle && w.good(tick) && sameCred(w.as, l.as) {
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

// tooLarge logs, now and then, that the directory e is not listed.
func (v *View) tooLarge(e *entry) {
	fs := v.fs
	now, said := fs.tick.Load(), fs.wholes.said.Load()
	if said != 0 && now-said < wholeTicks || !fs.wholes.said.CompareAndSwap(said, now) {
		return
	}
	fs.log.Error(
		"posixfs: a directory is too large to be listed on a FUSE file system whose places do not last; "+
			"divide it into several, or export the directory that the FUSE file system is made from",
		"dir",
		fs.dir,
		"inode",
		e.Key.Ino,
		"limit",
		wholeBounds,
	)
}

// sameCred compares the credentials of two threads.
func sameCred(a, b *vfs.Cred) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.GID == b.GID && slices.Equal(a.Groups, b.Groups)
}
