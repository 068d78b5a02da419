package load

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// treeTask4 is treeTask by version 4: files are opened to be written and to be read.
type treeTask4 struct {
	g     *stage
	o     *opener
	name  string
	names [treeFiles]string
	dir   []byte
	step  int
}

// The steps of a tree of version 4, by number.
const (
	tree4Mkdir  = 0
	tree4Make   = 1                       // OPEN, WRITE, COMMIT, CLOSE of each file
	tree4List   = tree4Make + 4*treeFiles // READDIR
	tree4Use    = tree4List + 1           // OPEN, READ, CLOSE of each file
	tree4Remove = tree4Use + 3*treeFiles  // REMOVE of each file
	tree4Rmdir  = tree4Remove + treeFiles // REMOVE
	tree4Steps  = tree4Rmdir + 1          //
)

func newTree4(g *stage, o *opener, name string) *treeTask4 {
	t := &treeTask4{g: g, o: o, name: name, dir: make([]byte, 0, nfs4.NFS4_FHSIZE)}
	for i := range t.names {
		t.names[i] = fmt.Sprintf("file-%d", i)
	}
	return t
}

func (t *treeTask4) next(s *slot) {
	size := t.g.workload.Size
	switch step := t.step; {
	case t.o.pending(s):
	case step == tree4Mkdir:
		makeDirectory(s, t.g.dir, t.name)
	case step < tree4List:
		t.make(s, t.names[(step-tree4Make)/4], (step-tree4Make)%4)
	case step == tree4List:
		list(s, t.dir, page{})
	case step < tree4Remove:
		file := (step - tree4Use) / 3
		switch (step - tree4Use) % 3 {
		case 0:
			t.o.open(s, t.dir, t.names[file], nfs4.OPEN4_SHARE_ACCESS_READ, false)
		case 1:
			readFrom(s, t.o.fh, &t.o.id, 0, size)
		default:
			t.o.close(s)
		}
	case step < tree4Rmdir:
		remove(s, t.dir, t.names[step-tree4Remove])
	default:
		remove(s, t.g.dir, t.name)
	}
}

// make makes one of the calls by which a file comes into being.
func (t *treeTask4) make(s *slot, name string, call int) {
	o := t.o
	switch call {
	case 0:
		o.open(s, t.dir, name, nfs4.OPEN4_SHARE_ACCESS_WRITE, true)
	case 1:
		size := t.g.workload.Size
		s.compoundFor(nfs4.OP_WRITE, false)
		s.at(o.fh)
		s.op(nfs4.OP_WRITE)
		s.stateid(&o.id)
		s.u64(0)
		s.u32(uint32(nfs4.UNSTABLE4))
		s.u32(uint32(size))
		s.bytes = size
		s.split()
		s.getattr(maskAfter)
		s.end(t.g.payload[:size])
	case 2:
		s.compoundFor(nfs4.OP_COMMIT, true)
		s.at(o.fh)
		s.op(nfs4.OP_COMMIT)
		s.u64(0)
		s.u32(0)
		s.end(nil)
	default:
		o.close(s)
	}
}

func (t *treeTask4) done(s *slot, res []byte, total int) error {
	r := results{b: res, good: true}
	switch nfs4.NfsOpnum4(s.proc) {
	case nfs4.OP_OPEN:
		if err := t.o.opened(res); err != nil {
			return err
		}
	case nfs4.OP_OPEN_CONFIRM:
		return t.o.confirmed(res) // it is no step
	case nfs4.OP_CLOSE:
		t.o.closed()
	case nfs4.OP_CREATE:
		r.op(nfs4.OP_PUTFH)
		r.op(nfs4.OP_CREATE)
		r.skip(4 + 8 + 8)                 // change_info4
		r.skip(int(4 * min(r.u32(), 64))) // attributes that were set
		r.op(nfs4.OP_GETFH)
		t.dir = append(t.dir[:0], r.opaque()...)
	case nfs4.OP_READ:
		r.op(nfs4.OP_PUTFH)
		data, n, err := r.read(total, t.g.workload.Size)
		if err != nil {
			return err
		}
		if s.bytes = n; t.g.verify && string(data) != string(t.g.payload[:len(data)]) {
			return errors.New("a small file does not hold what was written")
		}
	default:
	}
	if t.step++; t.step == tree4Steps {
		t.step = 0
	}
	return r.err()
}
