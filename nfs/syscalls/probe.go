package syscalls

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// refusals are the refused calls with Need Must or May, and their errors.
var refusals = sync.OnceValue(func() map[uintptr]unix.Errno {
	refused := make(map[uintptr]unix.Errno)
	for i := range Calls {
		c := &Calls[i]
		if c.Need != Must && c.Need != May {
			continue
		}
		if e := c.try(); e != 0 {
			refused[c.Nr] = e
		}
	}
	return refused
})

// try makes the call. It returns the error of a refusal, or 0.
func (c *Call) try() unix.Errno {
	a := &c.args
	_, _, e := unix.RawSyscall6(c.Nr, a[0], a[1], a[2], a[3], a[4], a[5])
	switch e {
	case unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOENT, unix.EAFNOSUPPORT:
		return 0 // the kernel's own answer to these arguments
	}
	return e
}

// Refused reports whether this process may not make the system call nr of [Calls], whose Need is
// Must or May.
func Refused(nr uintptr) bool { return refusals()[nr] != 0 }

// Check returns an error that names every refused call with Need Must, and what to do about it. It
// returns nil if there is none.
func Check() error {
	var list []string
	missing := false
	for i := range Calls {
		c := &Calls[i]
		e := refusals()[c.Nr]
		if e == 0 || c.Need != Must {
			continue
		}
		missing = missing || e == unix.ENOSYS
		list = append(list, fmt.Sprintf("%s (%v; needed to %s)", c.Name, e, c.Purpose))
	}
	if list == nil {
		return nil
	}
	return fmt.Errorf("system calls are refused that nothing can be served without: %s; %s",
		strings.Join(list, ", "), Remedy(missing))
}

// Remedy says what to do about refused calls. missing says that one of them was answered with
// ENOSYS.
func Remedy(missing bool) string {
	status, _ := os.ReadFile("/proc/thread-self/status")
	filtered := true // nearly certain if nothing tells: old calls are refused, too
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte("Seccomp:")); ok {
			filtered = string(bytes.TrimSpace(v)) != "0"
		}
	}
	switch {
	case filtered:
		return "a system call filter (seccomp) does it: allow them in the container's profile, " +
			"or in SystemCallFilter= of the systemd unit (with SystemCallErrorNumber=EPERM)"
	case missing:
		return "run Linux 6.1 or later"
	}
	return "a security module does it: allow them in its policy (SELinux, AppArmor)"
}

// Notes says what the server does without: a line for each refused call with Need May that somebody
// would miss.
func Notes() (notes []string) {
	for i := range Calls {
		c := &Calls[i]
		if e := refusals()[c.Nr]; e != 0 && c.Need == May && c.Without != "" {
			notes = append(notes, fmt.Sprintf("the system call %s is refused (%v): %s", c.Name, e, c.Without))
		}
	}
	return notes
}
