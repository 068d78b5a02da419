package loop_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// never is a tick that does not come in a test, so that a loop that nobody wakes hangs.
const never = time.Hour

// owner is a loop.Owner made of functions, each of which may be nil.
type owner struct {
	turn func()
	tick func()
}

func (o *owner) Turn() {
	if o.turn != nil {
		o.turn()
	}
}

func (o *owner) Tick(time.Time) {
	if o.tick != nil {
		o.tick()
	}
}

// handler is a loop.Handler made of a function.
type handler func(id loop.ID, kind loop.Kind, res int32, flags uint32, last bool)

func (h handler) Complete(id loop.ID, kind loop.Kind, res int32, flags uint32, last bool) {
	h(id, kind, res, flags, last)
}

// leakCheck fails the test when goroutines or descriptors are left at its end.
func leakCheck(t *testing.T) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	before := descriptors(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, ignore)
		require.LessOrEqual(t, descriptors(t), before, "descriptors are left open")
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// looksMax is how often in a row a scripted loop may find nothing before it fails.
const looksMax = 20_000

// scripted makes a loop over a scripted ring. The eventfd works as in the kernel; idle is asked
// first what completes next.
func scripted(t *testing.T, o loop.Owner, opt uringtest.Options) (*loop.Loop, *uringtest.Ring) {
	t.Helper()
	idle, blind := opt.Idle, 0
	var l *loop.Loop
	var err error
	opt.Idle = func(r *uringtest.Ring) bool {
		if idle != nil && idle(r) || answerWakeUp(r) {
			blind = 0
			return true
		}
		if blind++; blind == looksMax {
			l.Fail(fmt.Errorf("nothing has happened in %d looks", blind))
		}
		return false
	}
	r := uringtest.New(t, opt)
	l, err = loop.New(r, o, never)
	require.NoError(t, err)
	return l, r
}

// answerWakeUp completes the read of the eventfd when the eventfd can be read, and waits a little
// for that.
func answerWakeUp(r *uringtest.Ring) bool {
	o := r.Find("READ")
	if o == nil {
		return false
	}
	p := []unix.PollFd{{Fd: int32(o.FD), Events: unix.POLLIN}}
	if n, _ := unix.Poll(p, 1); n < 1 {
		return false
	}
	n, err := unix.Read(o.FD, o.Memory())
	if err != nil {
		return false
	}
	o.Complete(int32(n))
	return true
}

// live is a loop over a ring of the kernel, running on a thread of its own.
type live struct {
	*loop.Loop
	tid  int
	done chan error
}

// start runs a loop; setup is called on its thread before the first turn.
func start(t testing.TB, o loop.Owner, tick time.Duration, setup func(*loop.Loop)) *live {
	t.Helper()
	v := &live{done: make(chan error, 1)}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		r, err := uring.New(uring.Config{Entries: 64})
		if err == nil {
			v.Loop, err = loop.New(r, o, tick)
		}
		v.tid = unix.Gettid()
		ready <- err
		if err != nil {
			return
		}
		if setup != nil {
			setup(v.Loop)
		}
		err = v.Run()
		if e := r.Close(); err == nil {
			err = e
		}
		v.done <- err
	}()
	if err := <-ready; err != nil {
		t.Skipf("io_uring: %v", err)
	}
	return v
}

// on runs f on the loop's thread and waits for it.
func (v *live) on(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	require.NoError(t, v.Post(loop.TaskFunc(func() { f(); close(done) })))
	select {
	case <-done:
	case err := <-v.done:
		t.Fatal("the loop has ended: ", err)
	}
}

// end stops the loop and waits for it.
func (v *live) end(t testing.TB) {
	t.Helper()
	require.NoError(t, v.Post(loop.TaskFunc(v.Stop)))
	require.NoError(t, v.join(t))
}

func (v *live) join(t testing.TB) error {
	t.Helper()
	return <-v.done
}

// asleep returns once the thread is within io_uring_enter, or is not in many looks.
func asleep(tid int) {
	for range 1000 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		if err != nil || strings.HasPrefix(string(b), fmt.Sprint(unix.SYS_IO_URING_ENTER)) {
			return // or the kernel does not tell
		}
		runtime.Gosched()
	}
}
