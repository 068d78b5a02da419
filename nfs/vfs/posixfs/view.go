package posixfs

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopath"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/known"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// The slots of View.use.
const (
	useMain   = iota // the object, or the first directory
	useSecond        // the second object of RENAME and LINK
	useChild         // the object to which a name led
	useParent        // the object to which ".." led, and walks
)

const ways = 4 // entries per set of a View's maps

// sizes says how many items a View remembers, each a power of two. Lanes run the calls that are
// answered from memory. There are many workers, and their calls cost more than looking into the
// table under its lock.
type sizes struct {
	sets, verdicts, hints int
}

func (fs *FS) sizes(lane bool) sizes {
	if !lane {
		return sizes{sets: 64, verdicts: 256, hints: 256}
	}
	s := sizes{sets: 64, verdicts: 4096, hints: 8192}
	for s.sets*ways < 2*fs.tab.Max() && s.sets < 1<<15 {
		s.sets *= 2
	}
	return s
}

// View is an FS seen from one thread. It implements vfs.View.
type View struct {
	use table.Uses[state]

	fs     *FS
	th     *vfs.Thread
	owner  thread
	rights *kernel.Rights
	able   vfs.Abilities
	lane   bool
	judge  verdict.Judge // decides who may do what
	data   iopath.Path   // moves the data of files
	off    atomic.Uint32 // not 0 while the View answers no call itself; see mountpoint.go

	// The thread's own maps of entries, which take no lock. Each set has `ways` entries.
	byHandle recall.Own[*entry]
	byObject recall.Own[*entry]

	hints   recall.Own[hint]
	samples recall.Own[sample]      // on lanes
	paths   recall.Own[settledName] // on lanes, once a name is worth it

	// Memory that the kernel reads and writes. It is here and not on the stack, so that no
	// operation allocates.
	st, st2, st3 unix.Statx_t
	how          unix.OpenHow
	kh           kernel.FileHandle
	mount        int32
	sf           unix.Statfs_t
	times        [2]unix.Timespec
	name, name2  [256]byte
	target       []byte // a path with its NUL, nil until one is needed
	moved        moved
	last, large  bool // see existed
	keeping      keeping
	mark         uint64 // FS.store's mark from before the present change of a directory
	beside       debt   // what a change of a directory owes beside it: see also
	debts        debts
	listing      listing.Reader[entry]
	knows        known.Moment // for a listing with handles
	opens        opening      // for a listing with handles

	// See kept.go.
	changes      changes
	keptNames    recall.Own[keptName] // on lanes, once a name is worth it
	keptVerdicts recall.Own[keptVerdict]
	keptBy       recall.Own[*entry] // a quick map in front of byHandle
	shown, known vfs.Attr
	when         uint64 // see see
}

var _ vfs.View = (*View)(nil)
var _ vfs.FS = (*FS)(nil)

// View implements vfs.FS. The calling goroutine must be locked to its thread. View changes the
// thread for good (own umask, fewer capabilities), so the thread must not be used for anything else
// later. The View is for calls on that thread alone; under the "checks" build tag a call on another
// thread panics.
func (fs *FS) View(t *vfs.Thread) (vfs.View, error) {
	r := kernel.RightsOf(t)
	if err := r.Prepare(fs.is.switching); err != nil {
		return nil, err
	}
	if r.Lost() {
		return nil, errors.New("posixfs: the thread's credential is not known")
	}
	n := fs.sizes(!t.MayWait)
	v := &View{
		fs: fs, th: t, rights: r, lane: !t.MayWait,
		byHandle: recall.NewOwn[*entry](n.sets, ways), byObject: recall.NewOwn[*entry](n.sets, ways),
		hints: recall.NewOwn[hint](n.hints, 1),
	}
	v.owner.adopt()
	v.data.Init(&fs.data, (*host)(v), v.lane)
	v.judge.Init(&fs.rights, (*host)(v), v.lane, n.verdicts)
	v.able.Splice = v
	if keepsACLs() {
		v.able.ACLs = v
	}
	v.able.Hold, v.able.Locks = fs, v
	if !syscalls.Refused(unix.SYS_FALLOCATE) {
		v.able.Ranges = v
	}
	if !syscalls.Refused(unix.SYS_COPY_FILE_RANGE) {
		v.able.Copy = v
	}
	if keepsXattrs() {
		v.able.Xattrs = v
	}
	if v.lane {
		v.samples = recall.NewOwn[sample](samplesMax, 1)
	}
	if fs.sole != nil {
		v.keptBy = recall.NewOwn[*entry](n.hints/2, 1)
	}
	fs.tab.Join(&v.use)
	fs.viewsMu.Lock()
	defer fs.viewsMu.Unlock()
	v.turnOff()
	list := append(slices.Clone(*fs.views.Load()), v)
	fs.views.Store(&list)
	return v, nil
}

// Abilities implements vfs.View.
func (v *View) Abilities() *vfs.Abilities { return &v.able }

// Close implements vfs.View. It blocks if the View owes something: afterwards nothing keeps entries
// open for it.
func (v *View) Close() {
	v.payEarly()
	v.done()
	v.as(nil)
	fs := v.fs
	fs.tab.Leave(&v.use)
	fs.viewsMu.Lock()
	defer fs.viewsMu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*fs.views.Load()), func(x *View) bool { return x == v })
	fs.views.Store(&list)
}

// done ends an operation. The entries that it used may then be closed.
func (v *View) done() { v.use.Done() }

// doneChanging is done for an operation that may have begun changes.
func (v *View) doneChanging() {
	v.finishChanges()
	v.use.Done()
}

// keepIn stores e in one of m's places for the hash: an empty one, that of a dead entry, or any.
func keepIn(m *recall.Own[*entry], hash uint64, e *entry) {
	s := m.Set(hash)
	for i := range s {
		if s[i] == nil || s[i].Dead() {
			s[i] = e
			return
		}
	}
	*m.Victim(s) = e
}

// hold publishes e in the slot use. It returns false if e is dead.
func (v *View) hold(e *entry, use int) bool { return v.use.Hold(e, use) }

// reach finds or opens the object of h, and publishes its entry until done. On a lane it returns
// Again if the object is not open. It also reaches objects that clients may not use.
func (v *View) reach(h *vfs.Handle, use int) (*entry, vfs.Status) {
	v.owner.check()
	if off := v.off.Load(); off != 0 {
		return nil, refusal(off)
	}
	hash := kernel.HashHandle(h)
	s := v.byHandle.Set(hash)
	for i, e := range s {
		if e != nil && e.Hash == hash && e.Handle == *h {
			if v.hold(e, use) {
				return e, vfs.OK
			}
			s[i] = nil
			break
		}
	}
	if e := v.fs.tab.Find(h, &v.use, use); e != nil {
		v.learn(e)
		return e, vfs.OK
	}
	if v.lane {
		return nil, vfs.Again
	}
	return v.open(h, use)
}

// learn puts e into the thread's own maps.
func (v *View) learn(e *entry) {
	keepIn(&v.byHandle, e.Hash, e)
	keepIn(&v.byObject, e.Key.Hash(), e)
}

// object finds the entry of an object that is open right now, by its key. It returns nil if there
// is none.
func (v *View) object(k *kernel.ObjectKey, use int) *entry {
	s := v.byObject.Set(k.Hash())
	for i, e := range s {
		if e != nil && e.Key == *k {
			if v.hold(e, use) {
				return e
			}
			s[i] = nil
			break
		}
	}
	if e := v.fs.tab.FindObject(k, &v.use, use); e != nil {
		v.learn(e)
		return e
	}
	return nil
}

// open opens the object of h with the process's own rights. Only workers call it.
func (v *View) open(h *vfs.Handle, use int) (*entry, vfs.Status) {
	if !v.kh.Set(h) {
		return nil, vfs.BadHandle
	}
	if !v.as(nil) {
		return nil, vfs.ServerFault
	}
	v.fs.room(1)
	if stubNumber(h) != 0 {
		fd, s := v.openStub(h)
		if s != vfs.OK {
			return nil, s
		}
		return v.adopt(*h, &v.st, fd, use, unnamed), vfs.OK
	}
	fd, errno := v.fs.plenty(func() (int, unix.Errno) { return v.openHandle(h) })
	if errno != 0 {
		v.fs.stale(errno)
	}
	switch {
	case errno == 0:
	case errno == unix.EINVAL, errno == unix.ENOENT:
		return nil, vfs.Stale
	case errno == unix.EAGAIN && !v.fs.is.byHandle: // a walk for others has the tree
		return nil, vfs.Delay
	default:
		return nil, v.fs.status(errno)
	}
	// The kernel ignores excess bytes of some handles. Only the form that the kernel gives out
	// itself counts.
	got, errno := kernel.Handle(fd, &v.kh, &v.mount)
	if errno == 0 {
		errno = kernel.StatxWait(fd, &v.st)
	}
	if errno == unix.ENOENT { // as in stat
		errno = unix.ESTALE
	}
	if errno != 0 || got != *h || v.fs.gone(&v.st) {
		kernel.CloseFD(fd)
		return nil, cmp.Or(v.fs.status(errno), vfs.Stale)
	}
	return v.adopt(*h, &v.st, fd, use, 0), vfs.OK
}

func (v *View) openHandle(h *vfs.Handle) (int, unix.Errno) {
	if !v.fs.is.byHandle {
		return v.fs.finder.Find(h)
	}
	p := kernel.Patience{}
	for tries := 0; ; tries++ {
		fd, errno := kernel.OpenByHandle(v.fs.root, &v.kh, unix.O_PATH|unix.O_CLOEXEC)
		if errno != unix.ENOMEM {
			return fd, errno
		}
		if tries >= creatingTries {
			if p.Again(errno) {
				continue
			}
			return fd, errno
		}
		// The kernel is just giving the handle's inode number to a new file. ENOMEM means
		// this (iget_locked finds an inode in the making) far more often than it means that
		// there is no memory.
		_ = unix.Nanosleep(&creatingWait, nil) // it tries again even if it wakes early
	}
}

// creatingTries and creatingWait are how often, and after which pause, a handle is tried whose
// inode number the kernel is giving to a new file: 50 ms in all.
const creatingTries = 500

var creatingWait = unix.Timespec{Nsec: 100_000}

// adopt makes an entry of fd and publishes it. The object of fd has the handle h and the attributes
// st. adopt owns fd from then on. name is the nameKey of the name by which fd was opened, or 0.
func (v *View) adopt(h vfs.Handle, st *unix.Statx_t, fd, use int, name uint64) *entry {
	n := newEntry(h, st, fd)
	n.Own.name = name
	n.Own.shut = v.fs.shut.closed[n.Key]
	v.fs.keepEntry(n)
	if n.Own.stub == 0 {
		v.fs.learnVolume(&h, st)
	}
	e := v.fs.tab.Add(n, &v.use, use)
	if e != n {
		kernel.CloseFD(fd)
	}
	v.learn(e)
	return e
}

// stat reads e's attributes into st. An object without a name is Stale, and stat retires its entry
// at once.
func (v *View) stat(e *entry, st *unix.Statx_t) vfs.Status {
	if e.Own.kept == nil {
		return v.looked(e, v.statx(e.FD, st), st)
	}
	return v.statKept(e, st)
}

// looked is stat after the kernel has been asked, with the result errno.
func (v *View) looked(e *entry, errno unix.Errno, st *unix.Statx_t) vfs.Status {
	if errno != 0 {
		if errno == unix.ENOENT { // the answer of a FUSE file system for a removed object
			v.fs.retire(e)
			return vfs.Stale
		}
		return v.status(errno)
	}
	if st.Nlink == 0 && v.fs.lost(e, st) {
		v.fs.retire(e)
		return vfs.Stale
	}
	number(e.Own.stub, st)
	return vfs.OK
}

// lock returns the lock for changes of e.
func (fs *FS) lock(e *entry) *paddedMutex { return &fs.locks[fs.stripe(e)] }

func (fs *FS) stripe(e *entry) int { return int(e.Key.Hash() % uint64(len(fs.locks))) }
