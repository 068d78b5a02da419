package posixfs

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

// What getdents64 has returned is kept, a page at a time, and is good for as long
// as the directory has the ctime that it had before the page was read: every change
// of its names moves that, whoever makes it. Each listing asks for the ctime anew.
// Where ctime is as coarse as the timer tick, a page of a directory that has just
// changed is not kept, for the same reason as in remember.
//
// As long as a page is good its names lead to the objects they led to when it was
// read. So an entry found by one of its names after it was read is that name's, and
// the object can be asked for its attributes by the entry's descriptor, which costs
// the kernel less than half of what a name costs, and cannot sleep: when a page has
// all its entries a lane lists it by itself. (Not so where something may be mounted
// on a name: that changes no ctime. Without a private mount pages are not kept. Nor
// does the place of "..": it is looked up each time.)
//
// Entries are opened for a page only when it is listed for the second time within
// pinTicks, so that going through a large tree does not drive out others.

const (
	pageSets = 256 // per FS, times pageWays; at most 11 KiB each
	pageWays = 2
	pinTicks = 4 // see FS.tick: 5 s
)

// page is a piece of a directory.
type page struct {
	// Immutable.
	dir    uint64 // entry.id of the directory
	cookie uint64 // where it begins
	ctime  unix.StatxTimestamp
	dents  []byte // linux_dirent64 with file IDs; empty at the end of the directory

	// Atomic. kids has an element for each of dents, nil until it is wanted.
	kids   atomic.Pointer[[]atomic.Pointer[entry]]
	listed atomic.Int64 // FS.tick when it was last listed with handles, 0 for never
}

// pages are the pages of an FS.
type pages struct{ *recall.Shared[page] }

func pageHash(dir, cookie uint64) uint64 { return kernel.Mix(dir*0x9e3779b97f4a7c15 ^ cookie) }

// find returns the page of e that begins at cookie, if it is good for a directory
// with the attributes st.
func (p pages) find(e *entry, cookie uint64, st *unix.Statx_t) *page {
	set := p.Set(pageHash(e.ID, cookie))
	for i := range set {
		if x := set[i].Load(); x != nil && x.dir == e.ID && x.cookie == cookie && x.ctime == st.Ctime {
			return x
		}
	}
	return nil
}

func (p pages) add(x *page) {
	p.Put(
		pageHash(x.dir, x.cookie),
		x,
		func(old *page) bool { return old.dir == x.dir && old.cookie == x.cookie },
	)
}

// keepsPages reports whether pages of a directory with the attributes st may be
// kept.
func (fs *FS) keepsPages(st *unix.Statx_t) bool { return fs.is.births && fs.steady(st) }

// children returns the entries of p, for as many names as it has.
func (p *page) children() []atomic.Pointer[entry] {
	if k := p.kids.Load(); k != nil {
		return *k
	}
	n := 0
	for b := p.dents; len(b) > 0; n++ {
		b = b[binary.NativeEndian.Uint16(b[direntReclen:]):]
	}
	k := make([]atomic.Pointer[entry], n)
	if !p.kids.CompareAndSwap(nil, &k) {
		return *p.kids.Load()
	}
	return k
}

// listing is a call's way through a directory.
type listing struct {
	de     *entry
	as     *vfs.Cred // whom the thread acts for to open de: who may search it, or nil
	fd     int       // -1 until the kernel had to be asked
	at     uint64    // where fd is
	cookie uint64    // where the listing is
	plus   bool
	search bool // the caller may look names up
	keep   bool // pages are kept
}

// next returns the page at l.cookie, of the directory whose attributes are in v.st.
func (v *View) next(l *listing) (*page, vfs.Status) {
	if l.keep {
		if p := v.fs.pages.find(l.de, l.cookie, &v.st); p != nil {
			return p, vfs.OK
		}
	}
	if v.lane {
		return nil, vfs.Again
	}
	n, s := v.fetch(l)
	if s != vfs.OK {
		return nil, s
	}
	v.fileIDs(l, v.dents[:n])
	if !l.keep {
		v.page.dents = v.dents[:n]
		return &v.page, vfs.OK
	}
	p := &page{dir: l.de.ID, cookie: l.cookie, ctime: v.st.Ctime, dents: append([]byte(nil), v.dents[:n]...)}
	v.fs.pages.add(p)
	return p, vfs.OK
}
