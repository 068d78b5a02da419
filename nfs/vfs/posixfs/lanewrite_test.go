package posixfs

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

const ms = int64(time.Millisecond)

func TestWritePathsAreReadAsTheyAreSaid(t *testing.T) {
	for word, want := range map[string]WritePath{"auto": WriteAuto, "worker": WriteWorker, "inline": WriteInline} {
		got, err := ParseWritePath(word)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseWritePath("inlined")
	require.ErrorIs(t, err, ErrWritePath)
}

func TestASlowWriteSendsLanesAwayForLongerAndLonger(t *testing.T) {
	l := laneWrites{on: true}
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
	l := laneWrites{on: true}
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
	s := serve(t, tmpfsDir(t), Config{}, options{})
	// write takes 15 ms by the file system's clock, and reports whether that was slow.
	write := func(slept, preempted, ran int64) (slow bool) {
		s.l.do(func(v *View) {
			l := &v.fs.writes
			now := 1000 * ms
			l.clock = func() int64 { return now }
			l.until.Store(0)
			l.long.Store(0)
			v.asked = false
			v.awake(now)
			now += 15 * ms
			v.stood.slept -= slept
			v.stood.preempted -= preempted
			v.stood.ran -= ran
			v.wrote(now-15*ms, 0)
			slow = !l.may(now) || l.until.Load() != 0
		})
		return slow
	}
	// The kernel may preempt the thread at any time, and the runtime may stop it for its
	// own affairs, but not each time.
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
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.l.do(func(v *View) {
		before := v.standing(0)
		d := unix.Timespec{Nsec: 1000}
		require.NoError(t, unix.Nanosleep(&d, nil))
		now := v.standing(0)
		require.Greater(t, now.slept, before.slept)
		for begin := time.Now(); v.standing(0).ran < now.ran+30*ms; {
			require.Less(t, time.Since(begin), time.Minute, "busy, but the kernel does not say so")
		}
	})
}

func TestALaneAsksOnceATurnHowOftenItHasSlept(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.l.do(func(v *View) {
		v.awake(0)
		v.stood.slept = -7
		v.awake(0)
		require.EqualValues(t, -7, v.stood.slept)
		v.th.Epoch++
		v.awake(0)
		require.GreaterOrEqual(t, v.stood.slept, int64(0), "asked again")
	})
}

func TestWhatLivesInMemoryIsWrittenByLanesAlsoWhenItIsSlow(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "content", 0o644)
	h := s.lookup("f")
	s.warm(h)
	now := s.fs.writes.clock()
	s.fs.writes.took(now-1000*ms, now, 0)
	require.Positive(t, s.fs.writes.until.Load())
	require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
}

func TestLanesThatAreSlowTogetherCountOnce(t *testing.T) {
	l := laneWrites{on: true}
	l.took(0, 15*ms, 0)
	l.took(1*ms, 16*ms, 0)
	l.took(2*ms, 17*ms, 0)
	require.Equal(t, pauseMin, l.pause.Load())
	require.True(t, l.may(17*ms+pauseMin))
}

// laneWrite writes on the lane, and reports whether it did.
func (s *served) laneWrite(h vfs.Handle, off uint64, n int, how vfs.Stability) (st vfs.Status) {
	var w vfs.WCC
	s.l.do(func(v *View) {
		var m int
		m, _, _, st = v.Write(
			s.l.cred(0, 0),
			h,
			&vfs.WriteArgs{Off: off, Src: [][]byte{bytes.Repeat([]byte{'l'}, n)}, How: how},
			&w,
		)
		if st == vfs.OK {
			require.Equal(s.t, n, m)
			require.True(s.t, w.HasBefore)
			require.True(s.t, w.After.Filled())
		}
	})
	return st
}

// warm writes on a worker, so that the file is open.
func (s *served) warm(h vfs.Handle) {
	s.w.do(func(v *View) {
		var w vfs.WCC
		_, _, _, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("w")}, How: vfs.Unstable},
			&w,
		)
		require.Equal(s.t, vfs.OK, st)
	})
}

// patient makes lanes write however slow the machine is just now.
func (s *served) patient() {
	at := s.fs.writes.clock()
	s.fs.writes.clock = func() int64 { return at }
}

func TestByDefaultLanesWriteWhereWritingIsQuick(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{}, options{})
			s.patient()
			s.write("f", string(make([]byte, 8192)), 0o644)
			h := s.lookup("f")
			s.warm(h)
			want := vfs.OK
			if !s.fs.writes.on {
				require.NotEqual(t, "tmpfs", k.name)
				want = vfs.Again // the probe has found this disc slow
			}
			require.Equal(t, want, s.laneWrite(h, 0, 4096, vfs.Unstable))
			require.Empty(t, s.fs.writes.why, "nobody has asked for it")
		})
	}
}

func TestLanesNeverMakeStableWrites(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{Writes: WriteInline}, options{})
			s.patient()
			require.True(t, s.fs.writes.on, s.fs.writes.why)
			s.write("f", string(make([]byte, 8192)), 0o644)
			h := s.lookup("f")
			s.warm(h)
			require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
			require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.DataSync))
			require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.FileSync))
			s.l.do(func(v *View) {
				var w vfs.WCC
				_, st := v.Commit(s.l.cred(0, 0), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
				require.Equal(t, vfs.Again, st)
			})
			off := serve(t, s.dir, Config{Writes: WriteWorker}, options{})
			off.warm(off.lookup("f"))
			require.Equal(t, vfs.Again, off.laneWrite(off.lookup("f"), 0, 4096, vfs.Unstable))
		})
	}
}

func TestALaneLeavesWhatMustBeReadFirstToAWorker(t *testing.T) {
	const size = 5*4096 + 100
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	for _, k := range fileSystems[1:] {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{Writes: WriteInline}, options{})
			s.patient()
			if s.fs.writes.whole {
				t.Skip("needs a device without stable pages")
			}
			s.write("f", string(content), 0o644)
			h := s.lookup("f")
			s.w.do(func(v *View) {
				var w vfs.WCC
				_, _, _, st := v.Write(
					s.root(),
					h,
					&vfs.WriteArgs{Off: 0, Src: [][]byte{content[:1]}, How: vfs.FileSync},
					&w,
				)
				require.Equal(t, vfs.OK, st)
			})
			f, err := os.Open(filepath.Join(s.dir, "f"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			cold := func() {
				require.NoError(t, f.Sync())
				require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
			}
			for _, c := range []struct {
				name string
				off  uint64
				n    int
				st   vfs.Status
			}{
				{"a whole page", 4096, 4096, vfs.OK},
				{"whole pages to the end of the file", 4 * 4096, 4096 + 100, vfs.OK},
				{"from within a page", 4096 + 1, 4095, vfs.Again},
				{"to within a page", 4096, 100, vfs.Again},
				{"behind the end, in its page", size, 10, vfs.Again},
				{"far behind the end", 100 * 4096, 4096, vfs.Again},
				{"around the end, from within a page", size - 10, 20, vfs.Again},
			} {
				cold()
				require.Equal(t, c.st, s.laneWrite(h, c.off, c.n, vfs.Unstable), c.name)
			}
			// In memory it is for the lane again.
			_, err = f.ReadAt(make([]byte, size), 0)
			require.NoError(t, err)
			require.Equal(t, vfs.OK, s.laneWrite(h, 4096+1, 100, vfs.Unstable))
			require.Equal(t, vfs.OK, s.laneWrite(h, 100*4096, 1, vfs.Unstable))
		})
	}
}

func TestALaneLeavesAFileThatAWorkerHasLockedAlone(t *testing.T) {
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	s := serve(t, dir, Config{Writes: WriteInline}, options{})
	s.patient()
	s.write("f", string(make([]byte, 8192)), 0o644)
	h := s.lookup("f")
	s.warm(h)
	var e *entry
	s.w.do(func(v *View) {
		var st vfs.Status
		e, st = v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		v.done()
	})
	e.Own.access.locking.Add(1)
	require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.Unstable))
	e.Own.access.locking.Add(-1)
	require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
}

func TestAFrozenFileSystemHoldsNoLaneUp(t *testing.T) {
	for _, k := range fileSystems[1:] {
		t.Run(k.name, func(t *testing.T) {
			dir := k.dir(t)
			s := serve(t, dir, Config{Writes: WriteWorker}, options{})
			s.write("f", string(make([]byte, 8192)), 0o644)
			h := s.lookup("f")
			s.warm(h)
			thaw := disktest.Freeze(t, dir)
			done := make(chan vfs.Status, 1)
			s.w.jobs <- func() {
				var w vfs.WCC
				_, _, _, st := s.w.v.Write(s.root(), h, &vfs.WriteArgs{Off: 0, Src: [][]byte{make([]byte, 4096)}, How: vfs.Unstable}, &w)
				done <- st
			}
			require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.Unstable))
			s.l.do(func(v *View) {
				var a vfs.Attr
				require.Equal(t, vfs.OK, v.GetAttr(h, &a))
				_, _, st := v.Read(s.l.cred(0, 0), h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 4096)}, &a)
				require.Contains(t, []vfs.Status{vfs.OK, vfs.Again}, st)
			})
			thaw()
			require.Equal(t, vfs.OK, <-done)
		})
	}
}

func TestLanesThatWereFrozenLeaveWritingToTheWorkers(t *testing.T) {
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	s := serve(t, dir, Config{Writes: WriteInline}, options{period: time.Hour})
	s.write("f", string(make([]byte, 8192)), 0o644)
	h := s.lookup("f")
	s.warm(h)
	thaw := disktest.Freeze(t, dir)
	done := make(chan vfs.Status, 1)
	s.l.jobs <- func() {
		var w vfs.WCC
		_, _, _, st := s.l.v.Write(s.l.cred(0, 0), h, &vfs.WriteArgs{Off: 0, Src: [][]byte{make([]byte, 4096)}, How: vfs.Unstable}, &w)
		done <- st
	}
	for s.l.v.writing.Load() == 0 {
		select {
		case st := <-done: // a slow machine may have sent it away before
			require.Equal(t, vfs.Again, st)
			t.Skip("the machine is too slow for lanes to write")
		default:
			runtime.Gosched()
		}
	}
	runtime.GC() // which stops all goroutines, need not wait for that lane
	require.Empty(t, done)
	now := s.fs.writes.clock() + 2*stuckWrite
	s.fs.watchWrites(now)
	require.False(t, s.fs.writes.may(now), "the others stop writing")
	require.NotZero(t, s.l.v.told.Load())
	thaw()
	require.Equal(t, vfs.OK, <-done)
	require.False(t, s.fs.writes.may(s.fs.writes.clock()))
	require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.Unstable))
}

func TestLanesDoNotWriteToWhatCannotBeTried(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.fs.writes.clock = func() func() int64 {
		var at int64
		return func() int64 { at += ms; return at }
	}()
	require.Contains(t, s.fs.probeWrites(), "a small write takes 1ms")
	s.fs.writes.why = "reason"
	_, without := s.fs.Features()
	require.Contains(t, without, "lanes do not write: reason")
}
