package posixfs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The age ends a right that was taken away without a trace in the object. So nothing else may end
// it in this test: no younger verdict in the same place, no other ctime.
func TestAVerdictThatNothingReplacesEndsWithTheSecondTick(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour}) // the test drives the ticks
	s.write("f", "x", 0o644)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		c := s.root()
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		defer v.done()
		require.Equal(t, vfs.OK, v.stat(e, &v.st))
		st2 := v.st
		st2.Ctime.Sec -= 10 // old enough to be remembered
		granted, st := v.judge.May(c, &e.Own.rights, &st2, vfs.MayRead)
		require.Equal(t, vfs.OK, st)
		require.Equal(t, vfs.MayRead, granted)
		for tick, good := range []bool{true, true, false, false} {
			require.Equal(t, good, v.judge.Judged(c, &e.Own.rights, vfs.MayRead), "after %d ticks", tick)
			_, known := v.judge.Recall(c, &e.Own.rights, &st2, vfs.MayRead)
			require.Equal(t, good, known, "after %d ticks", tick)
			s.fs.tick.Add(1)
		}
	})
}

// A flush of a directory promises as much as that of a file: if it fails, unstable data of other
// files of the file system may be lost with it.
func TestAFailedFlushOfADirectoryChangesTheVerifier(t *testing.T) {
	var errno unix.Errno
	flush := func(int) unix.Errno { return errno }
	s := serve(
		t,
		loopDir(t, 16, "mkfs.ext4", "-q"),
		Config{},
		options{period: time.Hour, fsync: flush, syncfs: flush},
	)
	t.Cleanup(s.close) // before the unmount
	s.w.do(func(v *View) {
		for i, e := range []unix.Errno{unix.EIO, unix.ENOSPC, 0} {
			errno = e
			verf, name := s.fs.Verifier(), fmt.Sprint("d", i)
			st := v.Mkdir(s.root(), s.fs.Root(), &vfs.MkdirArgs{Name: []byte(name), Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
			require.Equal(t, s.fs.status(e), st)
			want := verf
			if e != 0 {
				want++
			}
			require.Equal(t, want, s.fs.Verifier(), "%v", e)
		}
	})
}

// Descriptors that are about to be closed do not count twice. While they are in use, no further
// entries are retired for them. Once they are closed, they make no more room.
func TestOnlyDescriptorsThatAreStillToBeClosedAreCountedAsThat(t *testing.T) {
	const bound, files, used = 16, 40, 4 // one operation uses at most four
	s := serve(t, tmpfsDir(t), Config{FDMax: bound}, options{period: time.Hour})
	var handles [files]vfs.Handle
	for i := range handles {
		s.write(fmt.Sprint(i), "", 0o644)
		handles[i] = s.lookup(fmt.Sprint(i))
	}
	living := func() (list []vfs.Handle) { // each has one descriptor
		s.l.do(func(v *View) {
			for _, h := range handles {
				if v.GetAttr(h, new(vfs.Attr)) == vfs.OK {
					list = append(list, h)
				}
			}
		})
		return list
	}
	full := living()
	require.Len(t, full, bound-1, "the top directory has one, too")
	s.w.do(func(v *View) {
		defer v.done()
		for i := range used {
			e, st := v.acquire(&full[i], i)
			require.Equal(t, vfs.OK, st)
			s.fs.retire(e)
		}
		s.fs.room(used)
		require.Len(t, living(), bound-1-used, "all four are in use, and on their way out")
		s.fs.room(used + 1)
		require.Len(t, living(), bound-1-used-1, "and a fifth is wanted")
	})
	s.fs.reap(true)
	for _, h := range handles {
		s.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, new(vfs.Attr))) })
		require.LessOrEqual(t, len(living()), bound, "what was closed makes no room twice")
	}
	require.GreaterOrEqual(t, len(living()), bound-1)
}

// A range that does not begin with a page lies in one page more than its bytes fill.
func TestAnUnalignedRangeNeedsRoomForThePageThatItBeginsIn(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", string(make([]byte, 64<<10)), 0o644)
	h, p := s.lookup("f"), testPipe(t)
	p.Room = 16 << 10
	for _, c := range []struct {
		off uint64
		n   int
		st  vfs.Status
	}{
		{0, 16 << 10, vfs.OK}, {4096, 16 << 10, vfs.OK}, {0, 16<<10 + 1, vfs.NotSupp},
		{1, 16<<10 - 1, vfs.OK}, {1, 16 << 10, vfs.NotSupp},
		{4095, 16<<10 - 4095, vfs.OK}, {4095, 16<<10 - 4094, vfs.NotSupp}, {8191, 16 << 10, vfs.NotSupp},
	} {
		moved, _, st := s.splice(p, h, 0, c.off, c.n, new(vfs.Attr))
		require.Equal(t, c.st, st, "%d at %d", c.n, c.off)
		if st == vfs.OK {
			require.Equal(t, c.n, moved)
		}
		require.Len(t, empty(t, p), moved)
	}
}

// relatime's rule (mount(8)): the access time is behind a change, or a day old.
func TestAnAccessTimeIsBehindWhenItIsADayOld(t *testing.T) {
	const now = 1_000_000_000
	var fs FS
	fs.now.Store(now)
	at := func(sec int64) unix.StatxTimestamp { return unix.StatxTimestamp{Sec: sec} }
	for age, behind := range map[int64]bool{0: false, 86_399: false, 86_400: true, 86_401: true} {
		st := unix.Statx_t{Atime: at(now - age), Mtime: at(1), Ctime: at(1)}
		require.Equal(t, behind, fs.behind(&st), "%d seconds", age)
	}
	for change, behind := range map[int64]bool{now - 11: false, now - 10: true, now - 9: true} {
		for _, st := range []unix.Statx_t{
			{Atime: at(now - 10), Mtime: at(change), Ctime: at(1)}, {Atime: at(now - 10), Mtime: at(1), Ctime: at(change)},
		} {
			require.Equal(t, behind, fs.behind(&st), "changed at %d", change-now)
		}
	}
}

// The first of the janitor's rounds clears an entry's mark. The fourth round after it that finds
// the entry unused closes it.
func TestAnEntryIsKeptForFourRoundsWithoutUse(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour}) // the test drives the ticks
	s.write("f", "", 0o644)
	h := s.lookup("f")
	for rounds := 1; rounds <= 6; rounds++ {
		s.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, new(vfs.Attr))) })
		for range rounds {
			s.fs.sweep()
		}
		s.l.do(func(v *View) {
			require.Equal(t, rounds <= 4, v.GetAttr(h, new(vfs.Attr)) == vfs.OK, "%d rounds", rounds)
		})
	}
}
