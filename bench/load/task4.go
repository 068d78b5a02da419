package load

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// used4 are the operations that compounds of tasks are named for.
var used4 = []uint32{
	nfs4.NFSPROC4_NULL, uint32(nfs4.OP_GETATTR), uint32(nfs4.OP_LOOKUP), uint32(nfs4.OP_ACCESS),
	uint32(nfs4.OP_READ), uint32(nfs4.OP_WRITE), uint32(nfs4.OP_COMMIT), uint32(nfs4.OP_READDIR),
	uint32(nfs4.OP_OPEN), uint32(nfs4.OP_OPEN_CONFIRM), uint32(nfs4.OP_CLOSE), uint32(nfs4.OP_LOCK),
	uint32(nfs4.OP_LOCKU), uint32(nfs4.OP_CREATE), uint32(nfs4.OP_REMOVE),
}

// newTask4 is newTask for version 4. The compounds are those that a Linux client sends for the same
// purpose.
func (g *stage) newTask4(c *conn, slot int) task {
	seed := uint64(c.index)<<16 + uint64(slot)
	name := fmt.Sprintf("%s-%d-%d", g.scratch, c.index, slot)
	attr := func(kind string) *nameTask4 { return &nameTask4{nameTask{g: g, kind: kind, at: int(seed)}} }
	switch g.workload.Kind {
	case "getattr", "lookup", "access":
		return attr(g.workload.Kind)
	case "read", "write":
		return g.newData4(c, slot, g.workload.Kind == "write")
	case "readdirplus":
		return &listTask4{listTask{g: g, at: int(seed)}}
	case "open":
		return &openTask{g: g, o: c.party.newOpener(), at: int(seed)}
	case "lock":
		return &lockTask{h: c.party.locks[c.slots[slot].compound.slot]}
	case "create":
		return &createTask4{g: g, o: c.party.newOpener(), name: name}
	case "setattr":
		return &modeTask4{modeTask{g: g}}
	case "make", "rename", "remove", "mkdir", "rmdir":
		return &seriesTask4{seriesTask{kind: g.workload.Kind, series: g.series}, c.party.newOpener()}
	case "tree":
		return newTree4(g, c.party.newOpener(), name)
	case "mixed":
		return &mixedTask{
			rnd: random(seed), attr: attr("getattr"), find: attr("lookup"), right: attr("access"),
			list: &listTask4{listTask{g: g, at: int(seed)}},
			read: g.newData4(c, slot, false), write: g.newData4(c, slot, true),
		}
	}
	panic("load: a workload without a task: " + g.workload.Kind)
}

// nameTask4 is nameTask by version 4.
type nameTask4 struct{ nameTask }

func (t *nameTask4) next(s *slot) {
	t.at++
	f := &t.g.names[t.at%len(t.g.names)]
	switch t.kind {
	case "getattr":
		s.compoundFor(nfs4.OP_GETATTR, false)
		s.at(f.fh)
		s.getattr(maskFull)
	case "access":
		s.compoundFor(nfs4.OP_ACCESS, false)
		s.at(f.fh)
		s.op(nfs4.OP_ACCESS)
		s.u32(accessFile)
		s.getattr(maskAfter)
	default:
		s.compoundFor(nfs4.OP_LOOKUP, false)
		s.at(t.g.dir)
		s.op(nfs4.OP_LOOKUP)
		s.text(f.name)
		s.op(nfs4.OP_GETFH)
		s.getattr(maskFull)
	}
	s.end(nil)
}

// accessFile are the rights to a file that Linux asks for: read, modify, extend and execute.
const accessFile = nfs4.ACCESS4_READ | nfs4.ACCESS4_MODIFY | nfs4.ACCESS4_EXTEND | nfs4.ACCESS4_EXECUTE

// dataTask4 is dataTask by version 4, of a file that is open.
type dataTask4 struct {
	*dataTask
	id nfs4.Stateid4
}

func (g *stage) newData4(c *conn, slot int, write bool) *dataTask4 {
	return &dataTask4{g.newData(c, slot, write), c.party.data[c.index%len(g.data)]}
}

func (t *dataTask4) next(s *slot) {
	payload := t.move()
	size := t.g.workload.Size
	if !t.write {
		readFrom(s, t.f.fh, &t.id, uint64(t.off), size)
		return
	}
	s.compoundFor(nfs4.OP_WRITE, false)
	s.at(t.f.fh)
	s.op(nfs4.OP_WRITE)
	s.stateid(&t.id)
	s.u64(uint64(t.off))
	s.u32(t.g.stable)
	s.u32(uint32(size))
	s.bytes = size
	s.split()
	s.getattr(maskAfter)
	s.end(payload)
}

// readFrom is READ.
func readFrom(s *slot, fh []byte, id *nfs4.Stateid4, off uint64, size int) {
	s.compoundFor(nfs4.OP_READ, false)
	s.at(fh)
	s.op(nfs4.OP_READ)
	s.stateid(id)
	s.u64(off)
	s.u32(uint32(size))
	s.bytes = size
	s.end(nil)
}

func (t *dataTask4) done(s *slot, res []byte, total int) error {
	r := results{b: res, good: true}
	r.op(nfs4.OP_PUTFH)
	if t.write {
		r.op(nfs4.OP_WRITE)
		n := r.u32()
		if err := r.err(); err != nil {
			return err
		}
		return t.wrote(n)
	}
	data, n, err := r.read(total, t.g.workload.Size)
	if err != nil {
		return err
	}
	s.bytes = n
	return t.got(data)
}

// read takes the result of a READ of size bytes before the file's end, the last one of total bytes
// of results. It returns how many bytes were read, at least one, and as many of them as are there.
func (r *results) read(total, size int) (data []byte, n int, err error) {
	r.op(nfs4.OP_READ)
	r.u32() // eof
	n = int(r.u32())
	switch {
	case !r.good:
		return nil, 0, r.err()
	case n == 0 || n > size:
		return nil, 0, fmt.Errorf("%d bytes were read instead of %d", n, size)
	case total < r.at+n:
		return nil, 0, fmt.Errorf("the reply holds %d bytes of data instead of %d", total-r.at, n)
	}
	return r.b[r.at:min(len(r.b), r.at+n)], n, nil
}

// listTask4 is listTask by version 4: READDIR with the attributes that a listing of READDIRPLUS
// has.
type listTask4 struct{ listTask }

func (t *listTask4) next(s *slot) {
	t.at++
	p := t.g.pages[t.at%len(t.g.pages)]
	list(s, t.g.list, p)
}

// list is READDIR.
func list(s *slot, dir []byte, p page) {
	s.compoundFor(nfs4.OP_READDIR, false)
	s.at(dir)
	s.op(nfs4.OP_READDIR)
	s.u64(p.cookie)
	s.u64(p.verf)
	s.u32(listNames)
	s.u32(listMax)
	s.u32(2)
	s.u32(maskFull[0] | 1<<nfs4.FATTR4_RDATTR_ERROR | 1<<nfs4.FATTR4_FILEHANDLE)
	s.u32(maskFull[1])
	s.end(nil)
}
