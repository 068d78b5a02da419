package v4

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// write is WRITE (RFC 8881, section 18.32).
func (k *compound) write() nfs4.Nfsstat4 {
	c, w := k.c, k.w
	id := decodeStateid(&c.Args)
	off, how := c.Args.Uint64(), c.Args.Uint32()
	w.segments = c.Args.OpaqueSegments(math.MaxUint32, w.segments[:0])
	defer func() {
		clear(w.segments) // the data is the record's
		w.write.Src = nil
	}()
	switch {
	case k.bad() || how > uint32(nfs4.FILE_SYNC4):
		return nfs4.NFS4ERR_BADXDR
	case k.current.node != nil:
		return nfs4.NFS4ERR_ISDIR
	}
	o, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if st = k.mayUse(id, files.Write); st != nfs4.NFS4_OK {
		return st
	}
	size := uint64(0)
	for _, b := range w.segments {
		size += uint64(len(b))
	}
	if size > uint64(k.s.cfg.WriteMax) {
		w.segments = cut(w.segments, k.s.cfg.WriteMax)
	}
	w.write = vfs.WriteArgs{Off: off, Src: w.segments, How: vfs.Stability(how)}
	n, got, verf, s := o.View.Write(o.Cred(c), o.Handle, &w.write, &w.wcc)
	if s != vfs.OK {
		return k.dataFailed(&o, s)
	}
	k.learn(&w.wcc.After)
	e := &c.Reply
	e.Uint32(uint32(n))
	e.Uint32(uint32(got))
	e.Uint64(verf)
	return nfs4.NFS4_OK
}

// cut shortens src to n bytes: who sends more than maxwrite gets a short write.
func cut(src [][]byte, n uint32) [][]byte {
	left := int(n)
	for i, b := range src {
		if len(b) >= left {
			src[i] = b[:left]
			clear(src[i+1:])
			return src[:i+1]
		}
		left -= len(b)
	}
	return src
}
