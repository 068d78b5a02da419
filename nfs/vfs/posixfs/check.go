package posixfs

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Beside the kernel's three permissions a verdict covers what NFS allows on
// content: the owner reads and writes whatever the mode says, and who may execute
// may read.
const (
	mayReadData  vfs.Permission = 1 << 3
	mayWriteData vfs.Permission = 1 << 4
	kernelBits                  = vfs.MayRead | vfs.MayWrite | vfs.MayExec
)

// verdict is the kernel's answer for one object, caller and ctime.
type verdict struct {
	entry          uint64 // entry.id
	cred           *vfs.Cred
	ctime          unix.StatxTimestamp
	asked          int64 // FS.tick before the first of the questions
	known, granted vfs.Permission
}

func (v *View) slot(c *vfs.Cred, e *entry) *verdict {
	x := e.ID*0x9e3779b97f4a7c15 ^ uint64(uintptr(unsafe.Pointer(c)))*0xff51afd7ed558ccd
	return v.verdicts.At(x >> 32)
}

// of reports whether d is about c and e.
func (d *verdict) of(c *vfs.Cred, e *entry) bool { return d.entry == e.ID && d.cred == c }

// good reports whether d is about c and e and not too old.
func (v *View) good(d *verdict, c *vfs.Cred, e *entry) bool {
	return d.of(c, e) && v.fs.tick.Load()-d.asked < verdictTicks
}

// judged reports whether c is remembered to have all of want on e, if that has not
// changed since.
func (v *View) judged(c *vfs.Cred, e *entry, want vfs.Permission) bool {
	d := v.slot(c, e)
	return d.granted&want == want && v.good(d, c, e)
}

// recall returns the remembered verdict on want. ok is false when there is none
// for the object as st shows it. What is refused may have been refused for a reason
// that leaves the ctime as it is (EROFS), so that only ACCESS takes a remembered no.
func (v *View) recall(
	c *vfs.Cred,
	e *entry,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, ok bool) {
	d := v.slot(c, e)
	if d.known&want == want && d.ctime == st.Ctime && v.good(d, c, e) {
		return d.granted & want, true
	}
	return 0, false
}

// has reports whether the caller is known to have all of want on e.
func (v *View) has(c *vfs.Cred, e *entry, st *unix.Statx_t, want vfs.Permission) bool {
	granted, ok := v.recall(c, e, st, want)
	return ok && granted == want
}

// may returns which of want the caller has on e, whose attributes st are of this
// operation. It may leave the thread acting for c.
func (v *View) may(
	c *vfs.Cred,
	e *entry,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, s vfs.Status) {
	if v.has(c, e, st, want) {
		return want, vfs.OK
	}
	return v.decide(c, e, st, want)
}

// decide is may without what is remembered.
func (v *View) decide(
	c *vfs.Cred,
	e *entry,
	st *unix.Statx_t,
	want vfs.Permission,
) (granted vfs.Permission, s vfs.Status) {
	// Before the first question: what is old enough now is so for all of them.
	d := verdict{entry: e.ID, cred: c, ctime: st.Ctime, asked: v.fs.tick.Load(), known: want}
	old := ctimeAge(st, time.Now()) >= verdictAge
	if plain := want & kernelBits; plain != 0 {
		g, s := v.ask(c, e, plain)
		if s != vfs.OK {
			return 0, s
		}
		granted |= g
	}
	for _, w := range [2]vfs.Permission{mayReadData, mayWriteData} {
		if want&w == 0 {
			continue
		}
		ok, s := v.mayData(c, e, st, w)
		if s != vfs.OK {
			return 0, s
		}
		if ok {
			granted |= w
		}
	}
	d.granted = granted
	v.remember(c, e, &d, old)
	return granted, vfs.OK
}

func (v *View) mayData(c *vfs.Cred, e *entry, st *unix.Statx_t, want vfs.Permission) (bool, vfs.Status) {
	// Of objects whose owner is not mapped the overflow user, who may be, is no owner.
	if st.Uid == v.uid(c) && (v.fs.ns.Users == nil || st.Uid != v.fs.ns.Overflow) {
		return true, vfs.OK
	}
	if want == mayWriteData {
		g, s := v.ask(c, e, vfs.MayWrite)
		return g != 0, s
	}
	g, s := v.ask(c, e, vfs.MayRead)
	if s == vfs.OK && g == 0 {
		g, s = v.ask(c, e, vfs.MayExec)
	}
	return g != 0, s
}

// uid is the user that acts for c.
func (v *View) uid(c *vfs.Cred) uint32 {
	if c == nil || !v.fs.is.switching {
		return v.fs.own.UID
	}
	return c.UID
}

// ask has the kernel decide. The check may have to read an access control list
// from disc, once for as long as the inode is in memory: warm says that it has.
func (v *View) ask(c *vfs.Cred, e *entry, want vfs.Permission) (vfs.Permission, vfs.Status) {
	if !e.Own.access.warm.Load() {
		if v.lane {
			return 0, vfs.Again
		}
		v.warmUp(e)
	}
	if !v.as(c) {
		return 0, vfs.ServerFault
	}
	if ok, s := v.ask1(e, want); ok || s != vfs.OK || want&(want-1) == 0 {
		return grantedIf(ok, want), s
	}
	var granted vfs.Permission
	for _, w := range [3]vfs.Permission{vfs.MayExec, vfs.MayWrite, vfs.MayRead} {
		if want&w == 0 {
			continue
		}
		ok, s := v.ask1(e, w)
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

func (v *View) ask1(e *entry, want vfs.Permission) (bool, vfs.Status) {
	var errno unix.Errno
	if v.lane {
		errno = kernel.FaccessRaw(e.FD, uint32(want))
	} else {
		errno = kernel.Faccess(e.FD, uint32(want))
	}
	switch errno {
	case 0:
		return true, vfs.OK
	case unix.EACCES, unix.EPERM, unix.EROFS, unix.ETXTBSY:
		return false, vfs.OK
	}
	return false, v.status(errno)
}

// warmUp reads the object's access control list, so that the kernel has it in
// memory. An answer is not needed: most objects have none.
func (v *View) warmUp(e *entry) {
	if e.Kind != unix.S_IFLNK && v.as(nil) {
		var b [1]byte
		_, _ = unix.Getxattr(procPath(e.FD), acl.XattrAccess, b[:0])
	}
	e.Own.access.warm.Store(true)
}

// ctimeGrain is how long an object's ctime may stay the same over two changes
// where the kernel takes it from the timer tick: a few ticks at 100 Hz.
const ctimeGrain = 50 * time.Millisecond

// verdictAge is how old a ctime must be for a verdict to be kept with it. A younger
// one may be shared with a change still to come: stamps are as coarse as the timer
// tick before Linux 6.13, and are whole seconds on ext4 with small inodes and on
// others. Or the change that set it is not done yet: the kernel stamps an object
// before it puts the new access control list in place.
const verdictAge = time.Second + ctimeGrain

// verdictTicks is for how many ticks (see FS.tick) a verdict is good: 1.25 to 2.5 s.
// The change that set a ctime may take longer than verdictAge when the file system
// waits for its disc in between (XFS, btrfs), the clock may be set back to a whole
// second that was there before, and a policy of the kernel's (SELinux) may change
// without a trace in the object: what is wrong for such a reason is asked for again.
const verdictTicks = 2

// remember keeps a verdict, unless a change may make it wrong without a new ctime:
// old says that the ctime had verdictAge before it was asked for. Another machine's
// clock says nothing about that.
func (v *View) remember(c *vfs.Cred, e *entry, x *verdict, old bool) {
	d := v.slot(c, e)
	same := d.of(c, e)
	switch {
	case !old || v.fs.is.foreign:
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
