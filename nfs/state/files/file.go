package files

import (
	"hash/maphash"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// File names a file: the number of its export and the back end's handle.
type File struct {
	Export uint32
	Handle vfs.Handle
}

// Share is a set of ways to use a file: OPEN4_SHARE_ACCESS_* and OPEN4_SHARE_DENY_*, which have
// the same bits.
type Share uint8

// The ways.
const (
	Read  Share = 1
	Write Share = 2
	Both  Share = 3
)

// file is a file that somebody has open.
type file struct {
	key File // immutable

	mu futex.Mutex
	// guarded by mu
	dead  bool   // no longer in its shard: look it up again
	pins  uint16 // see Pin
	n     uint32 // opens
	users [2]uint32
	deny  [2]uint32 // how many opens use and deny the file for reading, for writing
	opens *state
	locks *lockTable // nil while nothing is locked and nobody waits

	next *file // guarded by the shard's mu
}

// lockTable is the byte-range locks of a file. The owner of a lock is the place in the index of
// the lock's state.
type lockTable struct {
	ranges.Table
	waiters  []waiter // oldest first
	mirrored bool     // the mirror has been asked, and keeps something for the file
}

// shards is how many parts the table of files has, each with a lock of its own.
const shards = 64

// shard is a hash table of files, chained through them: a map would keep each key twice.
type shard struct {
	mu futex.Mutex
	// guarded by mu
	buckets []*file // as many as a power of two
	n       int
	_       [88]byte // its own cache lines
}

const bucketsMin = 8

func (t *Table) shard(key *File) (*shard, uint64) {
	h := maphash.Comparable(t.seed, *key)
	return &t.files[h%shards], h / shards
}

// lock returns a file with its lock held. If nobody has it open, it is made, or nil is returned.
func (t *Table) lock(key *File, create bool) *file {
	sh, h := t.shard(key)
	for {
		sh.mu.Lock()
		f := sh.find(key, h)
		if f == nil && create {
			f = &file{key: *key}
			sh.add(t, f, h)
		}
		sh.mu.Unlock()
		if f == nil {
			return nil
		}
		f.mu.Lock()
		if !f.dead {
			return f
		}
		f.mu.Unlock()
	}
}

// unlock lets go of a file, and forgets it when nobody has it open.
func (t *Table) unlock(f *file) {
	if f.n == 0 && f.pins == 0 && !f.dead {
		f.dead = true
		sh, h := t.shard(&f.key)
		sh.mu.Lock()
		sh.remove(f, h)
		sh.mu.Unlock()
		t.used.Add(-fileBytes)
		t.known.Add(-1)
	}
	f.mu.Unlock()
}

func (sh *shard) find(key *File, h uint64) *file {
	if len(sh.buckets) == 0 {
		return nil
	}
	f := sh.buckets[h&uint64(len(sh.buckets)-1)]
	for f != nil && f.key != *key {
		f = f.next
	}
	return f
}

func (sh *shard) add(t *Table, f *file, h uint64) {
	if sh.n >= len(sh.buckets) {
		sh.resize(t, max(bucketsMin, 2*len(sh.buckets)))
	}
	b := &sh.buckets[h&uint64(len(sh.buckets)-1)]
	f.next, *b = *b, f
	sh.n++
	t.used.Add(fileBytes)
	t.known.Add(1)
}

func (sh *shard) remove(f *file, h uint64) {
	b := &sh.buckets[h&uint64(len(sh.buckets)-1)]
	for *b != f {
		b = &(*b).next
	}
	*b, f.next = f.next, nil
	sh.n--
}

func (sh *shard) resize(t *Table, n int) {
	old := sh.buckets
	sh.buckets = make([]*file, n)
	for _, f := range old {
		for f != nil {
			next := f.next
			h := maphash.Comparable(t.seed, f.key) / shards
			b := &sh.buckets[h&uint64(n-1)]
			f.next, *b = *b, f
			f = next
		}
	}
}

// count adds n opens with these ways to a file. Needs f.mu.
func (t *Table) count(f *file, access, deny Share, n int) {
	for i := range 2 {
		if access&(1<<i) != 0 {
			f.users[i] += uint32(n)
		}
		if deny&(1<<i) != 0 {
			f.deny[i] += uint32(n)
			t.denials.Add(int64(n))
		}
	}
}

// conflicts reports whether an open with these ways would go against another one than s. Needs
// f.mu.
func (f *file) conflicts(s *state, access, deny Share) bool {
	var users, denials Share // of s
	if s != nil {
		users, denials = s.access(), s.deny
	}
	for i := range 2 {
		bit := Share(1) << i
		if access&bit != 0 && f.deny[i] > uint32(denials&bit>>i) {
			return true
		}
		if deny&bit != 0 && f.users[i] > uint32(users&bit>>i) {
			return true
		}
	}
	return false
}

// against calls yield with the opens other than s that one with these ways goes against, until it
// returns false. Needs f.mu.
func (f *file) against(s *state, access, deny Share, yield func(*state) bool) {
	for o := f.opens; o != nil; o = o.next {
		if o != s && (access&o.deny != 0 || deny&o.access() != 0) && !yield(o) {
			return
		}
	}
}

// Pin makes a file count as open until it is unpinned: who unlinks its last name pins it before
// and sees to it that its object stays. It reports false when nobody has the file open.
func (t *Table) Pin(key *File) bool {
	f := t.lock(key, false)
	if f == nil {
		return false
	}
	ok := f.pins < 1<<16-1
	if ok {
		f.pins++
	}
	t.unlock(f)
	return ok
}

// Unpin ends a pin.
func (t *Table) Unpin(key *File) {
	f := t.lock(key, false)
	if f == nil {
		return
	}
	e := effects{file: f}
	f.pins--
	e.closed = f.n == 0 && f.pins == 0
	t.unlock(f)
	t.after(&e)
}

// HasOpens reports whether anybody has a file open. The answer may be old at once: see Pin.
func (t *Table) HasOpens(key *File) bool {
	f := t.lock(key, false)
	if f == nil {
		return false
	}
	n := f.n
	t.unlock(f)
	return n > 0
}

// effects is what is to be told when no lock is held any more.
type effects struct {
	file           *file
	opened, closed bool
	notify         []Waiter
}

func (t *Table) after(e *effects) {
	if e.opened {
		t.cfg.Opened(&e.file.key)
	}
	if e.closed {
		t.cfg.Closed(&e.file.key)
	}
	if len(e.notify) > 0 {
		t.cfg.Notify(e.notify)
	}
}
