package transport

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// policyOf calls f on a thread of its own that has this policy, and returns the thread's policy
// afterwards.
func policyOf(t *testing.T, policy uint32, f func()) uint32 {
	t.Helper()
	type outcome struct {
		attr *unix.SchedAttr
		err  error
	}
	got := make(chan outcome)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		attr, err := unix.SchedGetAttr(0, 0)
		if err == nil {
			attr.Policy = policy // nice stays as it is: lowering it is a privilege
			err = unix.SchedSetAttr(0, attr, 0)
		}
		if err == nil {
			f()
			attr, err = unix.SchedGetAttr(0, 0)
		}
		got <- outcome{attr, err}
	}()
	o := <-got
	require.NoError(t, o.err)
	return o.attr.Policy
}

func TestALaneGivesWayWhereTheKernelTellsTimeSlices(t *testing.T) {
	ts := startTest(t, nil)
	attr, err := unix.SchedGetAttr(0, 0)
	require.NoError(t, err)
	if attr.Policy != unix.SCHED_NORMAL {
		t.Skip("the test has a policy that somebody chose")
	}
	want := uint32(unix.SCHED_NORMAL)
	if attr.Runtime != 0 {
		want = unix.SCHED_BATCH
	}
	var of *unix.SchedAttr
	ts.onLane(func(*lane) int {
		of, err = unix.SchedGetAttr(0, 0)
		return 0
	})
	require.NoError(t, err)
	require.Equal(t, want, of.Policy)
	if want == unix.SCHED_BATCH {
		require.NotZero(t, of.Flags&unix.SCHED_FLAG_RESET_ON_FORK, "what a lane starts would give way, too")
	}
	require.Equal(t, attr.Nice, of.Nice)
}

func TestAPolicyThatSomebodyChoseStays(t *testing.T) {
	require.EqualValues(t, unix.SCHED_IDLE, policyOf(t, unix.SCHED_IDLE, giveWay))
	require.EqualValues(t, unix.SCHED_BATCH, policyOf(t, unix.SCHED_BATCH, giveWay))
}
