package posixfs

import (
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A listing with handles opens what it lists, O_PATH, if the page is kept (package listing). The
// next one then asks for the attributes through the descriptors, for half the price, and a lane can
// answer it. As long as less than half of the descriptors that the FS may keep are in use, it opens
// what it would have to open or ask for the handle in any case, and everything if it comes again
// soon. Otherwise only a listing that comes again soon opens anything, and takes the place of
// objects that nobody has used lately. Where pages are not kept (FUSE, network file systems), a
// descriptor would save nothing, and no listing opens any.
//
// docs/design/0051-listings-stay-open.md has the measurements.

// opening is what a thread's listing knows about opening.
type opening struct {
	on    bool // objects of the present page may be opened
	again bool // another listing has used the page not long ago
	spare int  // how many may be opened although half of the descriptors are in use
	there bool // the last object need not be opened: the next one probably need not, either
}

// beginOpening begins opening objects of p, whose Kids has been called.
func (v *View) beginOpening(p *page) {
	tick, o, t := v.fs.tick.Load(), &v.opens, &v.fs.tab
	o.again = p.Listed(tick)
	if v.lane {
		return
	}
	o.on, o.spare = true, 0
	if t.Open() < t.Max()/2 {
		return
	}
	if o.on = o.again && p.Fill(tick); o.on {
		for _, e := range t.Spare(p.Missing(func(e *entry) bool { return !e.Dead() }), waits) {
			o.spare += e.FDs()
			v.fs.closeEntry(e)
		}
	}
}

// mayOpen reports whether to open the next object. If it probably need not be opened, a glance
// costs less.
func (v *View) mayOpen() bool {
	o, t := &v.opens, &v.fs.tab
	return o.on && !o.there && (t.Open() < t.Max()/2 || o.spare > 0 && !t.Full())
}

// openListed is child for an object for which mayOpen has said yes.
func (v *View) openListed(de *entry, name *byte, d *vfs.DirEntry) vfs.Status {
	o, newest := &v.opens, v.fs.tab.Newest()
	s := v.child(de, name, &d.Entry, nameKey(de, d.Name))
	e := v.use.At(useChild)
	if s != vfs.OK || e == nil {
		return s
	}
	if e.ID <= newest { // it was open
		o.there = true
		return s
	}
	o.spare--
	if k := kernel.KeyOf(&v.st2); v.knows.Own(&v.st2) {
		if v.knows.Find(&k, &v.st2) == nil {
			v.knows.Add(&k, &v.st2, &d.Entry.Handle)
		} else {
			o.there = !o.again
		}
	}
	return s
}
