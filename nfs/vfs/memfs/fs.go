package memfs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Limits that are the same for every tree.
const (
	nameMax     = 255
	targetMax   = 4095
	linkMax     = 65000     // ext4's
	fileSizeMax = 1<<63 - 1 // loff_t
	linksMax    = 40        // symbolic links in one path, as in Linux
)

// Config says how large a tree may become. The zero value is ready for use.
type Config struct {
	// BytesMax is the budget for contents, names and inodes. 0 means 1 GiB.
	BytesMax uint64
	// FilesMax is how many objects there may be. 0 means 2^21.
	FilesMax uint64
	// LinkMax is how many names a file may have. 0 means 65,000.
	LinkMax uint32
	// UID, GID and Mode are the root directory's. Mode 0 means 0755.
	UID, GID, Mode uint32
	// Now is the clock. nil means time.Now.
	Now func() time.Time
	// Tick, if not 0, stamps changes with the time of the last tick, as Linux before 6.13 does.
	// There are no change attributes then.
	Tick time.Duration
}

// FS is a tree in memory. It implements vfs.FS.
type FS struct {
	t      *tree
	verf   uint64
	closed atomic.Bool
}

// tree is the part of an FS that survives [FS.Reopen].
type tree struct {
	// immutable
	c        Config
	instance uint64 // in every handle, so that handles of another tree are stale
	root     *inode

	// atomic
	readOnly atomic.Bool

	mu sync.RWMutex // guards all below, and all inodes
	// nodes has every living object by its number.
	nodes   map[uint64]*inode
	inoLast uint64
	used    uint64     // bytes
	clock   vfs.Time   // the last time stamp given out
	keeper  vfs.Keeper // says which files outlive their names; nil if nobody does
}

// Costs in bytes of the budget, without contents.
const (
	nodeCost  = 512
	entryCost = 64 // and the name
)

// New makes an empty tree. It panics if the budget is too small for a root directory.
func New(c Config) *FS {
	if c.BytesMax == 0 {
		c.BytesMax = 1 << 30
	}
	if c.FilesMax == 0 {
		c.FilesMax = 1 << 21
	}
	if c.LinkMax == 0 {
		c.LinkMax = linkMax
	}
	if c.Mode == 0 {
		c.Mode = 0o755
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	t := &tree{c: c, instance: random(), nodes: make(map[uint64]*inode), inoLast: 1}
	root, s := t.newInode(vfs.TypeDir, &vfs.Cred{UID: c.UID, GID: c.GID}, c.Mode, nil)
	if s != vfs.OK {
		panic("memfs: no room for the root directory")
	}
	root.parent, root.nlink = root, 2
	t.root = root
	return &FS{t: t, verf: random()}
}

// random returns a number that is not 0.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// Reopen returns the tree as it is after a restart of the server: all objects and handles are the
// same, the write verifier is different. f must not be used any more.
func (f *FS) Reopen() *FS {
	f.closed.Store(true)
	f.t.letGo()
	return &FS{t: f.t, verf: random()}
}

// SetReadOnly makes every change fail with ROFS from now on, or allows changes again.
func (f *FS) SetReadOnly(on bool) { f.t.readOnly.Store(on) }

// Identity implements vfs.FS. It is a random number of the tree's own, so handles are good until
// the process ends.
func (f *FS) Identity() (id vfs.Identity) {
	copy(id[:], "memfs")
	binary.BigEndian.PutUint64(id[len(id)-8:], f.t.instance)
	return id
}

// Root implements vfs.FS.
func (f *FS) Root() vfs.Handle { return f.t.handle(f.t.root) }

// Limits implements vfs.FS.
func (f *FS) Limits() vfs.Limits {
	return vfs.Limits{
		NameMax: nameMax, LinkMax: f.t.c.LinkMax, FileSizeMax: fileSizeMax,
		TimeDelta: vfs.Time{Nsec: 1},
		HardLinks: true, SymbolicLinks: true, CasePreserving: true,
		ChownRestricted: true, NoTrunc: true, Homogeneous: true, CanSetTime: true,
		Xattrs: true, CheapSeek: true, CloneBlock: blockLen, CtimeIsChange: f.t.c.Tick == 0,
	}
}

// Verifier implements vfs.FS.
func (f *FS) Verifier() uint64 { return f.verf }

// View implements vfs.FS. The View may be used on any thread.
func (f *FS) View(*vfs.Thread) (vfs.View, error) {
	if f.closed.Load() {
		return nil, errors.New("memfs: the tree is closed")
	}
	v := &view{f: f, t: f.t}
	v.able = vfs.Abilities{Hold: (*holder)(f.t), Ranges: v, Copy: v, Xattrs: v}
	return v, nil
}

// Close implements vfs.FS.
func (f *FS) Close() error {
	f.closed.Store(true)
	return nil
}

// view is an FS seen from one thread: it has scratch space of its own.
type view struct {
	f     *FS
	t     *tree
	batch []vfs.DirEntry
	names []byte
	asked *inode // the file that asker wants, while its name goes
	asker vfs.Keeper
	able  vfs.Abilities
}

func (v *view) Close() {}

// Abilities implements vfs.View: a tree in memory has no pages to splice, no lists, and no locks
// to show.
func (v *view) Abilities() *vfs.Abilities { return &v.able }

// handleLen is the length of all handles: tree and inode number.
const handleLen = 16

func (t *tree) handle(n *inode) vfs.Handle {
	var b [handleLen]byte
	binary.BigEndian.PutUint64(b[:], t.instance)
	binary.BigEndian.PutUint64(b[8:], n.ino)
	h, _ := vfs.MakeHandle(b[:]) // short enough
	return h
}

// get finds a handle's object. Inode numbers are never used again, so the handle of a removed
// object stays stale. t.mu is held.
func (t *tree) get(h *vfs.Handle) (*inode, vfs.Status) {
	b := h.Bytes()
	if len(b) != handleLen {
		return nil, vfs.BadHandle
	}
	n := t.nodes[binary.BigEndian.Uint64(b[8:])]
	if n == nil || binary.BigEndian.Uint64(b) != t.instance {
		return nil, vfs.Stale
	}
	return n, vfs.OK
}

// getDir is get for directories.
func (t *tree) getDir(h *vfs.Handle) (*inode, vfs.Status) {
	n, s := t.get(h)
	if s == vfs.OK && n.typ != vfs.TypeDir {
		return n, vfs.NotDir
	}
	return n, s
}

// now returns a time stamp later than all earlier ones. t.mu is held.
func (t *tree) now() vfs.Time {
	w := t.c.Now()
	if t.c.Tick > 0 {
		w = w.Truncate(t.c.Tick)
		return vfs.Time{Sec: w.Unix(), Nsec: uint32(w.Nanosecond())}
	}
	now := vfs.Time{Sec: w.Unix(), Nsec: uint32(w.Nanosecond())}
	if last := t.clock; now.Sec < last.Sec || now.Sec == last.Sec && now.Nsec <= last.Nsec {
		now = vfs.Time{Sec: last.Sec, Nsec: last.Nsec + 1}
		if now.Nsec == 1e9 {
			now = vfs.Time{Sec: last.Sec + 1}
		}
	}
	t.clock = now
	return now
}

// charge takes n bytes from the budget and reports whether there were so many. t.mu is held.
func (t *tree) charge(n uint64) bool {
	if n > t.c.BytesMax-t.used {
		return false
	}
	t.used += n
	return true
}

// refund gives n bytes back to the budget. t.mu is held.
func (t *tree) refund(n uint64) { t.used -= n }
