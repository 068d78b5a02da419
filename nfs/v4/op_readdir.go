package v4

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	// dirHeader and dirTrailer are what a READDIR4resok has beside its entries: the verifier,
	// the end of the list and eof.
	dirHeader  = 8
	dirTrailer = 4 + 4
	// cookieBase is what is added to a back end's cookies: 0 is the beginning, and 1 and 2 are
	// the clients' own, for "." and ".." (RFC 8881, section 18.23.3).
	cookieBase = 2
)

// dirWriter encodes the entries of a directory while it is read, and stops when the next one
// would not fit.
type dirWriter struct {
	yield func(*vfs.DirEntry) bool // add

	k     *compound
	x     *export.Export
	e     *xdr.Encoder
	want  bitmap
	from  uint8
	room  int // bytes left for entries
	names int // bytes left for what dircount counts
	n     int // entries written
	full  bool
	st    nfs4.Nfsstat4 // what one entry without attributes makes of the READDIR
}

// add writes one entry. It is what reading a directory yields to.
func (l *dirWriter) add(d *vfs.DirEntry) bool {
	if n := d.Name; string(n) == "." || string(n) == ".." {
		return true
	}
	if l.k.s.crossings != nil {
		if n := l.mounted(d); n != nil {
			return l.addNode(n, d.Cookie+cookieBase, d.Name)
		}
	}
	v := &l.k.w.values
	v.failed, v.attr = nfs4.NFS4_OK, &d.Entry.Attr
	want := l.want
	switch {
	case l.from == 0:
	case d.HasEntry && d.Entry.Attr.Filled():
		l.k.identify(v, l.x, &d.Entry.Handle, &d.Entry.Attr)
		if l.from&fromHandle != 0 {
			v.fh = l.k.s.Table.SealAt(l.k.c.Place.Index, l.x, &d.Entry.Handle, l.k.w.fh[:0])
		}
	case want.has(nfs4.FATTR4_RDATTR_ERROR):
		// The caller may not see the object, or it is gone.
		want = l.failure(nfs4.NFS4ERR_ACCESS)
		v.mounted = d.FileID
	default:
		l.st = nfs4.NFS4ERR_ACCESS
		return false
	}
	return l.put(d.Cookie+cookieBase, d.Name, want)
}

// mounted returns the node that is mounted on the directory that an entry leads to, if any.
func (l *dirWriter) mounted(d *vfs.DirEntry) *node {
	found := &d.Entry.Handle
	if !d.HasEntry {
		found = nil
	}
	return l.k.mounted(l.x, &l.k.current.handle, d.Name, found)
}

// put writes an entry with the attributes in l.k.w.values.
func (l *dirWriter) put(cookie uint64, name []byte, want bitmap) bool {
	info := 8 + 4 + (len(name)+3)&^3
	e := l.e
	at := e.Len()
	e.Uint32(1)
	e.Uint64(cookie)
	e.Opaque(name)
	l.k.w.values.encode(e, want)
	size := e.Len() - at
	if l.k.w.values.unnamed {
		l.st = stAgain
		return false
	}
	if e.Err() != nil || size > l.room || info > l.names && l.n > 0 {
		e.Truncate(at)
		l.full = true
		return false
	}
	l.room -= size
	l.names -= info
	l.n++
	return true
}

// readdir is READDIR (RFC 8881, section 18.23).
func (k *compound) readdir() nfs4.Nfsstat4 {
	d := &k.c.Args
	cookie, verf := d.Uint64(), d.Uint64()
	names, most := d.Uint32(), d.Uint32()
	var want bitmap
	want.decode(d)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := k.unreadable(&want); st != nfs4.NFS4_OK {
		return st
	}
	if cookie == 1 || cookie == 2 {
		return nfs4.NFS4ERR_BAD_COOKIE
	}
	asked := int(min(most, k.s.cfg.ReadDirMax))
	size := min(asked, k.left())
	switch {
	case asked < dirHeader+dirTrailer:
		return nfs4.NFS4ERR_TOOSMALL
	case size < dirHeader+dirTrailer:
		return k.tooBig()
	}
	if !k.c.Room(size) {
		return stGrow
	}
	if names == 0 {
		names = math.MaxInt32 // it is a hint, and 0 gives none
	}
	w, e := k.w, &k.c.Reply
	l := &w.dir
	*l = dirWriter{
		yield: l.yield, k: k, e: e, want: want, from: needsOf(&want) & (fromAttr | fromHandle),
		room: size - dirHeader - dirTrailer, names: int(min(names, math.MaxInt32)),
	}
	// What is the same for the whole file system is asked for once.
	if st := k.describe(&k.current, &want, nil); st != nfs4.NFS4_OK {
		return st
	}
	at := e.Len()
	e.Uint64(0)
	var eof bool
	var st nfs4.Nfsstat4
	if k.current.node != nil {
		verf, eof, st = k.listNode(l, cookie)
	} else {
		verf, eof, st = k.listObject(l, cookie, verf)
	}
	l.e, l.k = nil, nil
	switch {
	case st != nfs4.NFS4_OK:
		return st
	case l.st != nfs4.NFS4_OK && l.n == 0:
		return l.st
	case l.full && l.n == 0 && size < asked:
		return k.tooBig()
	case l.full && l.n == 0:
		return nfs4.NFS4ERR_TOOSMALL
	}
	e.SetUint32(at, uint32(verf>>32))
	e.SetUint32(at+4, uint32(verf))
	e.Bool(false)
	e.Bool(eof && l.st == nfs4.NFS4_OK)
	return nfs4.NFS4_OK
}

// listObject lists the current directory of an export.
func (k *compound) listObject(
	l *dirWriter,
	cookie, verf uint64,
) (newVerf uint64, eof bool, st nfs4.Nfsstat4) {
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return 0, false, st
	}
	w := k.w
	l.x = o.Export
	// Some clients, libnfs among them, send no verifier with a cookie. The handle names the directory.
	w.readdir = vfs.ReadDirArgs{Cookie: cookie, Verf: verf, AnyVerf: verf == 0, Yield: l.yield}
	if cookie != 0 {
		w.readdir.Cookie -= cookieBase
	}
	if l.from&fromAttr != 0 {
		w.readdir.Want |= vfs.EntryAttr
	}
	if l.from != 0 {
		w.readdir.Want |= vfs.EntryHandle
	}
	newVerf, eof, s := o.View.ReadDir(o.Cred(k.c), o.Handle, &w.readdir, &w.attr)
	switch {
	case s != vfs.OK:
		return 0, false, k.status(s)
	case l.st == stAgain:
		return 0, false, l.st
	}
	return newVerf, eof, nfs4.NFS4_OK
}

// listNode lists the current node: the entries are in the order of their names, and each
// cookie is that of the entry's number.
func (k *compound) listNode(l *dirWriter, cookie uint64) (verf uint64, eof bool, st nfs4.Nfsstat4) {
	n := k.current.node
	for i, kid := range n.kids {
		at := uint64(i) + 1 + cookieBase
		if at <= cookie || !kid.shows(k.c) {
			continue
		}
		if !l.addNode(kid, at, []byte(kid.name)) {
			if l.st == stAgain {
				return 0, false, l.st
			}
			return n.id, false, nfs4.NFS4_OK
		}
	}
	return n.id, true, nfs4.NFS4_OK
}

// addNode writes an entry that leads to the node n, or to the export that begins there.
func (l *dirWriter) addNode(n *node, cookie uint64, name []byte) bool {
	k := l.k
	v, w := &k.w.values, k.w
	v.failed, v.attr = nfs4.NFS4_OK, &w.top
	v.mounted = k.mountedOn(n)
	if !n.serves(k.c) {
		k.s.tree.attributes(n, k.c, &w.top)
		v.fsid = pseudoFSID
		if l.from&fromHandle != 0 {
			v.fh = k.s.Table.SealNode(n.id, w.fh[:0])
		}
		return l.put(cookie, name, l.want)
	}
	x := n.export
	h := x.FS.Root()
	want := l.want
	if l.from&fromAttr != 0 {
		if st := l.topOf(x, &h); st == stAgain || st != nfs4.NFS4_OK && !want.has(nfs4.FATTR4_RDATTR_ERROR) {
			l.st = st
			return false
		} else if st != nfs4.NFS4_OK {
			want = l.failure(st)
		}
		v.fsid = [2]uint64{w.top.FSID, 0}
	}
	if l.from&fromHandle != 0 {
		v.fh = k.s.Table.SealAt(k.c.Place.Index, x, &h, w.fh[:0])
	}
	return l.put(cookie, name, want)
}

// topOf asks for the attributes of the top directory of the export x, which READDIR has met in
// another file system. That one must not wait for x's as long as there is another answer.
func (l *dirWriter) topOf(x *export.Export, h *vfs.Handle) nfs4.Nfsstat4 {
	k := l.k
	may := k.c.Place.Thread.MayWait
	canFail := l.want.has(nfs4.FATTR4_RDATTR_ERROR)
	if may && canFail && (l.x == nil || l.x.Volume == 0 || l.x.Volume != x.Volume) {
		return nfs4.NFS4ERR_DELAY
	}
	s := k.s.Table.View(k.c.Place.Index, x).GetAttr(*h, &k.w.top)
	if s == vfs.Again && canFail {
		s = vfs.Delay
	}
	if s == vfs.OK {
		return nfs4.NFS4_OK
	}
	return k.status(s)
}

// failure makes st what the next entry has instead of attributes, and returns which that entry has.
func (l *dirWriter) failure(st nfs4.Nfsstat4) (want bitmap) {
	l.k.w.values.failed = st
	want.add(nfs4.FATTR4_RDATTR_ERROR)
	if l.want.has(nfs4.FATTR4_MOUNTED_ON_FILEID) {
		want.add(nfs4.FATTR4_MOUNTED_ON_FILEID)
	}
	return want
}
