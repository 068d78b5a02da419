package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A thread acts for one caller at a time, with that caller's file system ids and groups.

// unsettled is a thread's credential after a switch that failed half-way. It equals no caller's.
var unsettled = &vfs.Cred{}

// ProcessCred returns the identity with which the process was started.
func ProcessCred() (*vfs.Cred, error) {
	list, err := os.Getgroups()
	if err != nil {
		return nil, fmt.Errorf(
			"posixfs: getgroups, to know the process's own groups: %w; %s",
			err,
			syscalls.Remedy(errors.Is(err, unix.ENOSYS)),
		)
	}
	groups := make([]uint32, len(list))
	for i, g := range list {
		groups[i] = uint32(g)
	}
	return &vfs.Cred{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Groups: groups}, nil
}

// Rights are the credential and the capabilities that a thread has in the kernel. All Views of the
// thread share them, also Views of different trees.
type Rights struct {
	// Cred is the credential that the thread has in the kernel now, nil for the process's own.
	Cred *vfs.Cred
	// prepared says that Prepare has changed the thread. That cannot be undone.
	prepared bool
}

// rightsKey is the key of the Rights in a vfs.Thread.
type rightsKey struct{}

// RightsOf returns the Rights of the thread t, and makes them at the first call.
func RightsOf(t *vfs.Thread) *Rights {
	return t.Local(rightsKey{}, func() any { return new(Rights) }).(*Rights)
}

// switchCred changes the calling thread's credential and reads it back, because setfsuid does not
// report failure. If the kernel refuses, refused names the system call. The order of the calls does
// not matter: CAP_SETUID and CAP_SETGID stay, whatever the fsuid is. When the fsuid leaves 0, the
// kernel takes away the capabilities that override file permissions; when it becomes 0 again, the
// kernel gives them back.
func switchCred(from, to *vfs.Cred) (refused string) {
	all := from == unsettled
	if all || !slices.Equal(from.Groups, to.Groups) {
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(to.Groups)), uintptr(unsafe.Pointer(unsafe.SliceData(to.Groups))), 0); e != 0 {
			return "setgroups"
		}
	}
	if all || from.GID != to.GID {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(to.GID), 0, 0)
		if g, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ^uintptr(0), 0, 0); uint32(g) != to.GID {
			return "setfsgid"
		}
	}
	if all || from.UID != to.UID {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(to.UID), 0, 0)
		if u, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0); uint32(u) != to.UID {
			return "setfsuid"
		}
	}
	return ""
}

// capFS are the capabilities that let a thread ignore file permissions. The kernel drops them when
// the fsuid leaves 0 (CAP_FS_SET in linux/capability.h).
const capFS = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MKNOD

// capResource, CAP_SYS_RESOURCE, lets a thread exceed quotas and use the blocks that are reserved
// for root.
const capResource = 1 << unix.CAP_SYS_RESOURCE

// Prepare gives the calling thread its own umask and takes away capabilities that no caller may
// use. The umask is 0, because the modes that clients send are final. Without switches the thread
// serves all callers as the process.
func (r *Rights) Prepare(switches bool) error {
	if r.prepared {
		return nil
	}
	// Containers without CAP_SYS_ADMIN refuse unshare(2). The umask is then the whole process's
	// (tryThread says so).
	_, _, _ = unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_FS, 0, 0)
	if _, _, e := unix.RawSyscall(unix.SYS_UMASK, 0, 0, 0); e != 0 {
		return fmt.Errorf(
			"posixfs: the modes that clients ask for would be cut by the umask: umask: %w; %s",
			e,
			syscalls.Remedy(e == unix.ENOSYS),
		)
	}
	drop := uint32(capResource)
	if !switches {
		// Every caller acts as the process, so the process must not be able to do more than
		// its user may.
		drop |= capFS
	}
	caps, err := Capabilities()
	if err != nil {
		return fmt.Errorf(
			"posixfs: capget, to see what callers must not have: %w; %s",
			err,
			syscalls.Remedy(err == unix.ENOSYS),
		)
	}
	if caps[0].Effective&drop != 0 {
		caps[0].Effective &^= drop
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&hdr, &caps[0]); err != nil {
			return fmt.Errorf(
				"posixfs: capset, to take away what callers must not have: %w; %s",
				err,
				syscalls.Remedy(err == unix.ENOSYS),
			)
		}
	}
	r.prepared = true
	return nil
}

// ErrAlone says that the process is root in a user namespace that has no other users. An ordinary
// user can make such a namespace.
var ErrAlone = errors.New("its user namespace has no other users, or has setgroups switched off")

// CanSwitch tries on a thread of its own whether this process can act for other users. It also
// checks that acting for another user takes the process's special rights away.
func CanSwitch(own *vfs.Cred, ns *Namespace) error {
	if own.UID != 0 {
		return fmt.Errorf("the process runs as user %d", own.UID)
	}
	somebody, ok := ns.Other()
	if !ok || ns.noGroups {
		return ErrAlone
	}
	return OnThread(func() error {
		if call := switchCred(own, somebody); call != "" {
			return fmt.Errorf("%s is refused", call)
		}
		caps, err := Capabilities()
		if err != nil {
			return fmt.Errorf("capget: %w", err)
		}
		if caps[0].Effective&capFS != 0 {
			return errors.New("setfsuid does not take capabilities away (securebits)")
		}
		return nil
	})
}

// Capabilities returns the capabilities of the calling thread.
func Capabilities() (caps [2]unix.CapUserData, err error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	err = unix.Capget(&hdr, &caps[0])
	return caps, err
}

// OnThread runs f on a thread that ends after f, so that f may change the thread.
func OnThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- f()
	}()
	return <-result
}

// HasReadSearch reports whether the process has CAP_DAC_READ_SEARCH. If a call that needs the
// capability then fails, something else refuses it.
func HasReadSearch() bool {
	caps, err := Capabilities()
	return err == nil && caps[0].Permitted&(1<<unix.CAP_DAC_READ_SEARCH) != 0
}

// As makes the thread act for c. If c is nil, the thread acts for own, the process's identity. If
// As returns false, the thread must not go on, because it may have rights that it should not have.
func (r *Rights) As(c, own *vfs.Cred) bool {
	from, to := r.Cred, c
	if from == nil {
		from = own
	}
	if to == nil {
		to = own
	}
	r.Cred = unsettled
	if switchCred(from, to) != "" {
		return false
	}
	r.Cred = c
	return true
}

// Lost reports whether a switch failed half-way, so that the thread may have any rights.
func (r *Rights) Lost() bool { return r.Cred == unsettled }

// Acting returns the user for whom the thread acts, nil for the process itself.
func (r *Rights) Acting() *vfs.Cred { return r.Cred }
