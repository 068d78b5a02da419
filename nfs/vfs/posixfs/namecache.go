package posixfs

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

// A lane remembers the entry to which a name has led, together with the directory's ctime. While
// the directory has that ctime, the lane does not ask the kernel to resolve the name again: every
// change of a directory's names moves the ctime, whoever makes it. A LOOKUP reads the ctime in any
// case, and reads the child's attributes afresh through the child's descriptor. Two conditions must
// hold.
//
// First, no two changes leave the same ctime. So the lane remembers nothing for a ctime that is
// younger than a tick of the clock (see steady).
//
// Second, a change that has set the ctime must be visible. The kernel sets the ctime first and
// makes the new name visible later. It does both with the directory locked, but a look-up takes no
// lock. So a ctime counts only once the directory has been locked after the ctime was seen
// (awaitNames). That may sleep, so a worker does it, for directories in which many names are looked
// up. The LOOKUP that finds it missing goes to the worker.
//
// docs/design/0011-names.md has the proof.

const (
	pathSets    = 2048
	pathWays    = 2
	pathNameMax = 63
	// settleAfter is how many LOOKUPs a lane answers in a directory that stays the same before
	// it asks a worker to settle the directory. If that does not help, the lane waits for four
	// times as many LOOKUPs, and so on up to settleMax.
	settleAfter = 64
	settleMax   = 1 << 20
)

// settledName is a name, and the entry to which it led when the directory had the stamp.
type settledName struct {
	key   uint64 // nameKey, 0 for an empty place
	dir   uint64 // ID of the directory's entry
	stamp int64
	child *entry
	n     uint8
	name  [pathNameMax]byte
}

// ctimeOf returns the ctime as one number, in ns since 1970.
func ctimeOf(st *unix.Statx_t) int64 { return st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec) }

// steady reports whether no change from now on can leave the directory with the ctime in st. A
// ctime without a fraction may be one of whole seconds (ext4 with small inodes). The names in an
// encrypted directory depend on more than the directory. Without the private mount somebody may
// mount something on a name.
func (fs *FS) steady(st *unix.Statx_t) bool {
	return fs.is.private && kind.FineTimes(fs.magic) && st.Ctime.Nsec != 0 &&
		st.Attributes&unix.STATX_ATTR_ENCRYPTED == 0 &&
		kernel.CtimeAge(st, time.Now()) >= kernel.CtimeGrain
}

// mayRemember reports whether names that are looked up in de from now on may be remembered for the
// stamp of v.st. If ask is set, the call must go to a worker, which settles the directory. Only
// lanes call it.
func (v *View) mayRemember(de *entry) (ok, ask bool) {
	stamp := ctimeOf(&v.st)
	if de.Own.names.settled.Load() == stamp {
		return true, false
	}
	p := v.sampleOf(de)
	if p.stamp != stamp {
		p.stamp, p.count, p.enough = stamp, 0, settleAfter
	}
	if p.count++; p.count < p.enough {
		return false, false
	}
	p.count = 0
	if !v.fs.steady(&v.st) {
		return false, false
	}
	p.enough = min(4*p.enough, settleMax)
	de.Own.names.unsettled.Store(true)
	return false, true
}

// awaitNames waits until every change behind the ctime in v.st is visible. The kernel holds the
// directory's lock while it changes names. Reading the directory takes that lock, so after it the
// change is done. awaitNames blocks.
func (v *View) awaitNames(de *entry) {
	if !de.Own.names.unsettled.CompareAndSwap(true, false) || !v.fs.steady(&v.st) || !v.as(nil) {
		return
	}
	stamp := ctimeOf(&v.st)
	fd, errno := opened(
		unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME|unix.O_CLOEXEC,
		func(flags int) (int, unix.Errno) {
			return kernel.Openat(de.FD, &dot[0], flags, 0)
		},
	)
	if errno != 0 {
		return
	}
	n, errno := kernel.Call(
		unix.SYS_GETDENTS64,
		uintptr(fd),
		uintptr(unsafe.Pointer(&v.name2[0])),
		unsafe.Sizeof(v.name2),
		0,
		0,
		0,
	)
	kernel.CloseFD(fd)
	if errno != 0 || n == 0 {
		return
	}
	if !de.Own.rights.Warm() { // so that no lane has to come again for that
		v.judge.WarmUp(&de.Own.rights)
	}
	de.Own.names.settled.Store(stamp)
}

func (v *View) pathSet(key uint64) []settledName { return v.paths.Set(key >> 2) }

// settledPath answers a LOOKUP in the settled directory de, without having the kernel resolve the
// name. It returns false if it does not remember the name or something has changed. The usual way
// then finds out.
func (v *View) settledPath(c *vfs.Cred, de *entry, key uint64, name []byte, e *vfs.Entry) bool {
	if !v.paths.Ready() {
		return false
	}
	set := v.pathSet(key)
	for i := range set {
		p := &set[i]
		if p.key != key || p.dir != de.ID || string(p.name[:p.n]) != string(name) {
			continue
		}
		if p.stamp != ctimeOf(&v.st) {
			return false
		}
		if granted, s := v.judge.May(c, &de.Own.rights, &v.st, vfs.MayExec); s != vfs.OK || granted == 0 {
			return false
		}
		x := p.child
		if !v.hold(x, useChild) || v.statx(x.FD, &v.st2) != 0 || v.fs.gone(&v.st2) {
			*p = settledName{}
			return false
		}
		number(x.Own.stub, &v.st2)
		e.Handle = x.Handle
		v.fs.attributes(&e.Attr, &v.st2)
		return true
	}
	return false
}

// rememberPath remembers the entry to which the name has just led in de. de was settled before the
// look-up.
func (v *View) rememberPath(de *entry, key uint64, name []byte) {
	x := v.use.At(useChild)
	if x == nil || len(name) > pathNameMax {
		return
	}
	if !v.paths.Ready() {
		v.paths = recall.NewOwn[settledName](pathSets, pathWays)
	}
	set := v.pathSet(key)
	p := v.paths.Victim(set)
	for i := range set {
		if q := &set[i]; q.key == key && q.dir == de.ID || q.key == 0 {
			p = q
			break
		}
	}
	p.key, p.dir, p.stamp, p.child = key, de.ID, ctimeOf(&v.st), x
	p.n = uint8(copy(p.name[:], name))
}
