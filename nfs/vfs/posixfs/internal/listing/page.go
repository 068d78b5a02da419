package listing

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

const (
	pageSets = 256 // per FS, times pageWays; at most 11 KiB each
	pageWays = 2
	// againTicks is how many ticks (5 s in all) may lie between two listings of a page for its
	// objects to be worth the place of others. So going through a large tree does not drive out
	// other objects.
	againTicks = 4
)

// Page is a piece of a directory. Its methods may be called from any goroutine.
type Page[E any] struct {
	// Immutable.
	dir    uint64 // ID of the directory (Ask.ID)
	cookie uint64 // where the page begins
	ctime  unix.StatxTimestamp
	dents  Dents // with file IDs; empty at the end of the directory

	// Atomic. kids has an element for each of dents. It is nil until somebody wants it.
	kids   atomic.Pointer[[]atomic.Pointer[E]]
	listed atomic.Int64 // tick of the last listing with handles, 0 for none
	filled atomic.Int64 // tick when its objects last took the place of others, 0 for never
}

// Dents are the page's entries, with file IDs as numbers. There are none at the end of the
// directory. Nobody may change them.
func (p *Page[E]) Dents() Dents { return p.dents }

// Kids has one element for each name. An element is the object that the name leads to, nil until
// somebody has stored it. Kids allocates the first time.
func (p *Page[E]) Kids() []atomic.Pointer[E] {
	if k := p.kids.Load(); k != nil {
		return *k
	}
	n := 0
	for d := p.dents; len(d) > 0; d = d.Rest() {
		n++
	}
	k := make([]atomic.Pointer[E], n)
	if !p.kids.CompareAndSwap(nil, &k) {
		return *p.kids.Load()
	}
	return k
}

// Missing counts the names for which nobody has stored an object that is good by good. Kids has been
// called.
func (p *Page[E]) Missing(good func(*E) bool) (n int) {
	kids := *p.kids.Load()
	for i := range kids {
		if e := kids[i].Load(); e == nil || !good(e) {
			n++
		}
	}
	return n
}

// Listed notes that a listing with handles uses the page at this tick, which is not 0. It reports
// whether another one did so not long ago. Then the page's objects are worth the place of others.
func (p *Page[E]) Listed(tick int64) (again bool) {
	last := p.listed.Load()
	if last != tick {
		p.listed.Store(tick)
	}
	return last != 0 && tick-last <= againTicks
}

// Fill reports whether the page's objects may take the place of others at this tick, and notes that
// they do. It reports false if they have done so not long ago. If others have driven them out since,
// there are more objects in use than there is room for, and opening them again and again would cost
// more than it saves.
func (p *Page[E]) Fill(tick int64) bool {
	last := p.filled.Load()
	return (last == 0 || tick-last > againTicks) && p.filled.CompareAndSwap(last, tick)
}

// pages are the remembered pages of an FS.
type pages[E any] struct{ *recall.Shared[Page[E]] }

func pageHash(dir, cookie uint64) uint64 { return kernel.Mix(dir*0x9e3779b97f4a7c15 ^ cookie) }

// find returns the page of the directory dir that begins at cookie. It returns nil unless the page
// is good for a directory with this ctime.
func (p pages[E]) find(dir, cookie uint64, ctime *unix.StatxTimestamp) *Page[E] {
	set := p.Set(pageHash(dir, cookie))
	for i := range set {
		if x := set[i].Load(); x != nil && x.dir == dir && x.cookie == cookie && x.ctime == *ctime {
			return x
		}
	}
	return nil
}

func (p pages[E]) add(x *Page[E]) {
	p.Put(
		pageHash(x.dir, x.cookie),
		x,
		func(old *Page[E]) bool { return old.dir == x.dir && old.cookie == x.cookie },
	)
}
