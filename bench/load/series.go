package load

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// series is the directory in which the counted kinds of workloads work, and what is there.
type series struct {
	dir                []byte
	files, directories []string // in the order in which they got their names
	number             int      // of the last name that was made
	// next are the names that the calls of a run take in turn, and to the new ones of RENAME.
	next, to []string
}

// ready gets the names for n calls of a kind, and says why there are not so many.
func (x *series) ready(kind string, n int) error {
	there := &x.files
	if kind == "mkdir" || kind == "rmdir" {
		there = &x.directories
	}
	x.next, x.to = nil, nil
	switch kind {
	case "make", "mkdir":
		for range n {
			x.number++
			x.next = append(x.next, fmt.Sprintf("%s-%08d", kind, x.number))
		}
		*there = append(*there, x.next...)
	case "rename", "remove", "rmdir":
		if len(*there) < n {
			return fmt.Errorf("%d calls of %s are wanted, and there are %d names: "+
				"make more of them first", n, kind, len(*there))
		}
		x.next, *there = (*there)[:n:n], (*there)[n:]
		if kind == "rename" {
			for _, name := range x.next {
				x.to = append(x.to, "new-"+name)
			}
			*there = append(*there, x.to...)
		}
	}
	return nil
}

// take returns the next name, and what it is to become.
func (x *series) take() (name, to string) {
	name, x.next = x.next[0], x.next[1:]
	if len(x.to) > 0 {
		to, x.to = x.to[0], x.to[1:]
	}
	return name, to
}

// seriesTask makes, renames or removes the next name.
type seriesTask struct {
	kind string
	*series
}

func (t *seriesTask) next(s *slot) {
	name, to := t.take()
	switch t.kind {
	case "make":
		s.begin(nfs3.NFSPROC3_CREATE)
		where(s, t.dir, name)
		s.u32(0) // UNCHECKED
		sattr(s, 0o644)
	case "rename":
		s.begin(nfs3.NFSPROC3_RENAME)
		where(s, t.dir, name)
		where(s, t.dir, to)
	case "remove":
		s.begin(nfs3.NFSPROC3_REMOVE)
		where(s, t.dir, name)
	case "mkdir":
		s.begin(nfs3.NFSPROC3_MKDIR)
		where(s, t.dir, name)
		sattr(s, 0o755)
	case "rmdir":
		s.begin(nfs3.NFSPROC3_RMDIR)
		where(s, t.dir, name)
	}
	s.end(nil)
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
