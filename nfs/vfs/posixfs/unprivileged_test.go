package posixfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

const nobody = 65534

// TestAnOrdinaryUserCanServe runs the tests below in a process without rights.
func TestAnOrdinaryUserCanServe(t *testing.T) {
	again.Long(t)
	t.Parallel()
	needRoot(t)
	dir := tmpfsDir(t)
	bin := filepath.Join(dir, "posixfs.test")
	self, err := os.Executable()
	require.NoError(t, err)
	// A copy made here would be open for writing in processes that other tests start meanwhile.
	text, err := exec.Command("install", "-m", "755", self, bin).CombinedOutput()
	require.NoError(t, err, "%s", text)
	work := filepath.Join(dir, "work")
	require.NoError(t, os.Mkdir(work, 0o777))
	require.NoError(t, os.Chown(work, nobody, nobody))
	conformance := "none"
	if again.Now() {
		conformance = "^TestUnprivilegedConformance$" // the suite has run; what is special has not
	}
	cmd := exec.Command(bin, "-test.run", "^TestUnprivileged", "-test.skip", conformance, "-test.v")
	cmd.Env = append(os.Environ(), "POSIXFS_UNPRIVILEGED="+work, "TMPDIR="+work, "HOME="+work)
	cmd.Dir = work
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	text, err = cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v; the end of what it said:\n%s", err, text[max(0, len(text)-8000):])
	}
	for _, test := range []string{
		"Conformance", "OwnersReadAndWriteWhateverTheModeSays", "OpeningDoesNotUndoAChangeOfMode",
		"LentBitsAreTakenBack", "SetIDBitsAreNotPutBack", "GuardsHoldAgainstTheServersOwnOpening",
		"DirectoriesThatCannotBeReadAreChanged", "WalksTakeFewDescriptorsAndWaitForThem",
	} {
		if again.Now() && test == "Conformance" {
			continue
		}
		require.Contains(t, string(text), "--- PASS: TestUnprivileged"+test)
	}
}

func unprivileged(t *testing.T) string {
	dir := os.Getenv("POSIXFS_UNPRIVILEGED")
	if dir == "" {
		t.Skip("run by TestAnOrdinaryUserCanServe")
	}
	return dir
}

func TestUnprivilegedConformance(t *testing.T) {
	base := unprivileged(t)
	clock := &slowWalks{at: time.Now()} // walks take no time on it
	vfstest.Run(
		t,
		func(t *testing.T) *vfstest.Env { return newEnv(t, base, "tmpfs", options{now: clock.now}) },
	)
}

func TestUnprivilegedHandlesOutliveRenameAndRestart(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{})
	require.False(t, s.fs.is.byHandle)
	kind, without := s.fs.Features()
	require.Equal(t, "tmpfs", kind)
	require.Len(t, without, 3)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	s.write("a/b/c/f", "content", 0o644)
	h := s.lookup("a/b/c/f")
	s.close()
	require.NoError(t, os.Rename(filepath.Join(dir, "a/b"), filepath.Join(dir, "moved")))
	s = serve(t, dir, Config{}, options{})
	text, st := s.read(h, 5, 5)
	require.Equal(t, vfs.OK, st)
	require.Equal(t, "content", text)
	require.NoError(t, os.Remove(filepath.Join(dir, "moved/c/f")))
	_, st = s.read(h, 5, 5)
	require.Equal(t, vfs.Stale, st)
	_, st = s.read(h, 5, 5)
	require.Equal(t, vfs.Stale, st)
}

// Files that their owner has locked himself out of, as git's objects and files that tar unpacks
// are, and that the descriptor cache has closed.
func TestUnprivilegedOwnersReadAndWriteWhateverTheModeSays(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	for _, mode := range []os.FileMode{0o444, 0o000, 0o200, 0o111} {
		s := serve(t, dir, Config{}, options{period: time.Hour})
		name := fmt.Sprintf("f%o", mode)
		s.write(name, "content", 0o644)
		p := filepath.Join(dir, name)
		require.NoError(t, unix.Chmod(p, uint32(mode)))
		h := s.lookup(name)
		drop := func(restart bool) {
			if restart {
				s.close()
				s = serve(t, dir, Config{}, options{period: time.Hour})
				return
			}
			s.fs.tab.Retire(s.entryOf(h))
			s.fs.reap(true)
		}
		has := func(content string) {
			t.Helper()
			text, st := s.read(h, 5, 5)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, content, text)
			var st2 unix.Stat_t
			require.NoError(t, unix.Stat(p, &st2))
			require.EqualValues(t, mode, st2.Mode&07777)
			drop(false)
		}
		has("content")
		for _, restart := range []bool{false, true} {
			s.w.do(func(v *View) { // a descriptor that can only write must do
				_, _, _, st := v.Write(
					s.w.cred(5, 5),
					h,
					&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("C")}, How: vfs.Unstable},
					new(vfs.WCC),
				)
				require.Equal(t, vfs.OK, st)
			})
			drop(restart)
			s.w.do(func(v *View) {
				_, st := v.Commit(s.w.cred(5, 5), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
				require.Equal(t, vfs.OK, st)
			})
			drop(restart)
			s.w.do(func(v *View) {
				w := new(vfs.WCC)
				_, _, _, st := v.Write(
					s.w.cred(5, 5),
					h,
					&vfs.WriteArgs{Off: 7, Src: [][]byte{[]byte("!")}, How: vfs.FileSync},
					w,
				)
				require.Equal(t, vfs.OK, st)
				require.EqualValues(t, mode&0o777, w.After.Mode&0o777)
			})
			drop(restart)
			has("Content!")
			s.w.do(func(v *View) {
				require.Equal(
					t,
					vfs.OK,
					v.SetAttr(s.w.cred(5, 5), h, &vfs.SetAttr{HasSize: true, Size: 7}, new(vfs.WCC)),
				)
			})
			has("Content")
		}
		var a vfs.Attr
		s.w.do(func(v *View) {
			p, st := v.Access(s.w.cred(5, 5), h, vfs.MayRead|vfs.MayWrite, &a)
			require.Equal(t, vfs.OK, st)
			want := vfs.Permission(0)
			if mode&0o400 != 0 {
				want |= vfs.MayRead
			}
			if mode&0o200 != 0 {
				want |= vfs.MayWrite
			}
			require.Equal(t, want, p, "ACCESS says what the mode says")
		})
		s.close()
	}
}

// A mode that a client sets while the server opens the file stays.
func TestUnprivilegedOpeningDoesNotUndoAChangeOfMode(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	s.write("f", "content", 0o444)
	h := s.lookup("f")
	r := newRunner(t, s.fs, true)
	defer r.close()
	for i := range 300 {
		mode := uint32(0o440 | i%8)
		done := make(chan vfs.Status, 1)
		r.jobs <- func() {
			done <- r.v.SetAttr(r.cred(0, 0), h, &vfs.SetAttr{HasMode: true, Mode: mode}, new(vfs.WCC))
		}
		s.w.do(func(v *View) {
			_, _, _, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("C")}, How: vfs.Unstable},
				new(vfs.WCC),
			)
			require.Equal(t, vfs.OK, st)
		})
		require.Equal(t, vfs.OK, <-done)
		var st unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(dir, "f"), &st))
		require.Equal(t, mode, st.Mode&0o7777)
		s.fs.tab.Retire(s.entryOf(h))
		s.fs.reap(true)
	}
}

// Whatever others do to a file while the server opens it, the file keeps no bit that was added for
// the opening. A mode that somebody else has set meanwhile stays.
func TestUnprivilegedLentBitsAreTakenBack(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	p := filepath.Join(dir, "f")
	for name, x := range map[string]struct {
		meanwhile func() error
		mode      uint32
	}{
		"nothing": {func() error { return nil }, 0o444},
		"touch":   {func() error { return os.Chtimes(p, time.Unix(1, 0), time.Unix(1, 0)) }, 0o444},
		"write":   {func() error { return os.WriteFile(p, []byte("other"), 0) }, 0o444},
		"link":    {func() error { return os.Link(p, p+"-link") }, 0o444},
		"rename":  {func() error { return os.Rename(p, p+"-renamed") }, 0o444},
		"mode":    {func() error { return os.Chmod(p, 0o640) }, 0o640},
	} {
		s.write("f", "content", 0o444)
		e := s.entryOf(s.lookup("f"))
		s.w.do(func(v *View) {
			require.True(t, v.as(nil))
			fd, errno := v.lend(e, unix.S_IWUSR, func() (int, unix.Errno) {
				require.NoError(t, x.meanwhile(), name)
				return openPath(e.FD, unix.O_RDWR)
			})
			require.Zero(t, errno, name)
			var st unix.Stat_t
			require.NoError(t, unix.Fstat(fd, &st))
			require.Equal(t, x.mode, st.Mode&0o7777, name)
			kernel.CloseFD(fd)
		})
		_, _, _ = os.Remove(p), os.Remove(p+"-link"), os.Remove(p+"-renamed")
	}
}

// The kernel clears set-id bits of a file when somebody writes to it. So the server never puts a
// mode with them back.
func TestUnprivilegedSetIDBitsAreNotPutBack(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	for _, mode := range []uint32{0o4444, 0o2444, 0o6064} {
		name := fmt.Sprintf("f%o", mode)
		s.write(name, "content", 0o644)
		require.NoError(t, unix.Chmod(filepath.Join(dir, name), mode))
		h := s.lookup(name)
		var before, after unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(dir, name), &before))
		s.w.do(func(v *View) {
			_, _, _, st := v.Write(
				s.w.cred(5, 5),
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("C")}, How: vfs.Unstable},
				new(vfs.WCC),
			)
			require.Equal(t, vfs.Access, st)
		})
		require.NoError(t, unix.Stat(filepath.Join(dir, name), &after))
		require.Equal(t, mode, after.Mode&0o7777)
		require.Equal(t, before.Ctim, after.Ctim, "its mode was never another")
	}
}

// A guard is about changes by others. The change that the server makes to open the file does not
// count.
func TestUnprivilegedGuardsHoldAgainstTheServersOwnOpening(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{period: time.Hour})
	s.write("f", "content", 0o644)
	p := filepath.Join(dir, "f")
	require.NoError(t, unix.Chmod(p, 0o444))
	h := s.lookup("f")
	s.w.do(func(v *View) {
		var st unix.Stat_t
		size := func(n uint64, guard vfs.Time) vfs.Status {
			return v.SetAttr(
				s.w.cred(5, 5),
				h,
				&vfs.SetAttr{HasSize: true, Size: n, Guard: &guard},
				new(vfs.WCC),
			)
		}
		require.NoError(t, unix.Stat(p, &st))
		was := vfs.Time{Sec: st.Ctim.Sec, Nsec: uint32(st.Ctim.Nsec)}
		require.Equal(t, vfs.NotSync, size(1, vfs.Time{Sec: 1}))
		require.NoError(t, unix.Stat(p, &st))
		require.Equal(
			t,
			was,
			vfs.Time{Sec: st.Ctim.Sec, Nsec: uint32(st.Ctim.Nsec)},
			"it was not opened for that",
		)
		require.Equal(t, vfs.OK, size(3, was))
		require.NoError(t, unix.Stat(p, &st))
		require.EqualValues(t, 3, st.Size)
		require.Equal(t, vfs.NotSync, size(1, was), "it has changed since")
	})
}

// A caller that may write to and search a directory may change it without reading it.
func TestUnprivilegedDirectoriesThatCannotBeReadAreChanged(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{})
	s.fs.is.memory, s.fs.is.selfSync = false, true // so that all changes are flushed
	require.NoError(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(dir, "d"), 0o300))
	h := s.lookup("d")
	s.w.do(func(v *View) {
		var e vfs.Entry
		w, w2 := new(vfs.WCC), new(vfs.WCC)
		c := s.root()
		require.Equal(
			t,
			vfs.OK,
			v.Create(
				c,
				h,
				&vfs.CreateArgs{
					Name: []byte("f"),
					How:  vfs.Guarded,
					Set:  &vfs.SetAttr{HasMode: true, Mode: 0o600},
				},
				&vfs.Made{Entry: &e, Dir: w},
			),
		)
		require.Equal(
			t,
			vfs.OK,
			v.Mkdir(
				c,
				h,
				&vfs.MkdirArgs{Name: []byte("sub"), Set: &vfs.SetAttr{HasMode: true}},
				&vfs.Made{Entry: &e, Dir: w},
			),
		)
		require.Equal(
			t,
			vfs.OK,
			v.Rename(c, &vfs.RenameArgs{From: h, FromName: []byte("f"), To: h, ToName: []byte("g")}, w, w2),
		)
		require.Equal(t, vfs.OK, v.Remove(c, h, []byte("g"), w))
		require.Equal(t, vfs.OK, v.Rmdir(c, h, []byte("sub"), w))
	})
	require.NoError(t, os.Chmod(filepath.Join(dir, "d"), 0o700))
}
