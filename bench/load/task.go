package load

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// stage is what the tasks of a run share. It is immutable while the run lasts, except the marks of
// written blocks.
type stage struct {
	version  Version
	workload Workload
	verify   bool
	stable   uint32 // stable_how of WRITE
	dir      []byte // the session's directory
	scratch  string // prefix of names that this run makes in it
	data     []*dataFile
	names    []nameFile
	list     []byte // directory for READDIRPLUS
	pages    []page
	payload  []byte // the data of WRITEs unless it is to be verified
	series   *series
}

type dataFile struct {
	name    string
	fh      []byte
	size    int64
	seed    uint64
	written []atomic.Bool // with verify: blocks that have the pattern of seed+1
}

type nameFile struct {
	name string
	fh   []byte
}

// page is a place in the listed directory.
type page struct{ cookie, verf uint64 }

// newTask makes the task of slot number slot of connection number conn.
func (g *stage) newTask(c *conn, slot int) task {
	if g.version.Major == 4 && g.workload.Kind != "null" {
		return g.newTask4(c, slot)
	}
	seed := uint64(c.index)<<16 + uint64(slot)
	switch g.workload.Kind {
	case "null":
		return nullTask{}
	case "getattr", "lookup", "access":
		return &nameTask{g: g, kind: g.workload.Kind, at: int(seed)}
	case "read", "write":
		return g.newData(c, slot, g.workload.Kind == "write")
	case "readdirplus":
		return &listTask{g: g, at: int(seed)}
	case "create":
		return &createTask{g: g, name: fmt.Sprintf("%s-%d-%d", g.scratch, c.index, slot)}
	case "setattr":
		return &modeTask{g: g}
	case "make", "rename", "remove", "mkdir", "rmdir":
		return &seriesTask{kind: g.workload.Kind, series: g.series}
	case "tree":
		return newTree(g, fmt.Sprintf("%s-%d-%d", g.scratch, c.index, slot))
	case "mixed":
		return &mixedTask{
			rnd:   random(seed),
			attr:  &nameTask{g: g, kind: "getattr", at: int(seed)},
			find:  &nameTask{g: g, kind: "lookup", at: int(seed)},
			right: &nameTask{g: g, kind: "access", at: int(seed)},
			list:  &listTask{g: g, at: int(seed)},
			read:  g.newData(c, slot, false), write: g.newData(c, slot, true),
		}
	}
	panic("load: a workload without a task: " + g.workload.Kind)
}

type nullTask struct{}

func (nullTask) next(s *slot)                  { s.begin(nfs3.NFSPROC3_NULL); s.end(nil) }
func (nullTask) done(*slot, []byte, int) error { return nil }

// nameTask goes round the small files.
type nameTask struct {
	g    *stage
	kind string
	at   int
}

func (t *nameTask) next(s *slot) {
	t.at++
	f := &t.g.names[t.at%len(t.g.names)]
	switch t.kind {
	case "getattr":
		s.begin(nfs3.NFSPROC3_GETATTR)
		s.opaque(f.fh)
	case "access":
		s.begin(nfs3.NFSPROC3_ACCESS)
		s.opaque(f.fh)
		s.u32(0x3f) // all six rights (RFC 1813, section 3.3.4)
	default:
		s.begin(nfs3.NFSPROC3_LOOKUP)
		s.opaque(t.g.dir)
		s.u32(uint32(len(f.name)))
		s.rec = append(s.rec, f.name...)
		for n := -len(f.name) & 3; n > 0; n-- {
			s.rec = append(s.rec, 0)
		}
	}
	s.end(nil)
}

func (t *nameTask) done(*slot, []byte, int) error { return nil }

// dataTask reads or writes blocks of a data file.
type dataTask struct {
	g       *stage
	c       *conn
	f       *dataFile
	rnd     random
	write   bool
	blocks  uint64
	base    uint64 // where a sequential connection begins
	off     int64
	payload []byte // own data, to be verified
}

func (g *stage) newData(c *conn, slot int, write bool) *dataTask {
	f := g.data[c.index%len(g.data)]
	t := &dataTask{g: g, c: c, f: f, write: write, blocks: uint64(f.size) / uint64(g.workload.Size)}
	t.rnd = random(uint64(c.index)<<32 + uint64(slot)<<8)
	// Let connections that share a file begin at different places.
	t.base = uint64(c.index/len(g.data)) * 0x9e3779b9 % t.blocks
	if write && g.verify {
		t.payload = make([]byte, g.workload.Size)
	}
	return t
}

// move goes to the next block, and returns what is to be written there.
func (t *dataTask) move() (payload []byte) {
	var block uint64
	if t.g.workload.Random {
		block = t.rnd.below(t.blocks)
	} else {
		block = (t.base + t.c.seq) % t.blocks
		t.c.seq++
	}
	size := t.g.workload.Size
	t.off = int64(block) * int64(size)
	if t.payload == nil {
		return t.g.payload[:size]
	}
	fill(t.payload, t.f.seed+1, t.off)
	return t.payload
}

func (t *dataTask) next(s *slot) {
	payload := t.move()
	size := t.g.workload.Size
	if !t.write {
		s.begin(nfs3.NFSPROC3_READ)
		s.opaque(t.f.fh)
		s.u64(uint64(t.off))
		s.u32(uint32(size))
		s.bytes = size
		s.end(nil)
		return
	}
	s.begin(nfs3.NFSPROC3_WRITE)
	s.opaque(t.f.fh)
	s.u64(uint64(t.off))
	s.u32(uint32(size))
	s.u32(t.g.stable)
	s.u32(uint32(size))
	s.bytes = size
	s.end(payload)
}

func (t *dataTask) done(s *slot, res []byte, total int) error {
	size := t.g.workload.Size
	if t.write {
		at, ok := skipWcc(res, 4)
		if !ok || len(res) < at+4 {
			return client.ErrShortReply
		}
		return t.wrote(binary.BigEndian.Uint32(res[at:]))
	}
	data, n, err := readResult(res, total, size)
	if err != nil {
		return err
	}
	s.bytes = n // fewer if the server has little memory (RFC 1813, section 3.3.6)
	return t.got(data)
}

// wrote takes note that n bytes of the block were written.
func (t *dataTask) wrote(n uint32) error {
	size := t.g.workload.Size
	if n != uint32(size) {
		return fmt.Errorf("%d bytes were written instead of %d", n, size)
	}
	if t.payload != nil {
		t.f.written[t.off/int64(size)].Store(true)
	}
	return nil
}

// got checks the data of the block, if it is to be verified.
func (t *dataTask) got(data []byte) error {
	if !t.g.verify {
		return nil
	}
	return t.g.checkBlock(t.f, data, t.off)
}

// checkBlock compares a block with what was written there. A block that is overwritten while it is
// read has one pattern or the other.
func (g *stage) checkBlock(f *dataFile, data []byte, off int64) error {
	err := check(data, f.seed, off)
	if err != nil && g.workload.Kind == "mixed" && check(data, f.seed+1, off) == nil {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

// readResult takes apart the results of a READ of size bytes before the file's end. It returns how
// many bytes the READ returned, at least one, and as many of them as res holds.
func readResult(res []byte, total, size int) (data []byte, n int, err error) {
	at, ok := skipAttr(res, 4)
	if !ok || len(res) < at+12 {
		return nil, 0, client.ErrShortReply
	}
	said := binary.BigEndian.Uint32(res[at:])
	if said == 0 || said > uint32(size) {
		return nil, 0, fmt.Errorf("%d bytes were read instead of %d", said, size)
	}
	n = int(said)
	if held := binary.BigEndian.Uint32(res[at+8:]); held != said || total < at+12+n {
		return nil, 0, fmt.Errorf("the reply holds %d bytes of data instead of %d", total-at-12, n)
	}
	return res[at+12 : min(len(res), at+12+n)], n, nil
}

const (
	attrSize = 84     // fattr3
	wccSize  = 8 + 16 // wcc_attr
)

// skipAttr returns the offset behind a post_op_attr at at.
func skipAttr(b []byte, at int) (int, bool) { return skipOptional(b, at, attrSize) }

// skipWcc returns the offset behind a wcc_data at at.
func skipWcc(b []byte, at int) (int, bool) {
	at, ok := skipOptional(b, at, wccSize)
	if !ok {
		return at, false
	}
	return skipOptional(b, at, attrSize)
}

func skipOptional(b []byte, at, size int) (int, bool) {
	if len(b) < at+4 {
		return at, false
	}
	if binary.BigEndian.Uint32(b[at:]) != 0 {
		at += size
	}
	return at + 4, true
}

// listTask reads a directory, page after page.
type listTask struct {
	g  *stage
	at int
}

const (
	listNames = 8 << 10  // dircount: names and cookies
	listMax   = 32 << 10 // maxcount: everything
)

func (t *listTask) next(s *slot) {
	t.at++
	p := t.g.pages[t.at%len(t.g.pages)]
	s.begin(nfs3.NFSPROC3_READDIRPLUS)
	s.opaque(t.g.list)
	s.u64(p.cookie)
	s.u64(p.verf)
	s.u32(listNames)
	s.u32(listMax)
	s.end(nil)
}

func (t *listTask) done(s *slot, _ []byte, total int) error {
	s.bytes = total
	return nil
}

// mixedTask draws one of several tasks for each call.
type mixedTask struct {
	rnd                                  random
	attr, find, right, list, read, write task
	now                                  task
}

func (t *mixedTask) next(s *slot) {
	switch n := t.rnd.below(100); {
	case n < 30:
		t.now = t.read
	case n < 55:
		t.now = t.attr
	case n < 75:
		t.now = t.find
	case n < 85:
		t.now = t.right
	case n < 95:
		t.now = t.write
	default:
		t.now = t.list
	}
	t.now.next(s)
}

func (t *mixedTask) done(s *slot, res []byte, total int) error { return t.now.done(s, res, total) }
