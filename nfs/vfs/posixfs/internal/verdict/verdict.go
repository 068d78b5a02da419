package verdict

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
)

// A verdict covers the kernel's three permissions and what NFS also allows on content. The owner
// may read and write, whatever the mode says. A caller that may execute may read (RFC 1813, section
// 4.4).
const (
	ReadData  vfs.Permission = 1 << 3
	WriteData vfs.Permission = 1 << 4
	// Kernel is the permissions that the kernel itself has.
	Kernel = vfs.MayRead | vfs.MayWrite | vfs.MayExec
)

// Age is how old a ctime must be for a verdict to be kept with it. A younger ctime is not safe, for
// two reasons. A later change may leave it as it is: stamps are as coarse as the timer tick before
// Linux 6.13, and are whole seconds on ext4 with small inodes and on some other file systems. And
// the change that set the ctime may not be done yet: the kernel stamps an object before it puts the
// new access control list in place.
const Age = time.Second + kernel.CtimeGrain

// Ticks is how many ticks a verdict is good for. After that, the Judge asks the kernel again,
// because a verdict may be wrong although the object shows its ctime. The change that set a ctime
// may take longer than Age if the file system waits for its disc in between (XFS, btrfs). Somebody
// may set the clock back to a whole second that was there before. A policy of the kernel (SELinux)
// may change without a trace in the object.
const Ticks = 2

// Shared is the state that the Judges of one file system share.
type Shared struct {
	// Immutable.
	Tick      *atomic.Int64 // counts ticks
	Self      uint32        // user ID of the process
	Switching bool          // threads act for callers; otherwise they act for Self
	Foreign   bool          // another machine's clock sets the ctimes
	Status    func(unix.Errno) vfs.Status
	// Nobody is the user that the kernel shows as the owner if the user namespace does not map
	// the real one. HasNobody says whether there is such a user.
	Nobody    uint32
	HasNobody bool
}

// Object is the state that this package keeps with an open object.
type Object struct {
	id   uint64 // never used twice
	fd   int    // O_PATH, or the descriptor that made the file
	link bool
	warm atomic.Bool // the kernel has in memory what a permission check needs
}

var ids atomic.Uint64

// Init binds o to an object. fd is a descriptor of the object, of any kind; link says whether the
// object is a symbolic link.
func (o *Object) Init(fd int, link bool) { o.id, o.fd, o.link = ids.Add(1), fd, link }

// Actor is the thread of a Judge.
type Actor interface {
	// ActFor makes the thread act for c; nil means the process itself. If it returns false the
	// thread must not go on.
	ActFor(c *vfs.Cred) bool
}

// Judge asks the kernel and remembers verdicts on one thread.
type Judge struct {
	*Shared
	actor    Actor
	lane     bool
	verdicts recall.Own[verdict]
}

// Init makes j the Judge of a thread. A lane's thread must not sleep. j remembers up to verdicts
// verdicts, a power of two.
func (j *Judge) Init(sh *Shared, actor Actor, lane bool, verdicts int) {
	j.Shared, j.actor, j.lane = sh, actor, lane
	j.verdicts = recall.NewOwn[verdict](verdicts, 1)
}

// verdict is the kernel's answer for one object, caller and ctime.
type verdict struct {
	object         uint64 // Object.id
	cred           *vfs.Cred
	ctime          unix.StatxTimestamp
	asked          int64 // Shared.Tick before the first question
	known, granted vfs.Permission
}

func (j *Judge) slot(c *vfs.Cred, o *Object) *verdict {
	x := o.id*0x9e3779b97f4a7c15 ^ uint64(uintptr(unsafe.Pointer(c)))*0xff51afd7ed558ccd
	return j.verdicts.At(x >> 32)
}

// of reports whether d is about c and o.
func (d *verdict) of(c *vfs.Cred, o *Object) bool { return d.object == o.id && d.cred == c }

// good reports whether d is about c and o and not too old.
func (j *Judge) good(d *verdict, c *vfs.Cred, o *Object) bool {
	return d.of(c, o) && j.Tick.Load()-d.asked < Ticks
}

// Judged reports whether j remembers that c has all of want on o. That counts only if o has not
// changed since: Judged does not look at the ctime, so the caller must ask Has afterwards.
func (j *Judge) Judged(c *vfs.Cred, o *Object, want vfs.Permission) bool {
	d := j.slot(c, o)
	return d.granted&want == want && j.good(d, c, o)
}

// Recall returns the remembered verdict on want. ok is false if there is none for the object as st
// shows it. Only ACCESS may use a remembered no.
func (j *Judge) Recall(
	c *vfs.Cred,
	o *Object,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, ok bool) {
	d := j.slot(c, o)
	if d.known&want == want && d.ctime == st.Ctime && j.good(d, c, o) {
		return d.granted & want, true
	}
	return 0, false
}

// Has reports whether j remembers that the caller has all of want on o.
func (j *Judge) Has(c *vfs.Cred, o *Object, st *unix.Statx_t, want vfs.Permission) bool {
	granted, ok := j.Recall(c, o, st, want)
	return ok && granted == want
}

// May returns which of want the caller has on o. st are the attributes of o, read in this
// operation. May may leave the thread acting for c.
func (j *Judge) May(
	c *vfs.Cred,
	o *Object,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, s vfs.Status) {
	if j.Has(c, o, st, want) {
		return want, vfs.OK
	}
	return j.Decide(c, o, st, want)
}

// Decide is May without the remembered verdicts: it asks the kernel.
func (j *Judge) Decide(
	c *vfs.Cred,
	o *Object,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, s vfs.Status) {
	// Both are read before the first question: if the ctime is old enough now, it is so for all
	// questions.
	d := verdict{object: o.id, cred: c, ctime: st.Ctime, asked: j.Tick.Load(), known: want}
	old := kernel.CtimeAge(st, time.Now()) >= Age
	if plain := want & Kernel; plain != 0 {
		g, s := j.Ask(c, o, plain)
		if s != vfs.OK {
			return 0, s
		}
		granted |= g
	}
	for _, w := range [2]vfs.Permission{ReadData, WriteData} {
		if want&w == 0 {
			continue
		}
		ok, s := j.mayData(c, o, st, w)
		if s != vfs.OK {
			return 0, s
		}
		if ok {
			granted |= w
		}
	}
	d.granted = granted
	j.remember(c, o, &d, old)
	return granted, vfs.OK
}

func (j *Judge) mayData(c *vfs.Cred, o *Object, st *unix.Statx_t, want vfs.Permission) (bool, vfs.Status) {
	// If the owner of an object is not mapped, the kernel shows the overflow user. That user
	// may be mapped, too, but is not the owner.
	if st.Uid == j.uid(c) && (!j.HasNobody || st.Uid != j.Nobody) {
		return true, vfs.OK
	}
	if want == WriteData {
		g, s := j.Ask(c, o, vfs.MayWrite)
		return g != 0, s
	}
	g, s := j.Ask(c, o, vfs.MayRead)
	if s == vfs.OK && g == 0 {
		g, s = j.Ask(c, o, vfs.MayExec)
	}
	return g != 0, s
}

// uid returns the user as whom the thread acts for c.
func (j *Judge) uid(c *vfs.Cred) uint32 {
	if c == nil || !j.Switching {
		return j.Self
	}
	return c.UID
}

// Ask asks the kernel which of the kernel's own permissions c has on o, and remembers nothing. The
// check may have to read an access control list from disc, once for as long as the inode is in
// memory.
func (j *Judge) Ask(c *vfs.Cred, o *Object, want vfs.Permission) (vfs.Permission, vfs.Status) {
	if !o.warm.Load() {
		if j.lane {
			return 0, vfs.Again
		}
		j.WarmUp(o)
	}
	if !j.actor.ActFor(c) {
		return 0, vfs.ServerFault
	}
	if ok, s := j.ask1(o, want); ok || s != vfs.OK || want&(want-1) == 0 {
		return grantedIf(ok, want), s
	}
	var granted vfs.Permission
	for _, w := range [3]vfs.Permission{vfs.MayExec, vfs.MayWrite, vfs.MayRead} {
		if want&w == 0 {
			continue
		}
		ok, s := j.ask1(o, w)
		if s != vfs.OK {
			return 0, s
		}
		granted |= grantedIf(ok, w)
	}
	return granted, vfs.OK
}

func grantedIf(ok bool, p vfs.Permission) vfs.Permission {
	if ok {
		return p
	}
	return 0
}

func (j *Judge) ask1(o *Object, want vfs.Permission) (bool, vfs.Status) {
	var errno unix.Errno
	if j.lane {
		errno = kernel.FaccessRaw(o.fd, uint32(want))
	} else {
		errno = kernel.Faccess(o.fd, uint32(want))
	}
	switch errno {
	case 0:
		return true, vfs.OK
	case unix.EACCES, unix.EPERM, unix.EROFS, unix.ETXTBSY:
		return false, vfs.OK
	}
	if j.lane && kernel.MayPass(errno) {
		return false, vfs.Again
	}
	return false, j.Status(errno)
}

// Warm reports whether the kernel can check permissions on o without reading from disc.
func (o *Object) Warm() bool { return o.warm.Load() }

// WarmUp reads the object's access control list, so that the kernel has it in memory. The answer
// does not matter: most objects have no list. Only workers may call it.
func (j *Judge) WarmUp(o *Object) {
	if !o.link && j.actor.ActFor(nil) {
		var b [1]byte
		_, _ = unix.Getxattr(kernel.ProcPath(o.fd), acl.XattrAccess, b[:0])
	}
	o.warm.Store(true)
}

// remember keeps the verdict x, unless a change may make it wrong without a new ctime. old says
// that the ctime was older than Age before the Judge asked the kernel. A ctime of another machine's
// clock says nothing about its age.
func (j *Judge) remember(c *vfs.Cred, o *Object, x *verdict, old bool) {
	d := j.slot(c, o)
	same := d.of(c, o)
	switch {
	case !old || j.Foreign:
		if same {
			*d = verdict{}
		}
	case same && d.ctime == x.ctime && d.asked == x.asked:
		d.known |= x.known
		d.granted = d.granted&^x.known | x.granted
	default:
		*d = *x
	}
}
