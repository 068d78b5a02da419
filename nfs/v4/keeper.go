package v4

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Keeper stands between what clients hold of files and the back ends that the files are in. It
// keeps files that lose their names while clients have them open, until the last CLOSE, and shows
// byte-range locks to the programs of the server's machine. A Keeper is made before the table of
// files, which calls Closed and Mirror's methods. Any goroutine may call its methods.
type Keeper struct {
	table *files.Table // set by New

	held struct {
		n  atomic.Int32 // len(files)
		mu futex.Mutex  // taken before the locks of table
		// guarded by mu
		files map[files.File]vfs.Held
	}
	mirror mirror
}

// NewKeeper returns a Keeper for one server.
func NewKeeper() *Keeper {
	k := new(Keeper)
	k.held.files = make(map[files.File]vfs.Held)
	k.mirror.files = make(map[files.File]*mirrored)
	return k
}

// ask has the back end of x ask k from now on. v is one of its Views, on the calling thread.
func (k *Keeper) ask(x *export.Export, v vfs.View) {
	if h := v.Abilities().Hold; h != nil {
		h.AskKeeper(&exportKeeper{k, x.ID})
	}
}

// exportKeeper says which files of an export outlive their names. It implements vfs.Keeper.
type exportKeeper struct {
	*Keeper
	export uint32
}

// Any implements vfs.Keeper.
func (k *exportKeeper) Any() bool { return k.table.Any() }

// Keep implements vfs.Keeper. A file is pinned until Kept, so that its last CLOSE is not overlooked
// meanwhile.
func (k *exportKeeper) Keep(h vfs.Handle) bool {
	return k.table.Pin(&files.File{Export: k.export, Handle: h})
}

// Kept implements vfs.Keeper.
func (k *exportKeeper) Kept(h vfs.Handle, held vfs.Held) {
	f := files.File{Export: k.export, Handle: h}
	if held != nil {
		k.hold(&f, held)
	}
	k.table.Unpin(&f)
}

// hold keeps f until it is closed. A file that lost two names at once comes twice.
func (k *Keeper) hold(f *files.File, held vfs.Held) {
	k.held.mu.Lock()
	twice := k.held.files[*f] != nil
	if !twice {
		k.held.files[*f] = held
		k.held.n.Add(1)
	}
	k.held.mu.Unlock()
	if twice {
		held.Drop()
	}
}

// Closed lets a file go that was kept. It is for [files.Config].
func (k *Keeper) Closed(f *files.File) {
	if k.held.n.Load() == 0 {
		return
	}
	k.held.mu.Lock()
	held := k.held.files[*f]
	if held == nil || k.table.HasOpens(f) { // opened again by its handle
		k.held.mu.Unlock()
		return
	}
	delete(k.held.files, *f)
	k.held.n.Add(-1)
	k.held.mu.Unlock()
	held.Drop()
}

// Held is how many files are kept that have no name.
func (k *Keeper) Held() int { return int(k.held.n.Load()) }
