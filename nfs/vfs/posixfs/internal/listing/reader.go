package listing

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

// How many bytes of a directory one call reads. With handles and attributes an entry takes five
// times as much room in the reply, so most of a large piece would be read for nothing.
const (
	pieceBytes     = 8 << 10
	plusPieceBytes = 4 << 10
)

// Memory is what an FS remembers of its directories. Any goroutine may call its methods, except
// Init.
type Memory[E any] struct {
	pages    pages[E]
	wholes   wholes
	unplaced atomic.Bool // places last for one open at most, or may be positions
}

// Init prepares the Memory. It must be called once, before a listing begins.
func (m *Memory[E]) Init() { m.pages = pages[E]{recall.NewShared[Page[E]](pageSets, pageWays)} }

// Unplaced reports whether places are made of names. Once that is so, it stays so.
func (m *Memory[E]) Unplaced() bool { return m.unplaced.Load() }

// Try finds out whether the kernel's places in the directory that the descriptor dir stands for can
// be used. If not, places are made of names from now on. Try reads the directory with the thread's
// rights. It may block.
func (m *Memory[E]) Try(dir int) {
	if !placesLast(dir) {
		m.unplaced.Store(true)
	}
}

// Expire forgets directories whose listing nobody has continued for long. Its caller calls it at
// each tick (1.25 s). It does not block for long.
func (m *Memory[E]) Expire(tick int64) { m.wholes.expire(tick) }

// Ask is a call's request for a listing.
type Ask[E any] struct {
	Dir    *E
	ID     uint64              // ID of Dir; no other directory of the FS ever has it
	Handle vfs.Handle          // handle of Dir
	Ctime  unix.StatxTimestamp // ctime of Dir from before the listing began
	As     *vfs.Cred           // the user for whom the thread acts to read Dir, nil for itself
	Cookie uint64              // the place behind which the listing goes on
	Plus   bool                // an entry takes more room in the reply than its name
	Keep   bool                // no change from now on leaves Dir with the same Ctime
}

// Source is what a [Reader] uses to read a directory. The Reader calls its methods on its thread.
// They may block.
type Source[E any] interface {
	// Open opens dir for reading, with a position of its own and with the rights of as.
	Open(as *vfs.Cred, dir *E) (fd int, s vfs.Status)
	// FileIDs replaces the inode numbers in d, which are entries of dir, by file IDs.
	FileIDs(as *vfs.Cred, dir *E, d Dents)
	// Status translates a system call's error for front ends.
	Status(errno unix.Errno) vfs.Status
	// Tick returns the number of ticks (1.25 s) since the start.
	Tick() int64
	// TooLarge tells the log that the server does not list dir, because its entries have more
	// than limit bytes. The Reader does not call it for every such listing.
	TooLarge(dir *E, limit int)
}

// Reader is a thread's way through a directory. Begin makes the zero value ready.
type Reader[E any] struct {
	// Ask is the request of the present listing. Its Cookie is the listing's place: a caller
	// that takes entries moves it on.
	Ask[E]
	// Entry is room for the entry that the caller passes on.
	Entry vfs.DirEntry

	memory *Memory[E]
	fd     int     // -1 until a page has to be read
	at     uint64  // the position of fd
	buf    []byte  // nil until this thread reads a directory
	page   Page[E] // for a page that is not kept
}

// Begin begins a listing, which ends with End. It copies ask. m must outlive the listing.
func (r *Reader[E]) Begin(m *Memory[E], ask *Ask[E]) {
	r.Ask, r.memory, r.fd, r.at = *ask, m, -1, 0
}

// End ends the listing. What the listing has returned may not be used any more.
func (r *Reader[E]) End() {
	if r.fd >= 0 {
		kernel.CloseFD(r.fd)
	}
	r.Ask, r.memory, r.fd, r.page.dents = Ask[E]{}, nil, -1, nil
}

// Page returns the page at the listing's place if it is remembered and good, otherwise nil. It
// neither blocks nor allocates.
func (r *Reader[E]) Page() *Page[E] {
	if !r.Keep {
		return nil
	}
	return r.memory.pages.find(r.ID, r.Cookie, &r.Ctime)
}

// Read reads the page at the listing's place. If pages are kept it remembers the page; otherwise
// the page is valid until the next Read. Read blocks. It returns BadCookie if the directory does
// not have the place. If it has to read the whole directory, it returns IO if the directory is too
// large, and Delay while too many others are being read.
func (r *Reader[E]) Read(src Source[E]) (*Page[E], vfs.Status) {
	if r.buf == nil {
		r.buf = make([]byte, pieceBytes)
	}
	b := r.buf
	if r.Plus {
		b = b[:plusPieceBytes]
	}
	var d Dents
	var s vfs.Status
	if r.memory.Unplaced() {
		d, s = r.wholePiece(src, b)
	} else {
		d, s = r.piece(src, b)
	}
	if s != vfs.OK {
		return nil, s
	}
	src.FileIDs(r.As, r.Dir, d)
	if !r.Keep {
		r.page.dents = d
		return &r.page, vfs.OK
	}
	p := &Page[E]{dir: r.ID, cookie: r.Cookie, ctime: r.Ctime, dents: append(Dents(nil), d...)}
	r.memory.pages.add(p)
	return p, vfs.OK
}

// piece reads entries behind the listing's place into b.
func (r *Reader[E]) piece(src Source[E], b []byte) (Dents, vfs.Status) {
	if r.fd < 0 {
		fd, s := src.Open(r.As, r.Dir)
		if s != vfs.OK {
			return nil, s
		}
		r.fd, r.at = fd, 0
	}
	if r.at != r.Cookie {
		if !seek(r.fd, r.Cookie) {
			return nil, vfs.BadCookie
		}
		r.at = r.Cookie
	}
	d, errno := Read(r.fd, b)
	if errno != 0 {
		return nil, src.Status(errno)
	}
	for x := d; len(x) > 0; x = x.Rest() {
		r.at = x.Place()
	}
	return d, vfs.OK
}

// wholePiece is piece with places that are made of names.
func (r *Reader[E]) wholePiece(src Source[E], b []byte) (Dents, vfs.Status) {
	ws := &r.memory.wholes
	var w *whole
	if r.Cookie != 0 {
		w = ws.find(&r.Handle, r.As, src.Tick())
	}
	if w == nil {
		var s vfs.Status
		if w, s = r.readWhole(src); s != vfs.OK {
			return nil, s
		}
		ws.keep(w, src.Tick())
	}
	return w.piece(b, r.Cookie), vfs.OK
}

// readWhole reads all of the directory.
func (r *Reader[E]) readWhole(src Source[E]) (*whole, vfs.Status) {
	fd, s := src.Open(r.As, r.Dir)
	if s != vfs.OK {
		return nil, s
	}
	defer kernel.CloseFD(fd)
	ws, had := &r.memory.wholes, int64(0)
	defer func() { ws.reading.Add(-had) }()
	now := src.Tick()
	w := &whole{dir: r.Handle, as: r.As, began: now, used: now}
	seen := make(map[string]bool)
	b := make([]byte, 64<<10)
	for fresh := true; fresh; { // a file system without an end begins again
		d, errno := Read(fd, b)
		if errno != 0 {
			return nil, src.Status(errno)
		}
		fresh = w.add(d, seen)
		if len(w.dents) > wholeBounds {
			if ws.say(src.Tick()) {
				src.TooLarge(r.Dir, wholeBounds)
			}
			return nil, vfs.IO
		}
		more := int64(len(w.dents)) - had
		had += more
		if ws.reading.Add(more) > wholesReading {
			return nil, vfs.Delay // the other reads will end
		}
	}
	w.sort()
	return w, vfs.OK
}
