package uring

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelFloor is the oldest Linux that rings are made on.
const kernelFloor = "6.1"

// environment is what the machine says about itself. It is read when a step has failed, and passed
// to diagnose as a value, so that tests can try every verdict on any machine.
type environment struct {
	release string // of the kernel
	sysctl  string // kernel.io_uring_disabled; empty where there is none
	group   int    // kernel.io_uring_group; -1 for none
	seccomp bool   // a system call filter is active
	admin   bool   // the process has CAP_SYS_ADMIN
	member  bool   // the process belongs to group
	memlock uint64 // soft RLIMIT_MEMLOCK in bytes
	nofile  uint64 // soft RLIMIT_NOFILE
}

// diagnose names the likely cause of a failed set-up step, and the remedy.
func diagnose(op string, errno unix.Errno, env environment) error {
	e := &SetupError{Op: op, Errno: errno}
	switch errno {
	case unix.EPERM, unix.EACCES:
		diagnoseRefusal(e, env)
	case unix.ENOSYS:
		switch {
		case olderThan(env.release, 5, 1):
			e.old(env)
		case env.seccomp:
			e.filtered()
		default:
			e.Kind = ErrNotBuilt
			e.Cause = "Linux " + env.release + " was built without io_uring"
			e.Remedy = "use a kernel with CONFIG_IO_URING=y"
		}
	case unix.EINVAL:
		e.old(env)
		if !olderThan(env.release, 6, 1) {
			e.Kind = nil
			e.Cause = "Linux " + env.release + " refuses the ring's parameters"
			e.Remedy = ""
		}
	case unix.ENOMEM:
		e.Kind = ErrMemory
		e.Cause = "no memory for the ring, or the limit of locked memory is reached (" +
			strconv.FormatUint(env.memlock, 10) + " bytes)"
		e.Remedy = "raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or the memory limit of the cgroup, or use less memory"
	case unix.EMFILE, unix.ENFILE:
		e.Kind = ErrDescriptors
		e.Cause = "the limit of open files is reached (" + strconv.FormatUint(env.nofile, 10) + ")"
		e.Remedy = "raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)"
	}
	return e
}

// diagnoseRefusal finds out whether the sysctl or a system call filter refused io_uring.
func diagnoseRefusal(e *SetupError, env environment) {
	switch {
	case env.sysctl == "2":
		e.Kind = ErrForbidden
		e.Cause = "kernel.io_uring_disabled is 2, which forbids io_uring to everybody"
		e.Remedy = "run sysctl kernel.io_uring_disabled=0 as root"
	case env.sysctl == "1" && !env.admin && !env.member:
		e.Kind = ErrForbidden
		e.Cause = "kernel.io_uring_disabled is 1, which forbids io_uring to processes without CAP_SYS_ADMIN"
		if env.group >= 0 {
			e.Cause += " outside group " + strconv.Itoa(env.group)
			e.Remedy = "add the user to group " + strconv.Itoa(env.group) +
				" (kernel.io_uring_group), or run sysctl kernel.io_uring_disabled=0 as root"
		} else {
			e.Remedy = "set kernel.io_uring_group to a group of this user, or run sysctl kernel.io_uring_disabled=0 as root"
		}
	case env.seccomp:
		e.filtered()
	default:
		e.Kind = ErrFiltered
		e.Cause = "a security module or policy refuses io_uring, though kernel.io_uring_disabled allows it"
		e.Remedy = "allow it in the policy (SELinux, AppArmor, systemd SystemCallFilter=)"
	}
}

func (e *SetupError) filtered() {
	e.Kind = ErrFiltered
	e.Cause = "a system call filter (seccomp) refuses io_uring, as the default profile of container engines does"
	e.Remedy = "run the container with a profile that allows io_uring_setup, io_uring_enter and io_uring_register, " +
		"for instance --security-opt seccomp=unconfined, or add @io-uring to SystemCallFilter= of the systemd unit"
}

func (e *SetupError) old(env environment) {
	e.Kind = ErrKernelOld
	e.Cause = "Linux " + env.release + " is older than " + kernelFloor
	e.Remedy = "run Linux " + kernelFloor + " or later"
}

// olderThan compares a release such as "6.1.0-13-amd64". A release that cannot be read counts as
// not older.
func olderThan(release string, major, minor int) bool {
	parts := strings.FieldsFunc(release, func(c rune) bool { return c < '0' || c > '9' })
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil {
		return false
	}
	return a < major || a == major && b < minor
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "of unknown version"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// readEnvironment reads the facts that diagnose wants. A fact that cannot be read gets its harmless
// value.
func readEnvironment() environment {
	env := environment{release: kernelRelease(), group: -1}
	env.sysctl = readWord("/proc/sys/kernel/io_uring_disabled")
	if g, err := strconv.Atoi(readWord("/proc/sys/kernel/io_uring_group")); err == nil {
		env.group = g
	}
	groups, _ := unix.Getgroups()
	env.member = env.group >= 0 && (unix.Getegid() == env.group || slices.Contains(groups, env.group))
	status, _ := os.ReadFile("/proc/thread-self/status")
	env.seccomp = statusField(status, "Seccomp") != "0" && len(status) > 0
	capabilities, _ := strconv.ParseUint(statusField(status, "CapEff"), 16, 64)
	env.admin = capabilities&(1<<unix.CAP_SYS_ADMIN) != 0
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil {
		env.memlock = limit.Cur
	}
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		env.nofile = limit.Cur
	}
	return env
}

func readWord(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

func statusField(status []byte, name string) string {
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}
