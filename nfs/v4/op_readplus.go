package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	// readPlusHeader, holeSize and dataHeader are the bytes of a read_plus_res4: eof and the number
	// of segments, a hole, and what comes before the data of a segment.
	readPlusHeader = 4 + 4
	holeSize       = 4 + 8 + 8
	dataHeader     = 4 + 8 + 4
	// holesFrom is how many bytes must be asked for so that it pays to look for a hole.
	holesFrom = 64 << 10
)

// readPlus is READ_PLUS (RFC 7862, section 15.10). The result has a hole if the range begins with
// one, and what follows as data, whatever it is.
func (k *compound) readPlus() nfs4.Nfsstat4 {
	c := k.c
	id := decodeStateid(&c.Args)
	off, want := c.Args.Uint64(), c.Args.Uint32()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	o, st := k.file(id, files.Read)
	if st != nfs4.NFS4_OK {
		return st
	}
	const around = readPlusHeader + holeSize + dataHeader + 3
	count := min(int(min(want, k.s.cfg.ReadMax)), k.left()-around)
	if count < 0 {
		return k.tooBig()
	}
	if !c.Room(around + count) {
		return stGrow
	}
	hole, eof, st := k.holeAt(&o, off, count)
	if st != nfs4.NFS4_OK {
		return st
	}
	e := &c.Reply
	at := e.Len()
	e.Bool(eof)
	e.Uint32(0)
	segments := uint32(0)
	if hole > 0 {
		segments++
		e.Uint32(uint32(nfs4.NFS4_CONTENT_HOLE))
		e.Uint64(off)
		e.Uint64(hole)
	}
	if n := count - int(hole); !eof && (n > 0 || hole == 0) {
		var got int
		if got, eof, st = k.dataAt(&o, off+hole, n); st != nfs4.NFS4_OK {
			return st
		}
		if got > 0 {
			segments++
		}
		e.SetUint32(at, xdr.Word(eof))
	}
	e.SetUint32(at+4, segments)
	return nfs4.NFS4_OK
}

// holeAt returns how long the hole at off is, within count bytes, and whether the file ends with
// it. It says 0 where it does not pay to ask.
func (k *compound) holeAt(o *object.Object, off uint64, count int) (n uint64, eof bool, st nfs4.Nfsstat4) {
	x, a := o.View.Abilities().Ranges, &k.w.attr
	if x == nil || count < holesFrom || !o.Export.FS.Limits().CheapSeek {
		return 0, false, nfs4.NFS4_OK
	}
	at, s := x.Seek(o.Cred(k.c), o.Handle, &vfs.SeekArgs{Off: off}, a)
	switch {
	case s == vfs.NXIO && a.Filled() && off < a.Size: // the hole at the end
		at = a.Size
	case s == vfs.NXIO, s == vfs.NotSupp, s == vfs.Inval:
		return 0, false, nfs4.NFS4_OK // reading will tell
	case s != vfs.OK:
		return 0, false, k.dataStatus(s, a)
	}
	n = min(at-off, uint64(count))
	return n, off+n >= a.Size, nfs4.NFS4_OK
}

// dataAt writes n bytes at off as a segment, or none at the end.
func (k *compound) dataAt(o *object.Object, off uint64, n int) (got int, eof bool, st nfs4.Nfsstat4) {
	e, w := &k.c.Reply, k.w
	at := e.Len()
	e.Reserve(dataHeader)
	data := e.Reserve(n)
	w.read = vfs.ReadArgs{Off: off, Dst: data}
	got, eof, s := o.View.Read(o.Cred(k.c), o.Handle, &w.read, &w.attr)
	w.read.Dst = nil
	switch {
	case s != vfs.OK:
		return 0, false, k.readFailed(s)
	case uint(got) > uint(n):
		return 0, false, nfs4.NFS4ERR_SERVERFAULT
	case n == 0 && w.attr.Filled():
		eof = off >= w.attr.Size
	}
	e.Truncate(at)
	if got == 0 {
		return 0, eof, nfs4.NFS4_OK
	}
	e.Uint32(uint32(nfs4.NFS4_CONTENT_DATA))
	e.Uint64(off)
	e.Uint32(uint32(got))
	e.Reserve(got)
	e.Pad(got)
	return got, eof, nfs4.NFS4_OK
}
