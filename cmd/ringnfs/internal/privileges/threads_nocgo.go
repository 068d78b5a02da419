//go:build !cgo

package privileges

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// drop does only what one system call, the same on all threads, can do. capset would give a worker
// back what it has removed itself for the user that it acts for.
func drop(_ []int, keep uint64) error {
	if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		return fmt.Errorf("no_new_privs: %w", e)
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if keep>>c&1 == 0 {
			// Without CAP_SETPCAP this fails; then no_new_privs is enough.
			_, _, _ = syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0, 0)
		}
	}
	if left, err := pending(); err != nil || len(left) == 0 {
		return err
	}
	return errors.New(
		"this program was built without cgo, so its threads keep capabilities that they do not need",
	)
}
