package nfs3

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// writeArgs is WRITE3args. The data stays in the segments it was received in.
type writeArgs struct {
	fh     []byte
	offset uint64
	count  uint32
	stable vfs.Stability
	data   [][]byte
}

// decode appends the data's segments to dst.
func (a *writeArgs) decode(d *xdr.Decoder, dst [][]byte) {
	a.fh = decodeHandle(d)
	a.offset = d.Uint64()
	a.count = d.Uint32()
	stable := d.Uint32()
	if stable > uint32(vfs.FileSync) {
		d.Fail(xdr.ErrValue)
	}
	a.stable = vfs.Stability(stable)
	a.data = d.OpaqueSegments(math.MaxUint32, dst)
}

// check judges the range of the WRITE.
func (a *writeArgs) check() vfs.Status {
	if uint64(a.count) != length(a.data) {
		return vfs.Inval // RFC 1813, section 3.3.7: the two must agree
	}
	if a.count == 0 {
		a.offset = 0 // writes nothing, wherever that is
	}
	if a.offset > math.MaxInt64-uint64(a.count) {
		return vfs.FBig
	}
	return vfs.OK
}

// write is WRITE (RFC 1813, section 3.3.7). The data goes to the file from the
// memory it was received in. More than the server takes at once is written in
// part, which the reply's count says.
func (s *server) write(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a writeArgs
	a.decode(&c.Args, w.segments[:0])
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w.segments = a.data
	defer w.release()
	var o object
	st := s.openChange(c, a.fh, &o, w)
	if st == vfs.OK {
		st = a.check()
	}
	if st != vfs.OK {
		return refuse(c, procWrite, st, &o, &w.wcc)
	}
	if a.count > s.cfg.WriteMax {
		a.data = shorten(a.data, int(s.cfg.WriteMax))
	}
	w.write = vfs.WriteArgs{Off: a.offset, Src: a.data, How: a.stable}
	n, got, verf, st := o.v.Write(o.cred(c), o.h, &w.write, &w.wcc)
	if st != vfs.OK {
		c.Brief = a.stable == vfs.Unstable // a copy to the page cache
		return finish(c, procWrite, st, &w.wcc)
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	encodeWCC(&c.Reply, &w.wcc)
	c.Reply.Uint32(uint32(n))
	c.Reply.Uint32(uint32(got))
	c.Reply.Uint64(verf)
	return rpc.Done
}

// length returns how many bytes the segments have together.
func length(segments [][]byte) (n uint64) {
	for _, b := range segments {
		n += uint64(len(b))
	}
	return n
}

// shorten drops what is behind the first n bytes.
func shorten(segments [][]byte, n int) [][]byte {
	for i, b := range segments {
		if n <= len(b) {
			segments[i] = b[:n]
			return segments[:i+1]
		}
		n -= len(b)
	}
	return segments
}
