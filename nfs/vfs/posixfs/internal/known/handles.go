package known

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// grain is how old an object must be for its key to be its own: a few ticks, and the step back of
// the clock that Handles.check tolerates.
const grain = 50 * time.Millisecond

// clockSlack is how far the wall clock may fall behind its greatest lead over the time since the
// start. Reading both clocks takes time.
const clockSlack = 20 * time.Millisecond

// sets times ways is how many handles an FS remembers: 7 MiB of memory once that many files have
// been listed.
const (
	sets = 1 << 14
	ways = 4
)

// handle is the handle of an object for as long as the object has this ctime. It is immutable.
type handle struct {
	key   kernel.ObjectKey
	ctime unix.StatxTimestamp
	h     vfs.Handle
}

// Handles remembers handles by object. Any goroutine may call its methods, except Init.
type Handles struct {
	began time.Time // immutable

	slots atomic.Pointer[recall.Shared[handle]]
	ahead atomic.Int64 // wall clock minus time since began, at their greatest difference, in ns

	mu futex.Mutex // guards replacing slots
}

// Moment is the view of one operation on Handles. It is valid for objects that the operation sees
// after [Handles.Begin] has filled it.
type Moment struct {
	slots  *recall.Shared[handle]
	before unix.StatxTimestamp // an object that was born before has a key of its own
}

// Init prepares Handles. It must be called once, before all other methods.
func (m *Handles) Init() { m.began = time.Now() }

// Begin begins an operation, which ends with [Moment.End]. It allocates the first time, and after
// somebody has set the clock back.
func (m *Handles) Begin(k *Moment) {
	now := time.Now()
	m.begin(k, now, now.Sub(m.began))
}

// begin is Begin for the wall clock now, at the time since after the start.
func (m *Handles) begin(k *Moment, now time.Time, since time.Duration) {
	m.check(now.UnixNano() - int64(since))
	if k.slots = m.slots.Load(); k.slots == nil {
		m.mu.Lock()
		if k.slots = m.slots.Load(); k.slots == nil {
			k.slots = recall.NewShared[handle](sets, ways)
			m.slots.Store(k.slots)
		}
		m.mu.Unlock()
	}
	now = now.Add(-grain)
	k.before = unix.StatxTimestamp{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}
}

// check forgets everything if somebody has set the clock back. Handles that operations which have
// already begun still add are lost, too.
func (m *Handles) check(ahead int64) {
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

// End ends the operation. The Moment may be used for another one.
func (k *Moment) End() { k.slots = nil }

// Find returns the handle of the object with this key and the attributes st, nil if it is not
// known. Nobody may change the handle.
func (k *Moment) Find(key *kernel.ObjectKey, st *unix.Statx_t) *vfs.Handle {
	set := k.slots.Set(key.Hash())
	for i := range set {
		if x := set[i].Load(); x != nil && x.key == *key && x.ctime == st.Ctime {
			return &x.h
		}
	}
	return nil
}

// Add remembers the handle of an object that has the attributes st. The object must have a key of
// its own (see Own). Add allocates.
func (k *Moment) Add(key *kernel.ObjectKey, st *unix.Statx_t, h *vfs.Handle) {
	x := &handle{key: *key, ctime: st.Ctime, h: *h}
	k.slots.Put(key.Hash(), x, func(old *handle) bool { return old.key == x.key })
}

// Own reports whether the object with the attributes st has a key of its own.
func (k *Moment) Own(st *unix.Statx_t) bool {
	return st.Mask&unix.STATX_BTIME != 0 && kernel.Later(&k.before, &st.Btime)
}
