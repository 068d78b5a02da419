package posixfs

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

// A listing with handles asks the kernel about every name once, for the attributes,
// and would have to ask three times more for the handle. But a handle, unlike
// attributes, never changes, so it is kept: not for a name, but for the object that
// statx has just found under it. What tells objects apart there is the ObjectKey,
// the inode's number and birth time, and that it does is what must be sure, for
// nothing keeps the inode alive, and its number may be given to a new file at once.
//
// Birth times come from the kernel's clock, which moves in ticks of 1 to 10 ms. An
// object whose birth is more than bornGrain before the moment at which it was seen
// therefore differs from each one that gets its number later: that one is born
// after the moment. Only objects of that age are kept, only of file systems that
// store birth times as the kernel gives them, and all are forgotten when the clock
// is set back. ctime is compared too, since an ioctl can change the generation of a
// living inode, which is a part of its handle.

// bornGrain is how old an object must be for its key to be its own: a few ticks,
// and what handles.ready tolerates.
const bornGrain = 50 * time.Millisecond

// clockSlack is how far the clock may be behind where it has been in relation to
// the time since the start: reading both takes time.
const clockSlack = 20 * time.Millisecond

// knownSets and knownWays are how many handles an FS remembers: 7 MiB of memory once
// that many files have been listed.
const (
	knownSets = 1 << 14
	knownWays = 4
)

// known is the handle of an object as long as it has this ctime. It is immutable.
type known struct {
	key   kernel.ObjectKey
	ctime unix.StatxTimestamp
	h     vfs.Handle
}

// handles remembers handles by object. It takes no lock but to forget everything.
type handles struct {
	began time.Time // immutable

	slots atomic.Pointer[recall.Shared[known]]
	ahead atomic.Int64 // how far the clock was before the time since began, in ns

	mu sync.Mutex // replacing slots
}

// knowledge is what an operation may use and add to. It is of the moment at which
// handles.ready returned it, and for what is seen after that.
type knowledge struct {
	slots  *recall.Shared[known]
	before unix.StatxTimestamp // who was born before has a key of its own
}

// ready begins an operation. It allocates the first time and when the clock has
// been set back.
func (m *handles) ready(k *knowledge) {
	now := time.Now()
	m.check(now.UnixNano() - int64(now.Sub(m.began)))
	if k.slots = m.slots.Load(); k.slots == nil {
		m.mu.Lock()
		if k.slots = m.slots.Load(); k.slots == nil {
			k.slots = recall.NewShared[known](knownSets, knownWays)
			m.slots.Store(k.slots)
		}
		m.mu.Unlock()
	}
	now = now.Add(-bornGrain)
	k.before = unix.StatxTimestamp{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}
}

// check forgets everything when the clock has been set back. What operations that
// have begun before still add is lost with it.
func (m *handles) check(ahead int64) {
	most := m.ahead.Load()
	if ahead > most {
		m.ahead.CompareAndSwap(most, ahead)
		return
	}
	if most-ahead < int64(clockSlack) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots.Store(nil)
	m.ahead.CompareAndSwap(most, ahead)
}

// find returns the handle of the object with this key and the attributes st, nil
// when it is not known.
func (k *knowledge) find(key *kernel.ObjectKey, st *unix.Statx_t) *vfs.Handle {
	set := k.slots.Set(key.Hash())
	for i := range set {
		if x := set[i].Load(); x != nil && x.key == *key && x.ctime == st.Ctime {
			return &x.h
		}
	}
	return nil
}

// add remembers the handle of an object that has the attributes st. The object has
// a key of its own.
func (k *knowledge) add(key *kernel.ObjectKey, st *unix.Statx_t, h *vfs.Handle) {
	x := &known{key: *key, ctime: st.Ctime, h: *h}
	k.slots.Put(key.Hash(), x, func(old *known) bool { return old.key == x.key })
}

// own reports whether the object with the attributes st has a key of its own.
func (k *knowledge) own(st *unix.Statx_t) bool {
	return st.Mask&unix.STATX_BTIME != 0 && later(&k.before, &st.Btime)
}

// keepsBirth reports whether a file system keeps birth times as fine as the kernel
// gives them. ext4 with small inodes has none, and says so for each object.
func keepsBirth(magic int64) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// The kinds of handles that begin with the inode's number (enum fid_type of the kernel).
const (
	fidIno32       = 0x1
	fidIno32Parent = 0x2
	fidIno64       = 0x81 // XFS
	fidIno64Parent = 0x82
)

// numbers reports whether an inode's number stands for one object of the file system
// at a time and is found in handles: not on btrfs, where each subvolume counts for
// itself, nor tmpfs, whose numbers may come round again.
func (fs *FS) numbers() bool {
	return fs.magic == unix.EXT4_SUPER_MAGIC || fs.magic == unix.XFS_SUPER_MAGIC
}

// numberIn returns the inode's number that a handle holds where numbers is true.
func numberIn(h *vfs.Handle) (ino uint64, ok bool) {
	b := h.Bytes()
	if len(b) < kernel.KindBytes+8 {
		return 0, false
	}
	kind, b := binary.LittleEndian.Uint32(b), b[kernel.KindBytes:]
	switch kind {
	case fidIno32, fidIno32Parent:
		return uint64(binary.NativeEndian.Uint32(b)), true
	case fidIno64, fidIno64Parent:
		return binary.NativeEndian.Uint64(b), true
	}
	return 0, false
}
