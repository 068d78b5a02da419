package memfs

import (
	"slices"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// inode is one object. Everything but ino and typ is guarded by tree.mu.
type inode struct {
	ino                 uint64
	typ                 vfs.FileType
	mode                uint32
	nlink               uint32
	holds               uint32 // it stays without a name
	uid, gid            uint32
	major, minor        uint32
	atime, mtime, ctime vfs.Time // see now: each change has a ctime of its own
	birth               vfs.Time

	// Regular files.
	size    uint64
	blocks  map[uint64]*block
	madeBy  uint64 // the verifier of the exclusive CREATE that made it
	madeExc bool   // an exclusive CREATE made it

	target []byte // symbolic links

	xattrs map[string][]byte // regular files and directories

	dir    *directory // directories
	parent *inode
}

// newInode makes an object without a name for c. In a directory with the set-group-ID bit the
// object belongs to the directory's group. t.mu is held.
func (t *tree) newInode(typ vfs.FileType, c *vfs.Cred, mode uint32, in *inode) (*inode, vfs.Status) {
	if uint64(len(t.nodes)) >= t.c.FilesMax || !t.charge(nodeCost) {
		return nil, vfs.NoSpc
	}
	t.inoLast++
	now := t.now()
	n := &inode{
		ino:   t.inoLast,
		typ:   typ,
		mode:  mode & modeBits,
		uid:   c.UID,
		gid:   c.GID,
		atime: now,
		mtime: now,
		ctime: now,
		birth: now,
	}
	if typ == vfs.TypeDir {
		n.dir = newDirectory()
	}
	if in != nil && in.mode&setGID != 0 {
		n.gid = in.gid
		if typ == vfs.TypeDir {
			n.mode |= setGID
		}
	}
	t.nodes[n.ino] = n
	return n, vfs.OK
}

// forget ends an object that has no names left. t.mu is held.
func (t *tree) forget(n *inode) {
	delete(t.nodes, n.ino)
	t.refund(nodeCost + uint64(len(n.target)))
	for name, value := range n.xattrs {
		t.refund(uint64(entryCost + len(name) + len(value)))
	}
	n.xattrs = nil
	t.cut(n, 0)
}

// unlink takes one name away from n. t.mu is held.
func (t *tree) unlink(n *inode) {
	if n.typ == vfs.TypeDir {
		n.nlink = 0
	} else {
		n.nlink--
	}
	n.ctime = t.now()
	if n.nlink == 0 && n.holds == 0 {
		t.forget(n)
	}
}

// attr fills in a.
func (t *tree) attr(n *inode, a *vfs.Attr) {
	*a = vfs.Attr{
		Mask: vfs.AttrBasic | vfs.AttrChange | vfs.AttrBirth,
		Type: n.typ, Mode: n.mode, Nlink: n.nlink, UID: n.uid, GID: n.gid,
		Size: n.size, Used: uint64(len(n.blocks)) * blockLen,
		Major: n.major, Minor: n.minor, FSID: t.instance, FileID: n.ino,
		Atime: n.atime, Mtime: n.mtime, Ctime: n.ctime, Change: n.ctime.Change(), Birth: n.birth,
	}
	if t.c.Tick > 0 {
		a.Mask &^= vfs.AttrChange
	}
	switch n.typ {
	case vfs.TypeDir:
		a.Size = uint64(len(n.dir.byName)+2) * entryCost
		a.Used = a.Size
	case vfs.TypeLnk:
		a.Size = uint64(len(n.target))
	default:
	}
}

func (t *tree) entry(n *inode, e *vfs.Entry) {
	e.Handle = t.handle(n)
	t.attr(n, &e.Attr)
}

// before starts a WCC of n, after ends it.
func (t *tree) before(n *inode, w *vfs.WCC) {
	var a vfs.Attr
	t.attr(n, &a)
	*w = vfs.WCC{}
	w.SetBefore(&a)
}

func (t *tree) after(n *inode, w *vfs.WCC) {
	t.attr(n, &w.After)
}

// Mode bits.
const (
	setUID   = 0o4000
	setGID   = 0o2000
	sticky   = 0o1000
	groupX   = 0o010
	anyX     = 0o111
	modeBits = 0o7777
)

// rights returns what c may do with n by its mode bits, as Linux's
// generic_permission does without access control lists.
func (n *inode) rights(c *vfs.Cred) vfs.Permission {
	const all = vfs.MayRead | vfs.MayWrite | vfs.MayExec
	switch {
	case c.UID == 0 && (n.typ == vfs.TypeDir || n.mode&anyX != 0):
		return all
	case c.UID == 0:
		return vfs.MayRead | vfs.MayWrite
	case c.UID == n.uid:
		return vfs.Permission(n.mode>>6) & all
	case inGroup(c, n.gid):
		return vfs.Permission(n.mode>>3) & all
	}
	return vfs.Permission(n.mode) & all
}

// may reports whether c has all of the rights want.
func (n *inode) may(c *vfs.Cred, want vfs.Permission) bool { return n.rights(c)&want == want }

// owns reports whether c may do what only the owner may.
func (n *inode) owns(c *vfs.Cred) bool { return c.UID == 0 || c.UID == n.uid }

func inGroup(c *vfs.Cred, gid uint32) bool { return c.GID == gid || slices.Contains(c.Groups, gid) }

// mayChange says whether c may add and remove names in the directory n.
func (n *inode) mayChange(c *vfs.Cred) vfs.Status {
	if !n.may(c, vfs.MayWrite|vfs.MayExec) {
		return vfs.Access
	}
	return vfs.OK
}

// mayDelete says whether c may remove the name of child from the directory n.
func (n *inode) mayDelete(c *vfs.Cred, child *inode) vfs.Status {
	if s := n.mayChange(c); s != vfs.OK {
		return s
	}
	if n.mode&sticky != 0 && !n.owns(c) && c.UID != child.uid {
		return vfs.Perm
	}
	return vfs.OK
}

// dropSetID removes the set-id bits. A change of owner does that, and so does a change of content
// by anybody but the superuser.
func (n *inode) dropSetID() {
	if n.typ != vfs.TypeReg {
		return
	}
	n.mode &^= setUID
	if n.mode&groupX != 0 {
		n.mode &^= setGID
	}
}
