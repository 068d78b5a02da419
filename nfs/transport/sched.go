package transport

import "golang.org/x/sys/unix"

// giveWay makes the calling thread preempt nobody when it wakes (SCHED_BATCH, sched(7)). A lane is
// usually woken by the first of several calls. If their sender runs on the same processor, it
// should finish sending first: the lane then works on one batch, and the replies leave together.
// The policy has no effect on a lane that is running, or that has a processor to itself.
//
// The thread's time slice stays what it is, and from then on it is fixed, even if the system's
// default changes. A policy that somebody chose for the process stays. giveWay does nothing before
// Linux 6.12, where a thread cannot learn its time slice: there a thread that gives way might wait
// longer than one that does not.
func giveWay() {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL || attr.Runtime == 0 {
		return
	}
	attr.Policy = unix.SCHED_BATCH
	attr.Flags |= unix.SCHED_FLAG_RESET_ON_FORK // threads that this one starts do not inherit it
	_ = unix.SchedSetAttr(0, attr, 0)           // a lane works without it, too
}
