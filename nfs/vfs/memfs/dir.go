package memfs

import (
	"cmp"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// directory is the content of a directory. Every entry has a cookie of its own. Cookies are given
// out in ascending order and never again, so a listing can go on after any cookie, whatever entries
// have come and gone since.
type directory struct {
	byName map[string]*dirent
	order  []*dirent // ascending by cookie, with removed entries in between
	dead   int       // removed entries in order
	last   uint64    // the last cookie given out
}

type dirent struct {
	name   string
	cookie uint64
	node   *inode // nil when removed
}

// The cookies of "." and "..", which have no dirent.
const (
	cookieDot    = 1
	cookieDotDot = 2
)

func newDirectory() *directory {
	return &directory{byName: make(map[string]*dirent), last: cookieDotDot}
}

// put gives n a name. If an entry has the name already, the entry keeps its cookie, because a
// listing sees it as having been there all the time. tree.mu is held.
func (d *directory) put(name string, n *inode) {
	if e := d.byName[name]; e != nil {
		e.node = n
		return
	}
	d.last++
	e := &dirent{name: name, cookie: d.last, node: n}
	d.byName[name] = e
	d.order = append(d.order, e)
}

// drop removes an existing name. tree.mu is held.
func (d *directory) drop(name string) {
	d.byName[name].node = nil
	delete(d.byName, name)
	d.dead++
	if d.dead > 16 && d.dead > len(d.order)/2 {
		d.order = slices.DeleteFunc(d.order, func(e *dirent) bool { return e.node == nil })
		d.dead = 0
	}
}

// find returns the object that a name belongs to, nil if there is none.
func (d *directory) find(name []byte) *inode {
	if e := d.byName[string(name)]; e != nil {
		return e.node
	}
	return nil
}

// behind returns the entries whose cookies are above the given one.
func (d *directory) behind(cookie uint64) []*dirent {
	i, found := slices.BinarySearchFunc(
		d.order,
		cookie,
		func(e *dirent, c uint64) int { return cmp.Compare(e.cookie, c) },
	)
	if found {
		i++
	}
	return d.order[i:]
}

// batchLen is how many entries are copied out while the lock is held once.
const batchLen = 64

// ReadDir implements vfs.View.
func (v *view) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (uint64, bool, vfs.Status) {
	cookie, verf, plus, yield := r.Cookie, r.Verf, r.Want != 0, r.Yield
	t := v.t
	d.Mask = 0
	t.mu.RLock()
	n, s := t.get(&dir)
	if s == vfs.OK {
		t.attr(n, d)
		switch {
		case n.typ != vfs.TypeDir:
			s = vfs.NotDir
		case !n.may(c, vfs.MayRead):
			s = vfs.Access
		case cookie != 0 && (verf != t.dirVerifier(n) && !r.AnyVerf || cookie > n.dir.last):
			s = vfs.BadCookie
		}
	}
	if s != vfs.OK {
		t.mu.RUnlock()
		return 0, false, s
	}
	newVerf := t.dirVerifier(n)
	for {
		// fill is called with the lock held.
		v.fill(c, n, cookie, plus)
		t.mu.RUnlock()
		if len(v.batch) == 0 {
			return newVerf, true, vfs.OK
		}
		for i := range v.batch {
			if !yield(&v.batch[i]) {
				return newVerf, false, vfs.OK
			}
			cookie = v.batch[i].Cookie
		}
		t.mu.RLock()
	}
}

// dirVerifier returns the verifier of a directory's cookies. It depends on nothing that changes,
// since the cookies do not change either.
func (t *tree) dirVerifier(n *inode) uint64 { return t.instance ^ n.ino<<1 }

// fill puts the next entries after cookie into v.batch. tree.mu is held.
func (v *view) fill(c *vfs.Cred, dir *inode, cookie uint64, plus bool) {
	v.batch, v.names = v.batch[:0], v.names[:0]
	plus = plus && dir.may(c, vfs.MayExec)
	if cookie < cookieDot {
		v.add(".", cookieDot, dir, plus)
	}
	if cookie < cookieDotDot {
		v.add("..", cookieDotDot, dir.parent, plus)
	}
	for _, e := range dir.dir.behind(cookie) {
		if len(v.batch) >= batchLen {
			break
		}
		if e.node != nil {
			v.add(e.name, e.cookie, e.node, plus)
		}
	}
}

func (v *view) add(name string, cookie uint64, n *inode, plus bool) {
	start := len(v.names)
	v.names = append(v.names, name...)
	e := vfs.DirEntry{
		FileID:   n.ino,
		Cookie:   cookie,
		Name:     v.names[start:len(v.names):len(v.names)],
		HasEntry: plus,
	}
	if plus {
		v.t.entry(n, &e.Entry)
	}
	v.batch = append(v.batch, e)
}
