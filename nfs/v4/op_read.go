package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// readHeader is what comes before the data in a READ4resok: eof and the data's length.
const readHeader = 4 + 4

// read is READ (RFC 8881, section 18.22). The file is read to where its data stands in the
// result.
func (k *compound) read() nfs4.Nfsstat4 {
	c, w := k.c, k.w
	id := decodeStateid(&c.Args)
	off, want := c.Args.Uint64(), c.Args.Uint32()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if k.current.node != nil {
		return nfs4.NFS4ERR_ISDIR
	}
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if st = k.mayUse(id, files.Read); st != nfs4.NFS4_OK {
		return st
	}
	count := min(int(min(want, k.s.cfg.ReadMax)), (k.left()-readHeader)&^3)
	if count < 0 || count == 0 && want > 0 {
		return k.tooBig()
	}
	if c.Pipes != nil && k.next == k.count-1 {
		if st, done := k.spliced(&o, off, count); done {
			return st
		}
	}
	count, ok := c.RoomForData(readHeader, count)
	if !ok {
		return stGrow
	}
	e := &c.Reply
	at := e.Len()
	e.Reserve(readHeader)
	data := e.Reserve(count)
	w.read = vfs.ReadArgs{Off: off, Dst: data}
	n, eof, s := o.View.Read(o.Cred(c), o.Handle, &w.read, &w.attr)
	switch {
	case s != vfs.OK:
		return k.dataFailed(&o, s)
	case uint(n) > uint(len(data)):
		return nfs4.NFS4ERR_SERVERFAULT // what is behind data is another reply's
	case count == 0 && w.attr.Filled():
		eof = off >= w.attr.Size // nothing was read that could tell
	}
	k.learn(&w.attr)
	e.Truncate(at)
	e.Bool(eof)
	e.Uint32(uint32(n))
	e.Reserve(n)
	e.Pad(n)
	return nfs4.NFS4_OK
}

// spliced answers READ with the file's pages in a pipe, where the transport lends one for that
// many bytes and the back end can. Nothing may follow in the reply, so it is for the last
// operation. Done is false when the data has to go through memory.
func (k *compound) spliced(o *object.Object, off uint64, count int) (st nfs4.Nfsstat4, done bool) {
	v := o.View.Abilities().Splice
	if v == nil {
		return 0, false
	}
	p := k.c.Pipes.Pipe(count)
	if p == nil {
		return 0, false
	}
	w := k.w
	w.splice = vfs.SpliceArgs{Off: off, N: count, To: p}
	n, eof, s := v.Splice(o.Cred(k.c), o.Handle, &w.splice, &w.attr)
	switch s {
	case vfs.OK:
	case vfs.NotSupp:
		return 0, false
	default:
		return k.dataFailed(o, s), true
	}
	e := &k.c.Reply
	e.Bool(eof)
	e.Uint32(uint32(n))
	if n > 0 {
		k.c.Tail = rpc.TailOf(p, n)
	}
	return nfs4.NFS4_OK, true
}
