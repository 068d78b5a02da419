package syscalls

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// refusals are the calls with Need Must or May that are refused, and how.
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

// try makes the call and returns how it is refused, 0 when it is not.
func (c *Call) try() unix.Errno {
	a := &c.args
	_, _, e := unix.RawSyscall6(c.Nr, a[0], a[1], a[2], a[3], a[4], a[5])
	switch e {
	case unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOENT, unix.EAFNOSUPPORT:
		return 0 // the kernel's own answer to what it is tried with
	}
	return e
}

// Refused reports whether the system call nr of [Calls], whose Need is Must or May,
// is refused to this process.
func Refused(nr uintptr) bool { return refusals()[nr] != 0 }

// Check returns an error that names every call with Need Must that is refused, and
// what to do about it; nil when there is none.
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

// Remedy says what to do about calls that are refused. missing says that one was
// answered with ENOSYS.
func Remedy(missing bool) string {
	status, _ := os.ReadFile("/proc/thread-self/status")
	filtered := true // as good as certain where nothing tells: old calls are among them
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

// Notes says what is done without: a line for each call with Need May that is refused,
// where somebody would notice.
func Notes() (notes []string) {
	for i := range Calls {
		c := &Calls[i]
		if e := refusals()[c.Nr]; e != 0 && c.Need == May && c.Without != "" {
			notes = append(notes, fmt.Sprintf("the system call %s is refused (%v): %s", c.Name, e, c.Without))
		}
	}
	return notes
}
