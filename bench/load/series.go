package load

import (
	"fmt"
	"strconv"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// series is the directory in which the counted kinds of workloads work, and how far they are there.
// Names are a letter and a number: f of files as they were made, g when they have been renamed, d
// of directories. Each number is used once.
type series struct {
	dir                             []byte
	made, renamed, removed          int // files, by number
	directories, directoriesRemoved int
}

// has says why n calls of a kind cannot be made.
func (x *series) has(kind string, n int) error {
	there := n
	switch kind {
	case "rename":
		there = x.made - max(x.renamed, x.removed)
	case "remove":
		there = x.made - x.removed
	case "rmdir":
		there = x.directories - x.directoriesRemoved
	}
	if there < n {
		return fmt.Errorf("%d calls of %s are wanted, and there are %d names: make more of them first", n, kind, there)
	}
	return nil
}

// seriesTask makes, renames or removes the next name.
type seriesTask struct {
	kind string
	*series
}

func (t *seriesTask) next(s *slot) {
	switch t.kind {
	case "make":
		s.begin(nfs3.NFSPROC3_CREATE)
		t.name(s, 'f', t.made)
		t.made++
		s.u32(0) // UNCHECKED
		sattr(s, 0o644)
	case "rename":
		s.begin(nfs3.NFSPROC3_RENAME)
		t.name(s, 'f', t.renamed)
		t.name(s, 'g', t.renamed)
		t.renamed++
	case "remove":
		s.begin(nfs3.NFSPROC3_REMOVE)
		letter := byte('f')
		if t.removed < t.renamed {
			letter = 'g'
		}
		t.name(s, letter, t.removed)
		t.removed++
	case "mkdir":
		s.begin(nfs3.NFSPROC3_MKDIR)
		t.name(s, 'd', t.directories)
		t.directories++
		sattr(s, 0o755)
	case "rmdir":
		s.begin(nfs3.NFSPROC3_RMDIR)
		t.name(s, 'd', t.directoriesRemoved)
		t.directoriesRemoved++
	}
	s.end(nil)
}

// numberFirst makes all numbers equally long.
const numberFirst = 10_000_000

// name appends a diropargs3.
func (t *seriesTask) name(s *slot, letter byte, number int) {
	s.opaque(t.dir)
	s.u32(9)
	s.rec = append(s.rec, letter)
	s.rec = strconv.AppendInt(s.rec, int64(numberFirst+number), 10)
	s.rec = append(s.rec, 0, 0, 0)
}

func (t *seriesTask) done(*slot, []byte, int) error { return nil }

// modeTask sets the mode of one file, another one each time.
type modeTask struct {
	g  *stage
	at uint32
}

func (t *modeTask) next(s *slot) {
	t.at++
	s.begin(nfs3.NFSPROC3_SETATTR)
	s.opaque(t.g.names[0].fh)
	sattr(s, 0o600|t.at&1<<2)
	s.u32(0) // no guard
	s.end(nil)
}

func (t *modeTask) done(*slot, []byte, int) error { return nil }
