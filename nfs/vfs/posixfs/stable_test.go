package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// The kernel reports a failure once for each descriptor. An fsync that began before a stable write
// may be told of a failure of the write's own pages.
func TestAnFsyncThatFailsDuringAStableWriteIsItsFailure(t *testing.T) {
	fsyncs := make(chan chan unix.Errno, 4)
	s := serve(t, tmpfsDir(t), Config{}, options{fsync: func(int) unix.Errno {
		c := make(chan unix.Errno)
		fsyncs <- c
		return <-c
	}})
	s.write("f", "", 0o666)
	h, size := s.lookup("f"), uint64(3)
	change := map[string]func(r *runner) vfs.Status{
		"write": func(r *runner) vfs.Status {
			_, _, _, st := r.v.Write(
				r.cred(0, 0),
				h,
				&vfs.WriteArgs{Off: 1, Src: [][]byte{{1}}, How: vfs.FileSync},
				new(vfs.WCC),
			)
			return st
		},
		"setattr": func(r *runner) vfs.Status {
			return r.v.SetAttr(r.cred(0, 0), h, &vfs.SetAttr{HasSize: true, Size: 2}, new(vfs.WCC))
		},
		"create": func(r *runner) vfs.Status {
			return r.v.Create(
				r.cred(0, 0),
				s.fs.Root(),
				&vfs.CreateArgs{
					Name: []byte("f"),
					How:  vfs.Unchecked,
					Set:  &vfs.SetAttr{HasSize: true, Size: 2},
				},
				&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)},
			)
		},
	}
	s.fs.is.memory = false // so that all of them flush
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Truncate(filepath.Join(s.dir, "f"), int64(size)))
			if name == "write" {
				require.NoError(t, os.Truncate(filepath.Join(s.dir, "f"), 0))
			}
			r := newRunner(t, s.fs, true)
			first, second := make(chan vfs.Status, 1), make(chan vfs.Status, 1)
			s.w.jobs <- func() {
				_, st := s.w.v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
				first <- st
			}
			running := <-fsyncs
			r.jobs <- func() { second <- f(r) }
			bothFail(t, fsyncs, running, first, second, func() bool {
				st, err := os.Stat(filepath.Join(s.dir, "f"))
				return err == nil && st.Size() == 2
			})
			for len(fsyncs) > 0 {
				c := <-fsyncs
				c <- 0
			}
			r.close()
		})
	}
}

// An fsync that began before a write ended does not make the file clean.
func TestAnFsyncDuringAWriteDoesNotMakeTheFileClean(t *testing.T) {
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, mnt, Config{}, options{fsync: func(int) unix.Errno { return 0 }, period: time.Hour})
	t.Cleanup(s.close)
	s.write("f", "", 0o666)
	h := s.lookup("f")
	tid := 0
	var e *entry
	s.w.do(func(v *View) {
		tid = unix.Gettid()
		_, _, _, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
		e, st = v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		v.done()
	})
	r := newRunner(t, s.fs, true)
	defer r.close()
	thaw := disktest.Freeze(t, mnt)
	defer thaw()
	written := make(chan vfs.Status, 1)
	s.w.jobs <- func() {
		_, _, _, st := s.w.v.Write(s.root(), h, &vfs.WriteArgs{Off: 0, Src: [][]byte{{2}}, How: vfs.Unstable}, new(vfs.WCC))
		written <- st
	}
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		var nr int
		_, _ = fmt.Sscan(string(b), &nr)
		return err == nil && nr == unix.SYS_PWRITEV2
	}, time.Minute, time.Millisecond, "the write waits for the file system")
	r.do(func(v *View) {
		_, st := v.Commit(r.cred(0, 0), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
	})
	thaw()
	require.Equal(t, vfs.OK, <-written)
	require.True(t, dirty(e), "closed like this, a failure to write it back would be lost")
}

// bothFail makes the running flush fail once the second change has been made. The failure may be
// that of the second change's data as well. So both calls have to fail, although every later flush
// succeeds.
func bothFail(
	t *testing.T,
	fsyncs chan chan unix.Errno,
	running chan unix.Errno,
	first, second chan vfs.Status,
	changed func() bool,
) {
	t.Helper()
	require.Eventually(t, changed, time.Minute, time.Millisecond)
	running <- unix.EIO
	require.Equal(t, vfs.IO, <-first)
	for {
		select {
		case c := <-fsyncs:
			c <- 0
		case st := <-second:
			require.Equal(t, vfs.IO, st, "the failure may be that of its data")
			return
		}
	}
}
