package transport

import "golang.org/x/sys/unix"

// giveWay makes the calling thread one that preempts nobody when it wakes
// (SCHED_BATCH, sched(7)). What wakes a lane is the first of many calls. Where the one
// that sends them is on the same processor it had better send them all: the lane then
// has one batch instead of several, and what it replies leaves together. A lane that
// is running, or that has a processor to itself, is not affected.
//
// The time slice stays what it is (from then on fixed, should the system's change).
// A policy that somebody chose for the process stays. So does that of a kernel before
// Linux 6.12, which does not tell a thread its time slice: there a thread that gives
// way might wait for longer than one that does not.
func giveWay() {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL || attr.Runtime == 0 {
		return
	}
	attr.Policy = unix.SCHED_BATCH
	attr.Flags |= unix.SCHED_FLAG_RESET_ON_FORK // it is not for threads that this one starts
	_ = unix.SchedSetAttr(0, attr, 0)           // without it the lane works as well
}
