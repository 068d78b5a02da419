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
	// holesFrom is how many bytes must be asked for so that it pays to look for holes.
	holesFrom = 64 << 10
	// segmentsMax is how many segments a result has at most. The last one is data to the end of the
	// range, whatever it is.
	segmentsMax = 16
)

// readPlus is READ_PLUS (RFC 7862, section 15.10).
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
	const around = readPlusHeader + segmentsMax*max(holeSize, dataHeader+3)
	count := min(int(min(want, k.s.cfg.ReadMax)), k.left()-around)
	if count < 0 {
		return k.tooBig()
	}
	if !c.Room(around + count) {
		return stGrow
	}
	e := &c.Reply
	p := plus{k: k, o: &o, off: off, left: count, asks: count >= holesFrom && o.Export.FS.Limits().CheapSeek}
	p.ranges = o.View.Abilities().Ranges
	at := e.Len()
	e.Uint32(0)
	e.Uint32(0)
	if st = p.write(); st != nfs4.NFS4_OK {
		return st
	}
	e.SetUint32(at, xdr.Word(p.eof))
	e.SetUint32(at+4, p.segments)
	return nfs4.NFS4_OK
}

// plus is a READ_PLUS in progress.
type plus struct {
	k        *compound
	o        *object.Object
	ranges   vfs.Ranges
	asks     bool // for holes
	off      uint64
	left     int // bytes of the range from off on
	segments uint32
	eof      bool
}

// write writes the segments.
func (p *plus) write() (st nfs4.Nfsstat4) {
	for first := true; first || p.left > 0 && !p.eof; first = false {
		hole := 0
		if p.segments+1 < segmentsMax { // data can follow
			if hole, st = p.seek(false); st != nfs4.NFS4_OK {
				return st
			}
		}
		if hole > 0 {
			e := &p.k.c.Reply
			e.Uint32(uint32(nfs4.NFS4_CONTENT_HOLE))
			e.Uint64(p.off)
			e.Uint64(uint64(hole))
			p.went(hole)
		}
		if p.eof || hole > 0 && p.left == 0 {
			break
		}
		n := p.left
		if p.segments+2 < segmentsMax { // a hole and data can follow
			if n, st = p.seek(true); st != nfs4.NFS4_OK {
				return st
			}
			if n == 0 { // it has become a hole meanwhile
				n = p.left
			}
		}
		got, eof, st := p.k.dataAt(p.o, p.off, n)
		if st != nfs4.NFS4_OK {
			return st
		}
		p.eof = eof
		if got > 0 {
			p.went(got)
		}
		if got < n {
			break
		}
	}
	return nfs4.NFS4_OK
}

// went counts a segment of n bytes.
func (p *plus) went(n int) {
	p.segments++
	p.off += uint64(n)
	p.left -= n
}

// seek returns how many bytes from p.off on are data, or a hole. Where it does not pay to ask, all
// is data. p.eof says that the file ends with the hole.
func (p *plus) seek(data bool) (n int, st nfs4.Nfsstat4) {
	otherwise := 0
	if data {
		otherwise = p.left
	}
	if p.ranges == nil || !p.asks {
		return otherwise, nfs4.NFS4_OK
	}
	a := &p.k.w.attr
	ends, s := p.ranges.Seek(p.o.Cred(p.k.c), p.o.Handle, &vfs.SeekArgs{Off: p.off, Hole: data}, a)
	switch {
	case s == vfs.NXIO && a.Filled() && p.off < a.Size && !data: // the hole at the end
		ends = a.Size
	case s == vfs.NXIO, s == vfs.NotSupp, s == vfs.Inval:
		p.asks = false // reading will tell
		return otherwise, nfs4.NFS4_OK
	case s != vfs.OK:
		return 0, p.k.dataFailed(p.o, s)
	}
	n = int(min(ends-p.off, uint64(p.left)))
	if !data {
		p.eof = a.Filled() && p.off+uint64(n) >= a.Size && n > 0
	}
	return n, nfs4.NFS4_OK
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
		return 0, false, k.dataFailed(o, s)
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
