package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// createTask makes a file and removes it.
type createTask struct {
	g     *stage
	name  string
	there bool
}

func (t *createTask) next(s *slot) {
	if t.there {
		s.begin(nfs3.NFSPROC3_REMOVE)
		where(s, t.g.dir, t.name)
	} else {
		s.begin(nfs3.NFSPROC3_CREATE)
		where(s, t.g.dir, t.name)
		s.u32(0) // UNCHECKED
		sattr(s, 0o644)
	}
	s.end(nil)
}

func (t *createTask) done(*slot, []byte, int) error {
	t.there = !t.there
	return nil
}

// where appends a diropargs3.
func where(s *slot, dir []byte, name string) {
	s.opaque(dir)
	s.u32(uint32(len(name)))
	s.rec = append(s.rec, name...)
	for n := -len(name) & 3; n > 0; n-- {
		s.rec = append(s.rec, 0)
	}
}

// sattr appends a sattr3 with a mode and nothing else.
func sattr(s *slot, mode uint32) {
	s.u32(1)
	s.u32(mode)
	for range 5 { // uid, gid, size, atime, mtime
		s.u32(0)
	}
}

const treeFiles = 8

// treeTask makes, uses and removes a small tree, step by step.
type treeTask struct {
	g     *stage
	name  string
	names [treeFiles]string
	dir   []byte
	files [treeFiles][]byte
	step  int
}

// The steps of a tree, by number.
const (
	treeMkdir  = 0
	treeMake   = 1                      // CREATE, WRITE, COMMIT of each file
	treeList   = treeMake + 3*treeFiles // READDIRPLUS
	treeUse    = treeList + 1           // LOOKUP, READ of each file
	treeRemove = treeUse + 2*treeFiles  // REMOVE of each file
	treeRmdir  = treeRemove + treeFiles // RMDIR
	treeSteps  = treeRmdir + 1          //
)

func newTree(g *stage, name string) *treeTask {
	t := &treeTask{g: g, name: name, dir: make([]byte, 0, 64)}
	for i := range t.names {
		t.names[i] = fmt.Sprintf("file-%d", i)
		t.files[i] = make([]byte, 0, 64)
	}
	return t
}

func (t *treeTask) next(s *slot) {
	size := t.g.workload.Size
	switch step := t.step; {
	case step == treeMkdir:
		s.begin(nfs3.NFSPROC3_MKDIR)
		where(s, t.g.dir, t.name)
		sattr(s, 0o755)
	case step < treeList:
		file := (step - treeMake) / 3
		switch (step - treeMake) % 3 {
		case 0:
			s.begin(nfs3.NFSPROC3_CREATE)
			where(s, t.dir, t.names[file])
			s.u32(0) // UNCHECKED
			sattr(s, 0o644)
		case 1:
			s.begin(nfs3.NFSPROC3_WRITE)
			s.opaque(t.files[file])
			s.u64(0)
			s.u32(uint32(size))
			s.u32(0) // UNSTABLE
			s.u32(uint32(size))
			s.bytes = size
			s.end(t.g.payload[:size])
			return
		default:
			s.begin(nfs3.NFSPROC3_COMMIT)
			s.opaque(t.files[file])
			s.u64(0)
			s.u32(0)
		}
	case step == treeList:
		s.begin(nfs3.NFSPROC3_READDIRPLUS)
		s.opaque(t.dir)
		s.u64(0)
		s.u64(0)
		s.u32(listNames)
		s.u32(listMax)
	case step < treeRemove:
		file := (step - treeUse) / 2
		if (step-treeUse)%2 == 0 {
			s.begin(nfs3.NFSPROC3_LOOKUP)
			where(s, t.dir, t.names[file])
		} else {
			s.begin(nfs3.NFSPROC3_READ)
			s.opaque(t.files[file])
			s.u64(0)
			s.u32(uint32(size))
			s.bytes = size
		}
	case step < treeRmdir:
		s.begin(nfs3.NFSPROC3_REMOVE)
		where(s, t.dir, t.names[step-treeRemove])
	default:
		s.begin(nfs3.NFSPROC3_RMDIR)
		where(s, t.g.dir, t.name)
	}
	s.end(nil)
}

func (t *treeTask) done(s *slot, res []byte, total int) (err error) {
	switch step := t.step; {
	case step == treeMkdir:
		t.dir, err = madeHandle(res, t.dir)
	case s.proc == nfs3.NFSPROC3_CREATE:
		file := (step - treeMake) / 3
		t.files[file], err = madeHandle(res, t.files[file])
	case s.proc == nfs3.NFSPROC3_READ:
		var data []byte
		size := t.g.workload.Size
		if data, s.bytes, err = readResult(res, total, size); err == nil && t.g.verify &&
			string(data) != string(t.g.payload[:len(data)]) {
			err = errors.New("a small file does not hold what was written")
		}
	}
	if t.step++; t.step == treeSteps {
		t.step = 0
	}
	return err
}

// madeHandle takes the handle out of the results of CREATE or MKDIR, into fh.
func madeHandle(res, fh []byte) ([]byte, error) {
	if len(res) < 12 {
		return fh, client.ErrShortReply
	}
	if binary.BigEndian.Uint32(res[4:]) == 0 {
		return fh, errors.New("the server returned no handle")
	}
	n := int(binary.BigEndian.Uint32(res[8:]))
	if n > 64 || len(res) < 12+n {
		return fh, client.ErrShortReply
	}
	return append(fh[:0], res[12:12+n]...), nil
}
