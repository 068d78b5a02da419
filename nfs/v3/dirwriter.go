package v3

import (
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	// dirHeader is the length of what comes before the entries: attributes and verifier. The
	// status before these does not count as part of the results' size.
	dirHeader = postOpAttrLen + 8
	// dirTrailer is the length of the end of the list of entries and of the flag that says
	// whether the directory ends there.
	dirTrailer = 4 + 4
	// entryLen is the length of an entry without its name: "one follows", fileid, the name's
	// length, cookie.
	entryLen = 4 + 8 + 4 + 8
	// entryBare is how much longer an entry of READDIRPLUS is that has neither attributes nor
	// handle.
	entryBare = 4 + 4
	// entryMost is the greatest length of an entry of READDIRPLUS without its name.
	entryMost = entryLen + entryBare + fattrLen + 4 + export.WireMax
)

// dirWriter encodes the entries of a directory while the directory is read. It stops when the next
// entry would not fit.
type dirWriter struct {
	yield func(*vfs.DirEntry) bool // add

	s     *server
	w     *work
	place int
	x     *export.Export
	e     *xdr.Encoder
	plus  bool
	room  int // bytes left for entries
	names int // bytes left of what dircount of READDIRPLUS counts
	n     int // entries written
	full  bool
}

// add writes one entry. It is the Yield of ReadDir. An entry with attributes and a handle that fits
// for sure, whatever the handle's length is, is written here. addAny writes the others.
func (l *dirWriter) add(d *vfs.DirEntry) bool {
	name := (len(d.Name) + 3) &^ 3
	if !l.plus || !d.HasEntry || !d.Entry.Attr.Filled() ||
		entryMost+name > l.room || entryLen-4+name > l.names {
		return l.addAny(d, name)
	}
	e, be := l.e, binary.BigEndian
	start := e.Len()
	b := e.Reserve(entryLen + name + 4)
	be.PutUint32(b[12+name:], 0) // the padding, or the place of the length
	tail := b[16+name:]
	_ = b[15]
	be.PutUint32(b, 1)
	be.PutUint64(b[4:], d.FileID)
	be.PutUint32(b[12:], uint32(len(d.Name)))
	copy(b[16:], d.Name)
	_ = tail[11]
	be.PutUint64(tail, d.Cookie)
	be.PutUint32(tail[8:], 1)
	encodeFattr(e, &d.Entry.Attr)
	at := e.Len()
	b = e.Reserve(4 + 4 + export.WireMax)
	_ = b[7]
	be.PutUint32(b, 1)
	n := len(l.s.Table.SealAt(l.place, l.x, &d.Entry.Handle, b[8:8]))
	be.PutUint32(b[4:], uint32(n))
	whole := 8 + (n+3)&^3
	if whole > 8+n {
		clear(b[8+n : whole])
	}
	e.Truncate(at + whole)
	l.room -= at + whole - start
	l.names -= entryLen - 4 + name
	l.n++
	return true
}

// addAny is add for any entry, whose name has that length with its padding.
func (l *dirWriter) addAny(d *vfs.DirEntry, name int) bool {
	size := entryLen + name
	bare := !d.HasEntry
	var fh []byte
	if l.plus {
		size += entryBare
		if !bare {
			fh = l.s.Table.SealAt(l.place, l.x, &d.Entry.Handle, l.w.fh[:0])
			more := 4 + (len(fh)+3)&^3
			if d.Entry.Attr.Filled() {
				more += fattrLen
			}
			// One entry without attributes is better than none: without an entry the
			// client could not read on.
			if bare = l.n == 0 && size+more > l.room; !bare {
				size += more
			}
		}
	}
	// dircount counts the directory's own information: ids, names and cookies. However small it
	// is, one entry goes with it, as on other servers. A client that sends 0 would otherwise
	// see no directory at all.
	info := entryLen - 4 + name
	if size > l.room || info > l.names && l.n > 0 {
		l.full = true
		return false
	}
	l.room -= size
	l.names -= info
	l.n++
	e := l.e
	if !l.plus {
		entry := nfs3.Entry3{Fileid: nfs3.Fileid3(d.FileID), Name: d.Name, Cookie: nfs3.Cookie3(d.Cookie)}
		e.Bool(true)
		entry.Encode(e)
		return true
	}
	e.Uint32(1)
	e.Uint64(d.FileID)
	e.Opaque(d.Name)
	e.Uint64(d.Cookie)
	if bare {
		e.Uint64(0) // neither attributes nor handle
		return true
	}
	encodePostOpAttr(e, &d.Entry.Attr)
	e.Uint32(1)
	e.Opaque(fh)
	return true
}

// dirArgs is READDIR3args and READDIRPLUS3args.
type dirArgs struct {
	fh     []byte
	cookie uint64
	verf   uint64
	names  uint32 // dircount
	max    uint32 // count or maxcount: bytes in the results without the status
}

// readDirectory does READDIR and READDIRPLUS.
func (s *server) readDirectory(c *rpc.Call, proc int, a *dirArgs) rpc.Outcome {
	w := s.work(c)
	var dir object.Object
	if st := s.open(c, a.fh, &dir, w); st != vfs.OK {
		return failAttr(c, proc, st, &dir, &w.attr)
	}
	e := &c.Reply
	most := int(min(a.max, s.cfg.ReadDirMax))
	if c.Datagram {
		most = min(most, e.Free()-4)
	}
	if !c.Room(4 + most) {
		return rpc.Grow
	}
	start := e.Len()
	room := most - dirHeader - dirTrailer
	if room >= 0 {
		e.Reserve(4 + dirHeader)
	}
	l := &w.dir
	*l = dirWriter{
		yield: l.yield, s: s, w: w, place: c.Place.Index, x: dir.Export, e: e,
		plus: proc == nfs3.NFSPROC3_READDIRPLUS, room: room, names: int(min(a.names, math.MaxInt32)),
	}
	w.readdir = vfs.ReadDirArgs{Cookie: a.cookie, Verf: a.verf, Yield: l.yield}
	if l.plus {
		w.readdir.Want = vfs.EntryHandle | vfs.EntryAttr
	}
	verf, eof, st := dir.View.ReadDir(dir.Cred(c), dir.Handle, &w.readdir, &w.attr)
	l.e = nil
	if st == vfs.OK && (room < 0 || l.full && l.n == 0) {
		st = vfs.TooSmall
	}
	if st == vfs.OK && !w.attr.Filled() && !dir.Fill(c, &w.attr) {
		return rpc.Wait
	}
	if st != vfs.OK {
		e.Truncate(start)
		return failAttr(c, proc, st, &dir, &w.attr)
	}
	body := e.Bytes()[start+4+dirHeader:]
	e.Truncate(start)
	e.Uint32(uint32(nfs3.NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint64(verf)
	at := e.Len() - start
	if dst := e.Reserve(len(body)); at != 4+dirHeader {
		copy(dst, body) // there are no attributes, so the entries move up
	}
	e.Uint32(0)
	e.Bool(eof && !l.full)
	return rpc.Done
}
