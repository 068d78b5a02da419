package posixfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// local is a program of the machine that locks files. To the kernel a process that locks by
// F_SETLK is another owner than any open file description.
type local struct {
	t *testing.T
	f *os.File
}

func newLocal(t *testing.T, path string) local {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil { // it is being executed
		f, err = os.Open(path)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return local{t, f}
}

// lock locks or unlocks, and reports false if somebody is in the way.
func (p local) lock(start, end uint64, kind vfs.LockKind) bool {
	p.t.Helper()
	l, _ := flock(vfs.LockRange{Start: start, End: end}, kind)
	err := unix.FcntlFlock(p.f.Fd(), unix.F_SETLK, &l)
	if err == unix.EAGAIN || err == unix.EACCES {
		return false
	}
	require.NoError(p.t, err)
	return true
}

// locks opens the locks of a file of the served directory.
func (s *served) locks(name string) (l vfs.Locks, st vfs.Status) {
	h := s.lookup(name)
	s.w.do(func(v *View) { l, st = v.OpenLocks(h) })
	return l, st
}

func (s *served) someLocks(name string) vfs.Locks {
	s.t.Helper()
	l, st := s.locks(name)
	require.Equal(s.t, vfs.OK, st)
	return l
}

func TestLocksStandAgainstProgramsOfTheMachine(t *testing.T) {
	for _, on := range fileSystems {
		t.Run(on.name, func(t *testing.T) {
			s := serve(t, on.dir(t), Config{}, options{period: time.Hour})
			s.write("f", "x", 0o644)
			p := newLocal(t, filepath.Join(s.dir, "f"))
			l := s.someLocks("f")
			var held vfs.FileLock
			require.Equal(t, vfs.OK, l.Lock(vfs.LockRange{Start: 10, End: 19}, vfs.WriteLock, &held))
			require.True(t, p.lock(0, 9, vfs.WriteLock))
			require.False(t, p.lock(9, 10, vfs.ReadLock))
			require.Equal(t, vfs.OK, l.Lock(vfs.LockRange{Start: 10, End: 14}, vfs.ReadLock, &held))
			require.True(t, p.lock(10, 14, vfs.ReadLock))
			require.False(t, p.lock(14, 15, vfs.ReadLock))
			l.Unlock(vfs.LockRange{Start: 15, End: 15})
			require.True(t, p.lock(15, 15, vfs.WriteLock))

			require.Equal(t, vfs.Access, l.Lock(vfs.LockRange{Start: 12, End: 99}, vfs.ReadLock, &held))
			require.Equal(t, vfs.FileLock{LockRange: vfs.LockRange{Start: 15, End: 15}, Kind: vfs.WriteLock}, held)
			other, denied := l.Conflict(vfs.LockRange{Start: 11, End: 14}, vfs.WriteLock)
			require.True(t, denied)
			require.Equal(t, vfs.FileLock{LockRange: vfs.LockRange{Start: 10, End: 14}, Kind: vfs.ReadLock}, other)
			_, denied = l.Conflict(vfs.LockRange{Start: 11, End: 14}, vfs.ReadLock)
			require.False(t, denied)
			require.True(t, p.lock(0, 99, vfs.NoLock))
			require.Equal(t, vfs.OK, l.Lock(vfs.AllBytes, vfs.WriteLock, &held))
			require.False(t, p.lock(1<<62, 1<<63-1, vfs.ReadLock))
			l.Close() // with all of it locked
			require.True(t, p.lock(0, 1<<63-1, vfs.WriteLock))
		})
	}
}

func TestLocksAreClosedSomeTicksAfterTheirUse(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour}) // the test drives the ticks
	s.write("f", "x", 0o644)
	h := s.lookup("f")
	before := s.fs.tab.Open()
	s.l.do(func(v *View) {
		_, st := v.OpenLocks(h)
		require.Equal(t, vfs.Again, st)
	})
	l := s.someLocks("f")
	for range 2 * lockRounds {
		s.fs.restLocked()
	}
	require.Equal(t, before+1, s.fs.tab.Open(), "in use")
	l.Close()
	s.fs.restLocked()
	s.l.do(func(v *View) {
		again, st := v.OpenLocks(h)
		require.Equal(t, vfs.OK, st, "they are open still")
		again.Close()
	})
	for range lockRounds {
		require.Equal(t, before+1, s.fs.tab.Open())
		s.fs.restLocked()
	}
	require.Equal(t, before, s.fs.tab.Open())
	require.Zero(t, s.fs.lasting.Load())
	s.someLocks("f").Close()
	var w vfs.WCC
	s.w.do(func(v *View) { require.Equal(t, vfs.OK, v.Remove(s.root(), s.fs.Root(), []byte("f"), &w)) })
	require.Zero(t, s.fs.locked.n.Load(), "the space of a removed file is free at once")
}

func TestLocksTakeHalfOfTheDescriptorsAtMost(t *testing.T) {
	const fdMax = 16
	s := serve(t, tmpfsDir(t), Config{FDMax: fdMax}, options{period: time.Hour})
	var all []vfs.Locks
	for i := range fdMax/2 + 1 {
		name := fmt.Sprint(i)
		s.write(name, "x", 0o644)
		l, st := s.locks(name)
		if i == fdMax/2 {
			require.Equal(t, vfs.Delay, st)
			break
		}
		require.Equal(t, vfs.OK, st)
		all = append(all, l)
	}
	all[0].Close() // what nobody uses makes room
	last := s.someLocks(fmt.Sprint(fdMax / 2))
	for _, l := range append(all[1:], last) {
		l.Close()
	}
	s.fs.closeLocked(func(x *lockedFile) bool { return x.uses == 0 })
	require.Zero(t, s.fs.lasting.Load())
	require.Zero(t, s.fs.locked.n.Load())
}

func TestLocksForWritingAreNotShownWhereTheServerCanOnlyRead(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	program, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	s.write("f", string(program), 0o755)
	path := filepath.Join(s.dir, "f")
	p := newLocal(t, path)
	require.NoError(t, p.f.Close())
	cmd := exec.Command(path, "1000")
	require.NoError(t, cmd.Start()) // which nobody can open for writing now
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	p = newLocal(t, path)
	l := s.someLocks("f")
	defer l.Close()
	var held vfs.FileLock
	require.Equal(t, vfs.OK, l.Lock(vfs.AllBytes, vfs.WriteLock, &held))
	require.True(t, p.lock(0, 9, vfs.ReadLock))
	require.Equal(t, vfs.OK, l.Lock(vfs.AllBytes, vfs.ReadLock, &held))
	other, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	probe, _ := flock(vfs.AllBytes, vfs.WriteLock)
	require.NoError(t, unix.FcntlFlock(other.Fd(), unix.F_OFD_GETLK, &probe))
	require.EqualValues(t, unix.F_RDLCK, probe.Type, "those for reading are")
}

func TestAFileSystemThatMaySleepOverLocksIsLeftToWorkers(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour, foreign: true})
	s.write("f", "x", 0o644)
	p := newLocal(t, filepath.Join(s.dir, "f"))
	l := s.someLocks("f")
	require.True(t, l.Sleeps())
	h := s.lookup("f")
	s.l.do(func(v *View) {
		_, st := v.OpenLocks(h)
		require.Equal(t, vfs.Again, st)
	})
	require.Equal(t, vfs.OK, l.Lock(vfs.AllBytes, vfs.WriteLock, new(vfs.FileLock)))
	require.False(t, p.lock(0, 9, vfs.ReadLock))
	l.Close()
	for !p.lock(0, 9, vfs.ReadLock) { // the janitor unlocks it
		time.Sleep(time.Millisecond)
	}
	require.Zero(t, s.fs.locked.n.Load())
}
