package pace

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const ms = int64(time.Millisecond)

func TestASlowWriteSendsLanesAwayForLongerAndLonger(t *testing.T) {
	l := Pace{on: true}
	now := 1000 * ms
	require.True(t, l.may(now))
	away := func(took int64) (pause int64) {
		start := now
		now += took
		l.took(start, now, 0)
		require.False(t, l.may(now))
		pause = l.until.Load() - now
		require.True(t, l.may(now+pause))
		return pause
	}
	require.Equal(t, 200*ms, away(11*ms))
	now += 200 * ms
	require.Equal(t, 400*ms, away(11*ms), "slow again at once")
	now += 400 * ms
	require.Equal(t, 800*ms, away(11*ms))
	now += 800*ms + 900*ms
	require.Equal(t, 400*ms, away(11*ms), "it went well for as long")
	now += 400*ms + 10_000*ms
	require.Equal(t, 200*ms, away(11*ms))
	for range 10 {
		now = l.until.Load()
		away(11 * ms)
	}
	require.Equal(t, pauseMax, l.pause.Load())
	now = l.until.Load()
	require.Equal(t, 300_000*ms, away(30_000*ms), "ten times as long as it held a lane up")
	now = l.until.Load()
	require.Equal(t, pauseLimit, away(int64(20*time.Minute)))
}

func TestALongWriteIsSlowOnlyWhenItIsNotTheOnlyOne(t *testing.T) {
	l := Pace{on: true}
	write := func(start, took int64) bool {
		l.took(start, start+took, 0)
		return !l.may(start + took)
	}
	require.False(t, write(1000*ms, 1*ms))
	require.False(t, write(1100*ms, 3*ms), "whoever shares a processor is late now and then")
	require.False(t, write(1110*ms, 1*ms))
	require.False(t, write(1200*ms, 3*ms))
	require.True(t, write(1210*ms, 3*ms))
	require.True(t, write(3000*ms, 11*ms))
	l.took(9000*ms, 9011*ms, 1<<20)
	require.True(t, l.may(9011*ms), "a large one may take longer")
}

func TestAWriteThatWasPreemptedIsNotSlow(t *testing.T) {
	onThread(t)
	// write takes 15 ms by the clock of the Pace, and reports whether that was slow.
	write := func(slept, preempted, ran int64) (slow bool) {
		now := 1000 * ms
		p := &Pace{on: true, Clock: func() int64 { return now }}
		var w Writer
		require.True(t, w.May(p))
		w.Begin(0)
		require.Equal(t, 1000*ms, w.Since())
		now += 15 * ms
		w.stood.slept -= slept
		w.stood.preempted -= preempted
		w.stood.ran -= ran
		w.End(p, 0)
		require.Zero(t, w.Since())
		return !p.may(now) || p.until.Load() != 0
	}
	// The kernel may preempt the thread at any time, and the runtime may stop it for its own
	// affairs, but not each time.
	often := func(slept, preempted, ran int64) bool {
		n := 0
		for range 20 {
			if write(slept, preempted, ran) {
				n++
			}
		}
		return n > 10
	}
	require.True(t, often(1, 0, 0))
	require.True(t, often(1, 1, 0), "it slept, too")
	require.True(t, often(0, 0, 14*ms), "it was busy")
	require.False(t, often(0, 0, 1*ms), "the hypervisor had the processor")
	require.False(t, often(0, 1, 14*ms))
	require.False(t, standing{}.heldUp(standing{at: slowWrite}))
	require.True(
		t,
		standing{}.heldUp(standing{at: slowWrite - 1}),
		"busy for less than a tick is not to be told from that",
	)
}

func TestTheKernelSaysWhatALaneHasDone(t *testing.T) {
	onThread(t)
	var w Writer
	before := w.standing(0)
	d := unix.Timespec{Nsec: 1000}
	require.NoError(t, unix.Nanosleep(&d, nil))
	now := w.standing(0)
	require.Greater(t, now.slept, before.slept)
	for begin := time.Now(); w.standing(0).ran < now.ran+30*ms; {
		require.Less(t, time.Since(begin), time.Minute, "busy, but the kernel does not say so")
	}
}

func TestALaneAsksOnceATurnHowOftenItHasSlept(t *testing.T) {
	onThread(t)
	var w Writer
	w.Begin(1)
	w.stood.slept = -7
	w.Begin(1)
	require.EqualValues(t, -7, w.stood.slept)
	w.Begin(2)
	require.GreaterOrEqual(t, w.stood.slept, int64(0), "asked again")
}

func TestLanesThatAreSlowTogetherCountOnce(t *testing.T) {
	l := Pace{on: true}
	l.took(0, 15*ms, 0)
	l.took(1*ms, 16*ms, 0)
	l.took(2*ms, 17*ms, 0)
	require.Equal(t, pauseMin, l.pause.Load())
	require.True(t, l.may(17*ms+pauseMin))
}

// Lanes that are held up again and again leave writing to the workers for ten seconds at most.
func TestThePauseOfLanesWritesIsBounded(t *testing.T) {
	const ms = int64(time.Millisecond)
	var l Pace
	l.on = true
	now, pauses := int64(0), []int64(nil)
	for range 10 {
		l.took(now, now+20*ms, 0)
		now += 20 * ms
		pauses = append(pauses, (l.until.Load()-now)/ms)
		now = l.until.Load() + ms // slow again soon
	}
	require.Equal(t, []int64{200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000, 10000}, pauses)
}

func TestDirtyPagesAreReadFromVmstat(t *testing.T) {
	dirty, limit, ok := dirtyPages([]byte("nr_free_pages 7\nnr_dirty 50\nnr_writeback 40\nnr_writeback_temp 1000\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\nnr_dirtied 5\n"))
	require.True(t, ok)
	require.EqualValues(t, 90, dirty)
	require.EqualValues(t, 200, limit)
	for _, text := range []string{"", "nr_dirty 90\n", "nr_dirty 90\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\n", "nr_dirty x\nnr_writeback 0\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\n"} {
		_, _, ok = dirtyPages([]byte(text))
		require.False(t, ok, text)
	}
	real, err := os.ReadFile("/proc/vmstat")
	require.NoError(t, err)
	_, limit, ok = dirtyPages(real)
	require.True(t, ok, "this kernel tells it otherwise")
	require.NotZero(t, limit)
}

func TestALaneThatWritesMuchHasMemoryLookedAt(t *testing.T) {
	p := &Pace{soiled: make(chan struct{}, 1)}
	var w Writer
	w.count(p, dirtyEvery-1)
	require.Empty(t, p.Soiled())
	w.count(p, 1)
	require.Len(t, p.Soiled(), 1)
	w.count(p, 3*dirtyEvery) // it does not wait for a receiver
	require.Len(t, p.Soiled(), 1)
}

func TestLanesPauseWhileMuchMemoryIsDirty(t *testing.T) {
	now := 1000 * ms
	p := &Pace{on: true, Clock: func() int64 { return now }}
	p.dirtied(749, 1000)
	require.True(t, p.may(now))
	p.dirtied(750, 1000)
	require.False(t, p.may(now))
	require.False(t, p.may(now+dirtyPause-1))
	require.True(t, p.may(now+dirtyPause))
	p.until.Store(now + pauseMax)
	p.dirtied(1000, 1000)
	require.Equal(t, now+pauseMax, p.until.Load(), "a long pause is not made shorter")
}

func TestLanesThatWriteInMemoryNeverPause(t *testing.T) {
	var p Pace
	p.Open(Auto, -1, true, false)
	require.True(t, p.On())
	p.Slow(0, 1000*ms)
	require.True(t, p.may(1000*ms))
	for _, c := range []struct {
		path    Path
		foreign bool
	}{{Worker, false}, {Auto, true}, {Inline, true}} {
		var p Pace
		p.Open(c.path, -1, true, c.foreign)
		require.False(t, p.On())
		require.False(t, p.may(0))
	}
}

func TestLanesDoNotWriteWhereASmallWriteTakesLong(t *testing.T) {
	root, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(root)) }()
	for path, why := range map[Path]string{Auto: "", Inline: "a small write takes 1ms"} {
		at := int64(0)
		p := Pace{Clock: func() int64 { at += ms; return at }}
		p.Open(path, root, false, false)
		require.False(t, p.On())
		require.Equal(t, why, p.Why(), "only who has asked for it is told")
	}
	var p Pace
	p.Open(Inline, -1, false, false)
	require.False(t, p.On())
	require.Contains(t, p.Why(), "could not be tried")
}

// onThread keeps the test on its thread, because the test asks for the thread's standing.
func onThread(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}
