package posixfs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

func TestDescriptorsStayWithinTheirBoundAndNoneLeaks(t *testing.T) {
	dir := tmpfsDir(t)
	before := openFDs(t)
	s := serve(t, dir, Config{FDMax: 40}, options{})
	base := openFDs(t)
	var handles []vfs.Handle
	for i := range 300 {
		s.write(fmt.Sprintf("f%d", i), fmt.Sprint(i), 0o644)
		handles = append(handles, s.lookup(fmt.Sprintf("f%d", i)))
		require.LessOrEqual(t, openFDs(t), base+40+4)
	}
	c := s.root()
	for i, h := range handles {
		s.w.do(func(v *View) {
			b := make([]byte, 8)
			var a vfs.Attr
			n, _, st := v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: b}, &a)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, fmt.Sprint(i), string(b[:n]))
			var w vfs.WCC
			_, _, _, st = v.Write(
				c,
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable},
				&w,
			)
			require.Equal(t, vfs.OK, st)
		})
		require.LessOrEqual(t, openFDs(t), base+40+4)
	}
	require.LessOrEqual(t, s.fs.tab.Open(), 40)
	s.close()
	require.Equal(t, before, openFDs(t))
}

func TestIdleEntriesAreClosedAlthoughThreadsRememberThem(t *testing.T) {
	dir := tmpfsDir(t)
	s := serve(t, dir, Config{}, options{period: time.Hour}) // the test drives the ticks
	s.write("f", "x", 0o644)
	h := s.lookup("f")
	var a vfs.Attr
	s.l.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, &a)) })
	base := openFDs(t)
	for range idleRounds + 1 {
		s.fs.sweep()
	}
	s.fs.reap(true)
	require.Zero(t, s.fs.tab.Open())
	require.Less(t, openFDs(t), base)
	s.l.do(func(v *View) { require.Equal(t, vfs.Again, v.GetAttr(h, &a)) })
	s.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, &a)) })
	s.l.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, &a)) })
	// Entries that are in use stay.
	for range idleRounds + 1 {
		s.l.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, &a)) })
		s.fs.sweep()
	}
	s.l.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(h, &a)) })
}

func TestAnEntryInUseIsNotClosed(t *testing.T) {
	dir := tmpfsDir(t)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	s.write("f", "x", 0o644)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		s.fs.tab.Retire(e)
		s.fs.reap(true)
		require.Zero(t, kernel.StatxRaw(e.FD, &v.st), "closed under an operation")
		v.done()
		s.fs.reap(true)
		require.Equal(t, unix.EBADF, kernel.StatxRaw(e.FD, &v.st))
	})
}

func TestRemovedFilesGiveTheirSpaceBackAtOnce(t *testing.T) {
	dir := tmpfsDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "m"), 0o755))
	dir = filepath.Join(dir, "m")
	needRoot(t)
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "size=8m"))
	disktest.UnmountAtEnd(t, dir)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	t.Cleanup(s.close) // before the unmount
	for _, how := range []string{"remove", "rename over"} {
		s.write("big", string(make([]byte, 4<<20)), 0o644)
		s.write("other", "", 0o644)
		h := s.lookup("big")
		var a vfs.Attr
		s.w.do(func(v *View) {
			b := make([]byte, 10)
			_, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a)
			require.Equal(t, vfs.OK, st)
			var w, w2 vfs.WCC
			if how == "remove" {
				st = v.Remove(s.root(), s.fs.Root(), []byte("big"), &w)
			} else {
				st = v.Rename(s.root(), &vfs.RenameArgs{From: s.fs.Root(), FromName: []byte("other"), To: s.fs.Root(), ToName: []byte("big")}, &w, &w2)
			}
			require.Equal(t, vfs.OK, st)
			require.Equal(t, vfs.Stale, v.GetAttr(h, &a))
		})
		var sf unix.Statfs_t
		require.NoError(t, unix.Statfs(dir, &sf))
		require.Greater(t, sf.Bfree*uint64(sf.Bsize), uint64(7<<20), how)
	}
}

func TestThreadsOpenCloseAndUseTheSameFilesAtOnce(t *testing.T) {
	dir := tmpfsDir(t)
	s := serve(t, dir, Config{FDMax: 24}, options{period: time.Millisecond})
	var handles []vfs.Handle
	for i := range 60 {
		s.write(fmt.Sprintf("f%d", i), fmt.Sprint(i), 0o644)
		handles = append(handles, s.lookup(fmt.Sprintf("f%d", i)))
	}
	errs := make(chan error)
	var runners []*runner
	for r := range 4 {
		x := newRunner(t, s.fs, r < 2)
		runners = append(runners, x)
		x.jobs <- func() {
			v := x.v
			errs <- func() error {
				c := x.cred(0, 0)
				b := make([]byte, 8)
				var a vfs.Attr
				for i := range 4000 {
					k := (i*7 + r) % len(handles)
					n, _, st := v.Read(c, handles[k], &vfs.ReadArgs{Off: 0, Dst: b}, &a)
					if st == vfs.Again && v.lane {
						continue
					}
					if st != vfs.OK || string(b[:n]) != fmt.Sprint(k) {
						return fmt.Errorf("file %d: %v, %q", k, st, b[:n])
					}
				}
				return nil
			}()
		}
	}
	for range runners {
		require.NoError(t, <-errs)
	}
	for _, x := range runners {
		x.close()
	}
}

func TestAnErrnoThatNoFileSystemShouldReturnIsToldOnceInItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		fs := FS{dir: "/srv/odd", log: slog.New(slog.NewTextHandler(&lines, nil))}
		for _, e := range []unix.Errno{unix.EBADF, unix.EIO, unix.EBADF, unix.Errno(4000)} {
			require.Equal(t, vfs.IO, fs.status(e))
		}
		synctest.Wait()
		told := lines.String()
		require.Equal(t, 2, strings.Count(told, "\n"), "each once")
		require.Contains(t, told, "errno=9 ")
		require.Contains(t, told, "errno=4000 ")
		require.Contains(t, told, "dir=/srv/odd")
	})
}
