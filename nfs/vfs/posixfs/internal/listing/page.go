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
	// againTicks is how soon a page has to be listed again to be worth that its objects are
	// kept open: 5 s. Going through a large tree then does not drive out others.
	againTicks = 4
)

// Page is a piece of a directory. Its methods may be called from any goroutine.
type Page[E any] struct {
	// Immutable.
	dir    uint64 // Ask.ID of the directory
	cookie uint64 // where it begins
	ctime  unix.StatxTimestamp
	dents  Dents // with file IDs; empty at the end of the directory

	// Atomic. kids has an element for each of dents, nil until it is wanted.
	kids   atomic.Pointer[[]atomic.Pointer[E]]
	listed atomic.Int64 // tick when it was last listed with handles, 0 for never
}

// Dents are the entries, with file IDs as numbers. There are none at the end of the directory.
// Nobody changes them.
func (p *Page[E]) Dents() Dents { return p.dents }

// Kids are the objects that the names lead to, as far as somebody has stored them, for as
// many names as there are. It allocates the first time.
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

// Listed notes that the page is listed with handles at this tick, which is not 0. It reports
// whether it was so not long ago, and its objects are worth to be kept open.
func (p *Page[E]) Listed(tick int64) (again bool) {
	last := p.listed.Load()
	if last != tick {
		p.listed.Store(tick)
	}
	return last != 0 && tick-last <= againTicks
}

// pages are the pages of an FS.
type pages[E any] struct{ *recall.Shared[Page[E]] }

func pageHash(dir, cookie uint64) uint64 { return kernel.Mix(dir*0x9e3779b97f4a7c15 ^ cookie) }

// find returns the page of the directory dir that begins at cookie, if it is good while the
// directory has this ctime.
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
