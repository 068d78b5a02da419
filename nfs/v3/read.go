package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// readHeader is the length of what comes before the data in READ3res: status, attributes, count,
// eof and the data's length.
const readHeader = 4 + postOpAttrLen + 4 + 4 + 4

// read is READ (RFC 1813, section 3.3.6). It reads the file to the place that the data has in the
// reply. It writes the header before that afterwards, when it knows how many bytes there are.
func (s *server) read(c *rpc.Call) rpc.Outcome {
	var a readArgs
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	if st := s.open(c, a.fh, &o, w); st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_READ, st, &o, &w.attr)
	}
	count := int(min(a.count, s.cfg.ReadMax))
	if c.Datagram {
		count = max(min(count, (c.Reply.Free()-readHeader-3)&^3), 0)
	}
	if c.Pipes != nil {
		if out, done := s.splice(c, w, &o, &a, count); done {
			return out
		}
	}
	count, ok := c.RoomForData(readHeader, count)
	if !ok {
		return rpc.Grow
	}
	e := &c.Reply
	start := e.Len()
	e.Reserve(readHeader)
	data := e.Reserve(count)
	w.read = vfs.ReadArgs{Off: a.offset, Dst: data}
	n, eof, st := o.View.Read(o.Cred(c), o.Handle, &w.read, &w.attr)
	e.Truncate(start)
	if st == vfs.OK && uint(n) > uint(len(data)) {
		st = vfs.ServerFault // the bytes behind it are another reply's
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_READ, st, &o, &w.attr)
	}
	if count == 0 && w.attr.Filled() {
		eof = a.offset >= w.attr.Size // nothing was read that could tell
	}
	e.Uint32(uint32(nfs3.NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint32(uint32(n))
	e.Bool(eof)
	e.Uint32(uint32(n))
	at := e.Len() - start
	if dst := e.Reserve(n); at != readHeader {
		copy(dst, data) // there are no attributes, so the data moves up
	}
	e.Pad(n)
	return rpc.Done
}

// splice answers READ with the file's pages in a pipe, if the transport lends a pipe for that many
// bytes and the back end can splice. done is false when the data has to go through memory.
func (s *server) splice(
	c *rpc.Call,
	w *work,
	o *object.Object,
	a *readArgs,
	count int,
) (out rpc.Outcome, done bool) {
	p := c.Pipes.Pipe(count)
	if p == nil {
		return 0, false
	}
	v := o.View.Abilities().Splice
	if v == nil {
		return 0, false
	}
	w.splice = vfs.SpliceArgs{Off: a.offset, N: count, To: p}
	n, eof, st := v.Splice(o.Cred(c), o.Handle, &w.splice, &w.attr)
	switch st {
	case vfs.OK:
	case vfs.NotSupp:
		return 0, false
	default:
		return failAttr(c, nfs3.NFSPROC3_READ, st, o, &w.attr), true
	}
	e := &c.Reply
	e.Uint32(uint32(nfs3.NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint32(uint32(n))
	e.Bool(eof)
	e.Uint32(uint32(n))
	if n > 0 {
		c.Tail = rpc.TailOf(p, n)
	}
	return rpc.Done, true
}
