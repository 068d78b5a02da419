package uring

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestStartUpErrorsNameCauseAndRemedy(t *testing.T) {
	modern := environment{release: "6.18.1", sysctl: "0", group: -1, memlock: 65536, nofile: 1024}
	with := func(change func(*environment)) environment {
		e := modern
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		errno unix.Errno
		env   environment
		kind  error
		text  []string
	}{
		"sysctl forbids all": {unix.EPERM, with(func(e *environment) { e.sysctl = "2"; e.admin = true }),
			ErrForbidden, []string{"io_uring_disabled is 2", "sysctl kernel.io_uring_disabled=0"}},
		"sysctl forbids the unprivileged": {unix.EPERM, with(func(e *environment) { e.sysctl = "1" }),
			ErrForbidden, []string{"io_uring_disabled is 1", "kernel.io_uring_group"}},
		"sysctl wants a group": {unix.EPERM, with(func(e *environment) { e.sysctl = "1"; e.group = 970 }),
			ErrForbidden, []string{"outside group 970", "add the user to group 970"}},
		"filter despite the group": {unix.EPERM, with(func(e *environment) { e.sysctl = "1"; e.group, e.member = 970, true; e.seccomp = true }),
			ErrFiltered, []string{"seccomp", "--security-opt"}},
		"container": {unix.EPERM, with(func(e *environment) { e.seccomp = true }),
			ErrFiltered, []string{"seccomp", "container", "@io-uring"}},
		"container that answers ENOSYS": {unix.ENOSYS, with(func(e *environment) { e.seccomp = true }),
			ErrFiltered, []string{"seccomp"}},
		"security module": {unix.EACCES, modern, ErrFiltered, []string{"SELinux"}},
		"kernel of 2018": {unix.ENOSYS, with(func(e *environment) { e.release = "4.19.0-5-amd64" }),
			ErrKernelOld, []string{"4.19.0-5-amd64", "older than 6.1"}},
		"kernel of 2021": {unix.EINVAL, with(func(e *environment) { e.release = "5.15.0" }),
			ErrKernelOld, []string{"5.15.0", "run Linux 6.1 or later"}},
		"kernel without io_uring": {unix.ENOSYS, modern, ErrNotBuilt, []string{"CONFIG_IO_URING"}},
		"locked memory":           {unix.ENOMEM, modern, ErrMemory, []string{"65536 bytes", "RLIMIT_MEMLOCK"}},
		"descriptors":             {unix.EMFILE, modern, ErrDescriptors, []string{"1024", "RLIMIT_NOFILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := diagnose("io_uring_setup", c.errno, c.env)
			require.ErrorIs(t, err, c.kind)
			require.ErrorIs(t, err, c.errno)
			var setup *SetupError
			require.ErrorAs(t, err, &setup)
			require.NotEmpty(t, setup.Remedy)
			for _, text := range c.text {
				require.Contains(t, err.Error(), text)
			}
		})
	}
	err := diagnose("io_uring_setup", unix.EINVAL, modern)
	require.NotErrorIs(t, err, ErrKernelOld)
	require.Contains(t, err.Error(), "refuses the ring's parameters")
}

func TestReleasesAreCompared(t *testing.T) {
	for release, older := range map[string]bool{
		"6.1.0-13-amd64": false, "6.0.19": true, "5.19.0": true, "6.18.44-x": false,
		"7.0": false, "10.0.1": false, "6": false, "of unknown version": false, "": false,
	} {
		require.Equal(t, older, olderThan(release, 6, 1), release)
	}
}

func TestEnvironmentIsRead(t *testing.T) {
	env := readEnvironment()
	require.NotEmpty(t, env.release)
	require.NotZero(t, env.nofile)
}

// TestSystemCallFilterIsRecognised lets a filter refuse io_uring_setup to one thread, which ends
// with the goroutine.
func TestSystemCallFilterIsRecognised(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		result := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked
			if err := filterSetup(errno); err != nil {
				result <- err
				return
			}
			_, err := probeFresh(sysSetup)
			result <- err
		}()
		err := <-result
		if errors.Is(err, errNoFilter) {
			t.Skip("kernel feature seccomp filter: ", err)
		}
		require.ErrorIs(t, err, ErrFiltered)
		require.ErrorIs(t, err, errno)
	}
}

var errNoFilter = errors.New("cannot install a system call filter")

// filterSetup makes io_uring_setup fail with errno on this thread.
func filterSetup(errno unix.Errno) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return errors.Join(errNoFilter, err)
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if e != 0 {
		return errors.Join(errNoFilter, e)
	}
	return nil
}
