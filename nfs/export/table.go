package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Table is all that a server exports. The package comment says more.
type Table struct {
	// immutable
	noKey   sealKey // for handles of exports that do not exist
	nodes   sealKey // for handles of nodes
	exports []*Export
	byID    map[uint32]*Export

	// Attach and Detach of place i write places[i], on that place's thread, and nobody else
	// does.
	places []attachment
	// atomic
	attached atomic.Int32
}

// attachment is what one place has: its Views, nil when it is not attached, and the handles that it
// remembers, if any.
type attachment struct {
	views []vfs.View
	memo  *memo
}

// NewTable builds the table for a server with the given number of places (threads that run
// procedures). On success the table owns the exports' file systems; on failure they stay the
// caller's. Paths must be absolute and different; exports may lie within each other. Handles are
// good for the Identity that an export's FS has now.
func NewTable(key Key, places int, exports []Export) (*Table, error) {
	t := &Table{
		noKey:  key.seal(0, vfs.Identity{}),
		nodes:  key.seal(nodeID, nodes),
		byID:   make(map[uint32]*Export, len(exports)),
		places: make([]attachment, places),
	}
	for i := range exports {
		x := exports[i]
		path, ok := clean(x.Path)
		if !ok {
			return nil, fmt.Errorf("export: path %q is not an absolute path", x.Path)
		}
		x.Path, x.index = path, i
		if NoFS(x.FS) {
			return nil, fmt.Errorf("export %s: no file system: FS is nil, or a nil pointer", path)
		}
		if err := x.settle(); err != nil {
			return nil, fmt.Errorf("export %s: %w", path, err)
		}
		if x.ID == 0 {
			x.ID = pathID(path)
		}
		if x.ID == nodeID {
			return nil, fmt.Errorf(
				"export %s: its identity %#08x is reserved: give it another ID",
				path,
				x.ID,
			)
		}
		identity := x.FS.Identity()
		if identity == (vfs.Identity{}) {
			return nil, fmt.Errorf(
				"export %s: its file system has no identity, so its handles could be good for another one: Identity must not return the zero value",
				path,
			)
		}
		x.seal = key.seal(x.ID, identity)
		if other := t.byID[x.ID]; other != nil {
			if other.Path == path {
				return nil, fmt.Errorf("export %s: exported twice", path)
			}
			return nil, fmt.Errorf(
				"export %s: its identity %#08x is also that of %s: give one of them another path or an ID of its own",
				path,
				x.ID,
				other.Path,
			)
		}
		for _, other := range t.exports {
			if other.Path == path {
				return nil, fmt.Errorf("export %s: exported twice", path)
			}
		}
		t.byID[x.ID] = &x
		t.exports = append(t.exports, &x)
	}
	return t, nil
}

// pathID derives an export's identity from its path by FNV-1a. This function must never change,
// because handles that clients hold must survive upgrades of the server.
func pathID(path string) uint32 {
	f := fnv.New32a()
	_, _ = f.Write([]byte(path)) // never fails
	if id := f.Sum32(); id != 0 && id != nodeID {
		return id
	}
	return 1
}

// Close closes the file systems. All places must have been detached before; if one has not, Close
// closes nothing.
func (t *Table) Close() error {
	if n := t.attached.Load(); n != 0 {
		return fmt.Errorf("export: table closed with %d places attached", n)
	}
	var errs []error
	for _, x := range t.exports {
		if err := x.FS.Close(); err != nil {
			errs = append(errs, fmt.Errorf("export %s: %w", x.Path, err))
		}
	}
	return errors.Join(errs...)
}

// Exports returns the exports in the order in which they were given. The slice belongs to the
// table; callers must not change it.
func (t *Table) Exports() []*Export { return t.exports }

// Attach makes the Views of all exports for the thread that th describes. It is called on that
// thread, and may block. place must be below NewTable's places, and not attached. When Attach
// fails, nothing stays attached.
func (t *Table) Attach(place int, th *vfs.Thread) error {
	if place < 0 || place >= len(t.places) {
		return fmt.Errorf("export: place %d of %d", place, len(t.places))
	}
	if t.places[place].views != nil {
		return fmt.Errorf("export: place %d is attached already", place)
	}
	views := make([]vfs.View, 0, len(t.exports))
	for _, x := range t.exports {
		v, err := x.FS.View(th)
		if err != nil {
			for _, v := range views {
				v.Close()
			}
			return fmt.Errorf("export %s: %w", x.Path, err)
		}
		views = append(views, v)
	}
	at := attachment{views: views}
	if !th.MayWait {
		at.memo = new(memo)
	}
	t.places[place] = at
	t.attached.Add(1)
	return nil
}

// Detach closes the Views of a place, on the place's thread. It does nothing if the place is not
// attached.
func (t *Table) Detach(place int) {
	views := t.places[place].views
	if views == nil {
		return
	}
	t.places[place] = attachment{}
	for _, v := range views {
		v.Close()
	}
	t.attached.Add(-1)
}

// View returns the attached place's View of x. It is called on the place's thread.
func (t *Table) View(place int, x *Export) vfs.View { return t.places[place].views[x.index] }

// ByPath finds the export that path lies in, the innermost one if several do. rest is the remainder
// below the export, without a leading slash, "" for the export itself. If the table has one export,
// "/" stands for it. ByPath drops empty components and ".", and lets ".." remove the component
// before it. A path that is not absolute, has a NUL, or climbs above "/" is not ok.
func (t *Table) ByPath(path string) (x *Export, rest string, ok bool) {
	path, ok = clean(path)
	if !ok {
		return nil, "", false
	}
	for _, e := range t.exports {
		if below, in := within(e.Path, path); in && (x == nil || len(e.Path) > len(x.Path)) {
			x, rest = e, below
		}
	}
	if x == nil && path == "/" && len(t.exports) == 1 {
		return t.exports[0], "", true
	}
	return x, rest, x != nil
}

// Volume returns the Volume of the export that a handle of this table belongs to, and 0 for bytes
// that cannot be such a handle. It does not verify the handle: a forger learns nothing from it, and
// [Table.Open] refuses forged handles. It does not allocate.
func (t *Table) Volume(fh []byte) int {
	if len(fh) < wireMin || len(fh) > wireFull {
		return 0
	}
	if x := t.byID[binary.BigEndian.Uint32(fh[1:])]; x != nil {
		return x.Volume
	}
	return 0
}

// ObjectOf returns a hash of the object that a handle names, as [Export.ObjectHash] does, and 0 for
// bytes that cannot be a handle. It does not verify the handle.
func ObjectOf(fh []byte) uint64 {
	if len(fh) < wireMin || len(fh) > wireFull {
		return 0
	}
	return objectHash(binary.BigEndian.Uint32(fh[1:]), fh[wireHeader:len(fh)-tagLen])
}

// ObjectHash returns a hash of an object of the export, not 0. Different objects have different
// hashes but for rare accidents.
func (x *Export) ObjectHash(h *vfs.Handle) uint64 { return objectHash(x.ID, h.Bytes()) }

func objectHash(id uint32, b []byte) uint64 {
	return max(1, maphash.Bytes(objectSeed, b)+uint64(id)*0x9e3779b97f4a7c15)
}

// objectSeed is new in each process, so that nobody can choose objects whose hashes are the same.
var objectSeed = maphash.MakeSeed()

// within reports whether the clean path lies in the clean path dir, and returns the rest of path
// below dir.
func within(dir, path string) (rest string, ok bool) {
	if dir == "/" {
		return path[1:], true
	}
	rest, ok = strings.CutPrefix(path, dir)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// clean returns the shortest equivalent of the absolute path, from its text alone. Unlike
// path.Clean it refuses to climb above the root.
func clean(path string) (string, bool) {
	if !strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", false
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	return "/" + strings.Join(parts, "/"), true
}
