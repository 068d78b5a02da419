package v3

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

const (
	// segmentsMin is how many segments a WRITE usually has at most: 1 MiB in receive buffers of
	// 64 KiB, and the ends.
	segmentsMin = 18
	// segmentsMax is for how many segments a scratch keeps room: as many as one pwritev(2)
	// takes. So a peer that sends its data in small pieces does not make the scratch grow for
	// good.
	segmentsMax = 1024
)

// release forgets the received memory that a WRITE's segments are views of.
func (w *work) release() {
	clear(w.segments)
	w.write.Src = nil
	if cap(w.segments) > segmentsMax {
		w.segments = make([][]byte, 0, segmentsMin)
	}
}

// check judges the range of the WRITE.
func (a *writeArgs) check() vfs.Status {
	if uint64(a.count) != length(a.data) {
		return vfs.Inval // RFC 1813, section 3.3.7: the two must agree
	}
	if a.count == 0 {
		a.offset = 0 // zero bytes are written nowhere
	}
	if a.offset > math.MaxInt64-uint64(a.count) {
		return vfs.FBig
	}
	return vfs.OK
}

// write is WRITE (RFC 1813, section 3.3.7). The data goes to the file from the memory in which it
// was received. A WRITE of more than the server takes at once is done in part, as the reply's count
// says.
func (s *server) write(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a writeArgs
	a.decode(&c.Args, w.segments[:0])
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w.segments = a.data
	defer w.release()
	var o object.Object
	st := s.openChange(c, a.fh, &o, w)
	if st == vfs.OK {
		st = a.check()
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_WRITE, st, &o, &w.wcc)
	}
	if a.count > s.cfg.WriteMax {
		a.data = shorten(a.data, int(s.cfg.WriteMax))
	}
	w.write = vfs.WriteArgs{Off: a.offset, Src: a.data, How: a.stable}
	n, got, verf, st := o.View.Write(o.Cred(c), o.Handle, &w.write, &w.wcc)
	if st != vfs.OK {
		c.Brief = a.stable == vfs.Unstable // it copies to the page cache
		return finish(c, nfs3.NFSPROC3_WRITE, st, &w.wcc)
	}
	c.Reply.Uint32(uint32(nfs3.NFS3_OK))
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

// shorten drops the bytes behind the first n.
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
