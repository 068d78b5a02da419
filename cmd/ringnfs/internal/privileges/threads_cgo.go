//go:build cgo

package privileges

// The runtime cannot run a system call on each thread of a program with cgo. A signal can:
// its handler runs on the thread that it is sent to, as glibc's setuid does it.

/*
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// asking is the signal that no thread of a Go program blocks, not even the one that waits
// for the signals of package os/signal, and that glibc leaves to programs.
enum { asking = 34 };

static uint64_t kept;

// give_up runs on each thread, possibly within a system call of Go code: it makes system
// calls only, and leaves errno as it was.
static void give_up(int sig, siginfo_t *info, void *context) {
	int saved = errno;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int c = 0; c < 64; c++)
		if (!(kept >> c & 1))
			syscall(SYS_prctl, PR_CAPBSET_DROP, c, 0, 0, 0);
	syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, caps) == 0) {
		for (int i = 0; i < 2; i++) {
			uint32_t keep = kept >> (32 * i);
			caps[i].permitted &= keep;
			caps[i].effective &= keep;
			caps[i].inheritable = 0;
		}
		syscall(SYS_capset, &header, caps);
	}
	errno = saved;
}

// send has the threads give up all but keep. The handler stays, for signals that arrive
// late.
static int send(uint64_t keep, const int *tids, int n) {
	struct sigaction act;
	memset(&act, 0, sizeof act);
	act.sa_sigaction = give_up;
	act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigfillset(&act.sa_mask);
	kept = keep;
	if (sigaction(asking, &act, NULL) != 0)
		return errno;
	for (int i = 0; i < n; i++)
		if (syscall(SYS_tgkill, getpid(), tids[i], asking) != 0 && errno != ESRCH)
			return errno;
	return 0;
}
*/
import "C"

import (
	"fmt"
	"syscall"
)

func drop(tids []int, keep uint64) error {
	list := make([]C.int, len(tids))
	for i, tid := range tids {
		list[i] = C.int(tid)
	}
	if e := C.send(C.uint64_t(keep), &list[0], C.int(len(list))); e != 0 {
		return fmt.Errorf("to have threads give up capabilities: %w", syscall.Errno(e))
	}
	return nil
}
