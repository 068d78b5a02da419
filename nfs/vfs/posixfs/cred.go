package posixfs

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// unsettled is a thread's credential after a switch that failed half way. It
// equals no caller's.
var unsettled = &vfs.Cred{}

// processCred is the identity that the process has by itself.
func processCred() (*vfs.Cred, error) {
	list, err := os.Getgroups()
	if err != nil {
		return nil, fmt.Errorf("posixfs: reading the process's groups: %w", err)
	}
	groups := make([]uint32, len(list))
	for i, g := range list {
		groups[i] = uint32(g)
	}
	return &vfs.Cred{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Groups: groups}, nil
}

// as makes the thread act for c, nil meaning the process itself. It is free when
// the thread does so already. With false the thread must not go on: it may have
// other rights than it should.
func (v *View) as(c *vfs.Cred) bool {
	if v.th.Current == c || !v.fs.switches {
		return true
	}
	return v.become(c)
}

func (v *View) become(c *vfs.Cred) bool {
	from, to := v.th.Current, c
	if from == nil {
		from = v.fs.own
	}
	if to == nil {
		to = v.fs.own
	}
	v.th.Current = unsettled
	if !switchCred(from, to) {
		return false
	}
	v.th.Current = c
	return true
}

// switchCred changes the calling thread's credential and reads it back, since
// setfsuid does not report failure. The order does not matter: CAP_SETUID and
// CAP_SETGID stay whatever the fsuid is. Leaving fsuid 0 takes the capabilities
// that override file permissions away, coming back returns them.
func switchCred(from, to *vfs.Cred) bool {
	all := from == unsettled
	if all || !slices.Equal(from.Groups, to.Groups) {
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(to.Groups)), uintptr(unsafe.Pointer(unsafe.SliceData(to.Groups))), 0); e != 0 {
			return false
		}
	}
	if all || from.GID != to.GID {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(to.GID), 0, 0)
		if g, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ^uintptr(0), 0, 0); uint32(g) != to.GID {
			return false
		}
	}
	if all || from.UID != to.UID {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(to.UID), 0, 0)
		if u, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0); uint32(u) != to.UID {
			return false
		}
	}
	return true
}

// The capabilities that let a thread pass over file permissions: what the kernel
// drops when fsuid leaves 0 (CAP_FS_SET in linux/capability.h).
const capFS = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MKNOD

// CAP_SYS_RESOURCE passes over quotas and the blocks that are reserved for root.
const capResource = 1 << unix.CAP_SYS_RESOURCE

// prepare gives the thread its own umask, which is 0 because the modes that
// clients send are final, and takes capabilities away that no caller shall enjoy.
func (fs *FS) prepare(th *vfs.Thread) error {
	if th.Prepared {
		return nil
	}
	if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_FS, 0, 0); e != 0 {
		return fmt.Errorf("posixfs: a thread cannot have its own umask: unshare: %w", e)
	}
	_, _, _ = unix.RawSyscall(unix.SYS_UMASK, 0, 0, 0)
	drop := uint32(capResource)
	if !fs.switches {
		// Every caller acts as the process, so the process must not be able to
		// do what its user may not.
		drop |= capFS
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil {
		return fmt.Errorf("posixfs: capget: %w", err)
	}
	if caps[0].Effective&drop != 0 {
		caps[0].Effective &^= drop
		if err := unix.Capset(&hdr, &caps[0]); err != nil {
			return fmt.Errorf("posixfs: capset: %w", err)
		}
	}
	th.Prepared = true
	return nil
}

// canSwitch tries on a thread of its own whether this process can act for others,
// and makes sure that doing so takes its special rights away.
func canSwitch(own *vfs.Cred) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- func() error {
			if own.UID != 0 {
				return fmt.Errorf("the process runs as user %d", own.UID)
			}
			if !switchCred(own, &vfs.Cred{UID: 65534, GID: 65534, Groups: []uint32{65533}}) {
				return fmt.Errorf("setfsuid, setfsgid or setgroups is refused (CAP_SETUID, CAP_SETGID)")
			}
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var caps [2]unix.CapUserData
			if err := unix.Capget(&hdr, &caps[0]); err != nil {
				return fmt.Errorf("capget: %w", err)
			}
			if caps[0].Effective&capFS != 0 {
				return fmt.Errorf("setfsuid does not take capabilities away (securebits)")
			}
			return nil
		}()
	}()
	return <-result
}
