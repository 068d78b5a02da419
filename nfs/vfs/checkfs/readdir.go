package checkfs

import (
	"bytes"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// nameMax is the most bytes of a name ([vfs.Names]).
const nameMax = 255

// listing checks the entries of one ReadDir as they pass.
type listing struct {
	yield func(*vfs.DirEntry) bool // add

	to     func(*vfs.DirEntry) bool // the caller's, nil when no ReadDir is running
	v      *view
	before uint64 // the cookie that the next one must differ from
	n      int    // entries
	ended  bool   // the caller or the check wants no more
	breach string // the first one
	bare   vfs.DirEntry
}

// add passes one entry on, unless something is wrong with it.
func (l *listing) add(d *vfs.DirEntry) bool {
	if l.to == nil {
		return false // the back end calls a Yield that it kept after ReadDir
	}
	if l.breach == "" {
		l.breach = l.wrong(d)
	}
	if l.breach != "" {
		return false
	}
	l.n++
	l.before = d.Cookie
	l.ended = !l.to(l.whole(d))
	return !l.ended
}

// wrong says what is wrong with an entry, "" for nothing.
func (l *listing) wrong(d *vfs.DirEntry) string {
	switch {
	case l.ended:
		return "went on yielding after yield had returned false"
	case len(d.Name) == 0 || len(d.Name) > nameMax:
		return fmt.Sprintf("yielded a name of %d bytes: there can be 1 to %d", len(d.Name), nameMax)
	case bytes.IndexByte(d.Name, '/') >= 0 || bytes.IndexByte(d.Name, 0) >= 0:
		return fmt.Sprintf("yielded the name %q, which has a slash or a NUL", d.Name)
	case d.Cookie == 0:
		return fmt.Sprintf("yielded %q with cookie 0, which is the beginning of the directory", d.Name)
	case d.Cookie == l.before:
		return fmt.Sprintf(
			"yielded %q with the cookie of the entry before it: the listing would not end",
			d.Name,
		)
	}
	return ""
}

// whole returns the entry without the parts that cannot be right.
func (l *listing) whole(d *vfs.DirEntry) *vfs.DirEntry {
	if !d.HasEntry {
		return d
	}
	if d.Entry.Handle.Len() == 0 {
		l.v.report("ReadDir", fmt.Sprintf("yielded %q with HasEntry and no handle", d.Name))
		l.bare = *d // d belongs to the back end
		l.bare.HasEntry = false
		return &l.bare
	}
	if !d.Entry.Attr.Filled() {
		return d
	}
	if what := impossible(&d.Entry.Attr); what != "" {
		l.v.report("ReadDir", what)
		l.bare = *d
		l.bare.Entry.Attr.Mask = 0
		return &l.bare
	}
	return d
}

func (v *view) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (uint64, bool, vfs.Status) {
	const method = "ReadDir"
	l := &v.list
	l.to, l.v, l.before, l.n, l.ended, l.breach = r.Yield, v, r.Cookie, 0, false, ""
	v.readdir = *r
	v.readdir.Yield = l.yield
	newVerf, eof, s := v.View.ReadDir(c, dir, &v.readdir, d)
	l.to = nil
	s = v.status(method, s)
	v.attr(method, d, s)
	switch {
	case s == vfs.Again:
		return 0, false, s // the entries that were yielded do not count
	case l.breach != "":
		return 0, false, v.breach(method, l.breach)
	case s != vfs.OK:
		return 0, false, s
	case l.n == 0 && !l.ended && !eof:
		return 0, false, v.breach(method, "returned OK with no entry before the end of the directory")
	}
	return newVerf, eof, s
}
