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
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/pace"
)

func TestWritePathsAreReadAsTheyAreSaid(t *testing.T) {
	for word, want := range map[string]WritePath{"auto": WriteAuto, "worker": WriteWorker, "inline": WriteInline} {
		got, err := ParseWritePath(word)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseWritePath("inlined")
	require.ErrorIs(t, err, ErrWritePath)
}

func TestWhatLivesInMemoryIsWrittenByLanesAlsoWhenItIsSlow(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "content", 0o644)
	h := s.lookup("f")
	s.warm(h)
	now := s.fs.data.Pace.Clock()
	s.fs.data.Pace.Slow(now-int64(time.Second), now)
	require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
}

// laneWrite writes on the lane, and reports whether the lane did it.
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

// patient makes lanes write, however slow the machine is now.
func (s *served) patient() {
	at := s.fs.data.Pace.Clock()
	s.fs.data.Pace.Clock = func() int64 { return at }
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
			if !s.fs.data.Pace.On() {
				require.NotEqual(t, "tmpfs", k.name)
				want = vfs.Again // the probe has found this disc slow
			}
			require.Equal(t, want, s.laneWrite(h, 0, 4096, vfs.Unstable))
			require.Empty(t, s.fs.data.Pace.Why(), "nobody has asked for it")
		})
	}
}

func TestLanesNeverMakeStableWrites(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{Writes: WriteInline}, options{})
			s.patient()
			require.True(t, s.fs.data.Pace.On(), s.fs.data.Pace.Why())
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
			if s.fs.data.StillPages {
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
			// Once it is in memory, the lane writes again.
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
	e.Own.data.Locking.Add(1)
	require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.Unstable))
	e.Own.data.Locking.Add(-1)
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
	for s.l.v.data.Writer().Since() == 0 {
		select {
		case st := <-done: // a slow machine may have made the lane leave it to a worker
			require.Equal(t, vfs.Again, st)
			t.Skip("the machine is too slow for lanes to write")
		default:
			runtime.Gosched()
		}
	}
	runtime.GC() // which stops all goroutines, need not wait for that lane
	require.Empty(t, done)
	since := s.l.v.data.Writer().Since()
	s.fs.watchWrites(s.fs.data.Pace.Clock() + 2*pace.StuckWrite)
	require.False(t, s.l.v.data.Writer().Tell(since), "it was said")
	var other pace.Writer
	require.False(t, other.May(&s.fs.data.Pace), "the other lanes stop writing meanwhile")
	thaw()
	require.Equal(t, vfs.OK, <-done)
	require.Equal(t, vfs.Again, s.laneWrite(h, 0, 4096, vfs.Unstable))
}

func TestWhyLanesDoNotWriteIsSaid(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	fs := s.fs
	s.close() // nobody else has the file system any more
	fs.data.Pace.Open(WriteInline, -1, false, false)
	_, without := fs.Features()
	require.Contains(t, without, "lanes do not write: "+fs.data.Pace.Why())
}
