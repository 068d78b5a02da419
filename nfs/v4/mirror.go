package v4

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/state/ranges"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// mirror shows the locks of clients to the programs of the server's machine. It implements
// files.Mirror, whose calls name a file and nothing else: they come from any goroutine, also from
// one that ends a client and has no View. So LOCK and LOCKT open the file's locks before, by the
// View of their place, and they stay open while something is locked.
type mirror struct {
	n  atomic.Int32 // len(files)
	mu futex.Mutex  // taken after the locks of the table of files
	// guarded by mu
	files map[files.File]*mirrored
}

// mirrored is the locks of one file.
type mirrored struct {
	locks vfs.Locks
	// guarded by mirror.mu
	uses   int  // operations in progress
	locked bool // between Raise and Done
}

// begin opens the locks of f, for an operation at a place with the View v that may change or ask
// for them; end follows if it reports true. It reports false if they are not shown. The status is
// then OK, Again or Delay: what else is wrong with f is for others to find.
func (m *mirror) begin(v vfs.View, mayWait bool, f *files.File) (bool, vfs.Status) {
	able := v.Abilities().Locks
	if able == nil {
		return false, vfs.OK
	}
	if x := m.use(f, nil); x != nil {
		if x.locks.Sleeps() && !mayWait {
			m.end(f)
			return false, vfs.Again
		}
		return true, vfs.OK
	}
	l, s := able.OpenLocks(f.Handle)
	if s == vfs.Again || s == vfs.Delay {
		return false, s
	}
	if s == vfs.OK {
		m.use(f, l)
	}
	return s == vfs.OK, vfs.OK
}

// use counts one use more of the locks of f. If there are none, they are fresh, if that is not nil.
func (m *mirror) use(f *files.File, fresh vfs.Locks) *mirrored {
	if fresh == nil && m.n.Load() == 0 {
		return nil
	}
	m.mu.Lock()
	x := m.files[*f]
	switch {
	case x != nil:
	case fresh == nil:
		m.mu.Unlock()
		return nil
	default:
		x = &mirrored{locks: fresh}
		m.files[*f] = x
		m.n.Add(1)
		fresh = nil
	}
	x.uses++
	m.mu.Unlock()
	if fresh != nil { // somebody else was faster
		fresh.Close()
	}
	return x
}

// end ends what begin has begun.
func (m *mirror) end(f *files.File) {
	m.change(f, func(x *mirrored) { x.uses-- })
}

// change changes what the locks of f are used for, and closes them if that is nothing.
func (m *mirror) change(f *files.File, do func(*mirrored)) {
	m.mu.Lock()
	x := m.files[*f]
	if x == nil {
		m.mu.Unlock()
		return
	}
	do(x)
	over := x.uses == 0 && !x.locked
	if over {
		delete(m.files, *f)
		m.n.Add(-1)
	}
	m.mu.Unlock()
	if over {
		x.locks.Close()
	}
}

// find returns the locks of f, nil if they are not open.
func (m *mirror) find(f *files.File) *mirrored {
	if m.n.Load() == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[*f]
}

// sleeps reports whether to unlock something of f may sleep.
func (m *mirror) sleeps(f *files.File) bool {
	x := m.find(f)
	return x != nil && x.locks.Sleeps()
}

// Raise implements files.Mirror.
func (m *mirror) Raise(f *files.File, r ranges.Range, kind ranges.Kind, held *ranges.Lock) files.Raised {
	x := m.find(f)
	if x == nil { // they cannot be shown
		return files.Granted
	}
	var other vfs.FileLock
	s := x.locks.Lock(vfs.LockRange(r), vfs.LockKind(kind), &other)
	if s != vfs.OK && s != vfs.Access {
		return files.Failed
	}
	m.mu.Lock()
	x.locked = true
	m.mu.Unlock()
	if s == vfs.Access {
		*held = lockOf(&other)
		return files.Held
	}
	return files.Granted
}

// lockOf is another program's lock as package ranges has it, which has the same kinds.
func lockOf(l *vfs.FileLock) ranges.Lock {
	return ranges.Lock{Range: ranges.Range(l.LockRange), Kind: ranges.Kind(l.Kind)}
}

// Lower implements files.Mirror.
func (m *mirror) Lower(f *files.File, rs []ranges.Range) {
	if x := m.find(f); x != nil {
		for _, r := range rs {
			x.locks.Unlock(vfs.LockRange(r))
		}
	}
}

// Holder implements files.Mirror.
func (m *mirror) Holder(f *files.File, r ranges.Range, kind ranges.Kind) (ranges.Lock, bool) {
	if x := m.find(f); x != nil {
		if other, denied := x.locks.Conflict(vfs.LockRange(r), vfs.LockKind(kind)); denied {
			return lockOf(&other), true
		}
	}
	return ranges.Lock{}, false
}

// Done implements files.Mirror.
func (m *mirror) Done(f *files.File) {
	m.change(f, func(x *mirrored) { x.locked = false })
}

// Mirror returns what shows the clients' locks to the machine. It is for [files.Config].
func (k *Keeper) Mirror() files.Mirror { return &k.mirror }

// showing opens the locks of f, the current file, for an operation that locks or asks; mirror.end
// is to follow if it reports true. The status stAgain is for returning at once.
func (k *compound) showing(f *files.File) (bool, nfs4.Nfsstat4) {
	if k.s.cfg.Keeper == nil {
		return false, nfs4.NFS4_OK
	}
	v := k.s.Table.View(k.c.Place.Index, k.current.export)
	on, s := k.s.cfg.Keeper.mirror.begin(v, k.c.Place.Thread.MayWait, f)
	if s == vfs.OK {
		return on, nfs4.NFS4_OK
	}
	return on, k.status(s)
}

// unlocksLater reports whether an operation that may unlock something of the current file must run
// on a worker.
func (k *compound) unlocksLater() bool {
	keeper := k.s.cfg.Keeper
	if keeper == nil || k.current.export == nil || k.c.Place.Thread.MayWait || keeper.mirror.n.Load() == 0 {
		return false
	}
	f := k.current.file()
	return keeper.mirror.sleeps(&f)
}
