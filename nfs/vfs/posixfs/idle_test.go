package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestAWrittenFileIsLetGoSoonOnceItIsStable(t *testing.T) {
	needRoot(t)
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, mnt, Config{}, options{period: time.Hour}) // the test drives the ticks
	t.Cleanup(s.close)
	script := "#!/bin/sh\nexit 7\n"
	var w vfs.WCC
	var h vfs.Handle
	code := func() int {
		err := exec.Command(filepath.Join(mnt, "f")).Run()
		var exit *exec.ExitError
		if err == nil {
			return 0
		}
		require.ErrorAs(t, err, &exit)
		return exit.ExitCode()
	}
	rest := func() {
		s.fs.restWriters()
		s.fs.reap(true)
	}
	writing := func() bool { return s.fs.tab.Counts().Writing > 0 }
	s.w.do(func(v *View) {
		var st vfs.Status
		h, st = s.create(v, "f")
		require.Equal(t, vfs.OK, st)
		require.Equal(t, vfs.OK, v.SetAttr(s.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o755}, &w))
		_, _, _, st = v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte(script)}, How: vfs.Unstable},
			&w,
		)
		require.Equal(t, vfs.OK, st)
	})
	for range idleRounds {
		rest()
		require.True(
			t,
			writing(),
			"what is unstable must be flushed through the descriptor that it was written to",
		)
	}
	s.w.do(func(v *View) {
		_, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Equal(t, vfs.OK, st)
	})
	rest()
	require.True(t, writing(), "in use a moment ago")
	rest()
	require.False(t, writing())
	require.Equal(t, 7, code(), "a file that is open for writing cannot be executed")
	run(t, "mount", "-o", "remount,ro", mnt)
	run(t, "mount", "-o", "remount,rw", mnt)
	s.w.do(func(v *View) {
		_, _, _, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("#!/bin/sh\nexit 5\n")}, How: vfs.FileSync},
			&w,
		)
		require.Equal(t, vfs.OK, st)
	})
	rest()
	rest()
	require.Equal(t, 5, code())
}

// accessTime returns a file's access time as the kernel has it, and its ctime.
func (s *served) accessTime(name string) (atime, ctime unix.Timespec) {
	var st unix.Stat_t
	require.NoError(s.t, unix.Stat(filepath.Join(s.dir, name), &st))
	return st.Atim, st.Ctim
}

func TestReadingKeepsAccessTimesAsRelatimeWould(t *testing.T) {
	needRoot(t)
	for _, k := range fileSystems[1:] {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{}, options{period: time.Hour})
			t.Cleanup(s.close)
			require.True(t, s.fs.is.ownAtime)
			s.write("f", "content", 0o644)
			h, p := s.lookup("f"), filepath.Join(s.dir, "f")
			b := make([]byte, 64)
			read := func(r *runner) (a vfs.Attr, st vfs.Status) {
				r.do(func(v *View) { _, _, st = v.Read(r.cred(0, 0), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a) })
				return a, st
			}
			old := []unix.Timespec{{Sec: 1e9}, {Sec: 1e9 + 5}}
			age := func() {
				require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, p, old, 0))
			}
			// A worker updates it once, and the reply shows it.
			age()
			_, ctime := s.accessTime("f")
			_, st := read(s.l)
			require.Equal(t, vfs.Again, st)
			a, st := read(s.w)
			require.Equal(t, vfs.OK, st)
			at, ct := s.accessTime("f")
			require.Greater(t, at.Sec, int64(1e9))
			require.Equal(t, vfs.Time{Sec: at.Sec, Nsec: uint32(at.Nsec)}, a.Atime)
			require.Equal(t, ctime, ct, "reading is no change")
			_, st = read(s.l)
			require.Equal(t, vfs.OK, st)
			// Soon after, the lane need not leave the READ to a worker. The janitor
			// updates the time.
			age()
			_, st = read(s.l)
			require.Equal(t, vfs.OK, st)
			at, _ = s.accessTime("f")
			require.EqualValues(t, 1e9, at.Sec)
			s.fs.sweep()
			at, _ = s.accessTime("f")
			require.Greater(t, at.Sec, int64(1e9))
			// The same holds if the entry is closed first.
			age()
			_, st = read(s.l)
			require.Equal(t, vfs.OK, st)
			e := s.living(h)
			require.True(t, e.Own.atime.due.Load())
			s.fs.retire(e)
			s.fs.reap(true)
			require.Eventually(t, func() bool { // the janitor was woken up, too
				at, _ = s.accessTime("f")
				return at.Sec > 1e9
			}, time.Minute, time.Millisecond)
		})
	}
}

func TestAnAccessTimeThatStaysDoesNotKeepLanesFromReading(t *testing.T) {
	needRoot(t)
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, mnt, Config{}, options{period: time.Hour})
	t.Cleanup(s.close)
	s.write("f", "content", 0o644)
	h := s.lookup("f")
	require.NoError(
		t,
		unix.UtimesNanoAt(
			unix.AT_FDCWD,
			filepath.Join(mnt, "f"),
			[]unix.Timespec{{Sec: 1e9}, {Sec: 1e9 + 5}},
			0,
		),
	)
	run(t, "mount", "-o", "remount,ro", mnt)
	again := 0
	for range vainMax + 5 {
		s.fs.tick.Add(1)
		var a vfs.Attr
		b := make([]byte, 10)
		var st vfs.Status
		s.l.do(func(v *View) { _, _, st = v.Read(s.l.cred(0, 0), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a) })
		if st == vfs.Again {
			again++
			s.w.do(func(v *View) { _, _, st = v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a) })
		}
		require.Equal(t, vfs.OK, st)
	}
	require.LessOrEqual(t, again, vainMax)
}

func TestMountsWithoutAccessTimesAreReadByLanesAtOnce(t *testing.T) {
	needRoot(t)
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	run(t, "mount", "-o", "remount,noatime", mnt)
	s := serve(t, mnt, Config{}, options{})
	t.Cleanup(s.close)
	require.False(t, s.fs.is.ownAtime)
	require.NoError(t, os.WriteFile(filepath.Join(mnt, "f"), []byte("content"), 0o644))
	h := s.lookup("f")
	at, _ := s.accessTime("f")
	for range 3 {
		_, st := s.read(h, 0, 0)
		require.Equal(t, vfs.OK, st)
	}
	after, _ := s.accessTime("f")
	require.Equal(t, at, after)
}
