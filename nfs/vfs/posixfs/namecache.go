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

// A lane remembers which entry a name has led to, together with the directory's
// ctime, and does not have the name resolved again while the directory still has
// that ctime: every change of a directory's names moves it, whoever makes it. A
// LOOKUP looks at the ctime anyway, and its answer has the child's attributes fresh
// from the child's descriptor. Two things have to be sure for that.
//
// No two changes leave the same ctime behind. So nothing is remembered for a ctime
// that is not older than the clock's ticks are long (see also remember).
//
// A change that has set the ctime is visible. The kernel sets it first and makes
// the new name visible later, both with the directory locked, and who looks a name
// up takes no lock. So a ctime counts only once the directory was locked after it
// had been seen (awaitNames). That may sleep and is done by a worker, for directories
// in which many names are looked up; the LOOKUP that finds it missing goes there.
//
// docs/design/0011-names.md has the proof.

const (
	pathSets    = 2048
	pathWays    = 2
	pathNameMax = 63
	// settleAfter is how many LOOKUPs a lane answers in a directory that stays the
	// same before it has it settled. When that does not help it waits four times as
	// long, and so on to settleMax.
	settleAfter = 64
	settleMax   = 1 << 20
)

// settledName is a name and where it led when the directory had the stamp.
type settledName struct {
	key   uint64 // nameKey, 0 for an empty place
	dir   uint64 // entry.id
	stamp int64
	child *entry
	n     uint8
	name  [pathNameMax]byte
}

// ctimeOf returns the ctime as one number, in ns since 1970.
func ctimeOf(st *unix.Statx_t) int64 { return st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec) }

// steady reports whether no change from now on can leave the directory with the
// ctime that is in st. Without a fraction it may be one of whole seconds (ext4 with
// small inodes). What the names in an encrypted directory are depends on more than
// the directory. Without the private mount something may be mounted on a name.
func (fs *FS) steady(st *unix.Statx_t) bool {
	return fs.is.private && kind.FineTimes(fs.magic) && st.Ctime.Nsec != 0 &&
		st.Attributes&unix.STATX_ATTR_ENCRYPTED == 0 &&
		kernel.CtimeAge(st, time.Now()) >= kernel.CtimeGrain
}

// mayRemember reports whether names that are looked up in de from now on may be
// remembered for the stamp of v.st. With ask the call shall go to a worker, which
// sees to it. Lanes only.
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

// awaitNames makes sure that every change that has set the ctime in v.st is visible:
// reading a directory takes its lock, so whoever changed it has let go of it by
// then. It blocks.
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
	if !de.Own.rights.Warm() { // so that lanes need not come again for that
		v.judge.WarmUp(&de.Own.rights)
	}
	de.Own.names.settled.Store(stamp)
}

func (v *View) pathSet(key uint64) []settledName { return v.paths.Set(key >> 2) }

// settledPath answers a LOOKUP in de, which is settled, without the name being
// resolved. It reports false when that does not do; the usual way then finds out
// why.
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

// rememberPath remembers what the name has just led to in de, which was settled before
// it was looked up.
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
