package posixfs

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// read reads path's first bytes on a lane if the lane can do it, otherwise on the worker.
func (s *served) read(h vfs.Handle, uid, gid uint32, groups ...uint32) (string, vfs.Status) {
	text, st := s.readBy(s.l, h, uid, gid, groups...)
	if st == vfs.Again {
		return s.readBy(s.w, h, uid, gid, groups...)
	}
	return text, st
}

func (s *served) readBy(r *runner, h vfs.Handle, uid, gid uint32, groups ...uint32) (text string, st vfs.Status) {
	r.do(func(v *View) {
		var b [64]byte
		var n int
		n, _, st = v.Read(r.cred(uid, gid, groups...), h, &vfs.ReadArgs{Off: 0, Dst: b[:]}, new(vfs.Attr))
		text = string(b[:n])
	})
	return text, st
}

func TestUsersInTurnSeeOnlyWhatIsTheirs(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	var files [2]vfs.Handle
	for i, n := range []string{"a", "b"} {
		s.write(n, n, 0o600)
		chown(t, filepath.Join(s.dir, n), 1000+i, 1000+i)
		files[i] = s.lookup(n)
	}
	for _, age := range []time.Duration{0, verdict.Age + 20*time.Millisecond} { // not remembered, remembered
		time.Sleep(age)
		for range 50 {
			for i, h := range files {
				for u := range uint32(2) {
					_, st := s.read(h, 1000+u, 1000+u)
					if int(u) == i {
						require.Equal(t, vfs.OK, st)
					} else {
						require.Equal(t, vfs.Access, st)
					}
				}
				_, st := s.read(h, 0, 0)
				require.Equal(t, vfs.OK, st, "root")
				_, st = s.read(h, 65534, 65534)
				require.Equal(t, vfs.Access, st)
			}
		}
	}
}

func TestPermissionsChangedBehindTheBackCountAtOnce(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	s.write("f", "x", 0o644)
	p, h := filepath.Join(s.dir, "f"), s.lookup("f")
	change := func() {
		require.NoError(t, os.Chmod(p, 0o600))
		_, st := s.read(h, 1000, 1000)
		require.Equal(t, vfs.Access, st)
		require.NoError(t, os.Chmod(p, 0o644))
		_, st = s.read(h, 1000, 1000)
		require.Equal(t, vfs.OK, st)
	}
	for range 300 {
		change()
	}
	time.Sleep(verdict.Age + 20*time.Millisecond)
	_, st := s.read(h, 1000, 1000)
	require.Equal(t, vfs.OK, st)
	require.True(t, s.remembersARead(h, 1000))
	change()
}

// remembersARead reports whether the lane knows what uid may do with the content.
func (s *served) remembersARead(h vfs.Handle, uid uint32) (ok bool) {
	s.l.do(func(v *View) {
		defer v.done()
		e, st := v.acquire(&h, useMain)
		require.Equal(s.t, vfs.OK, st)
		require.Equal(s.t, vfs.OK, v.stat(e, &v.st))
		_, ok = v.judge.Recall(s.l.cred(uid, uid), &e.Own.rights, &v.st, verdict.ReadData)
	})
	return ok
}

// Two changes within one tick of a clock leave the same ctime. So do two changes within a second
// where ctimes have no fraction.
func TestAVerdictIsKeptOnlyWithACtimeThatNoChangeCanLeaveAgain(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, inode := range map[string]string{"fraction": "256", "whole seconds": "128"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, loopDir(t, 64, "mkfs.ext4", "-q", "-I", inode), Config{},
				options{period: time.Hour})
			s.write("f", "secret", 0o600)
			p, h := filepath.Join(s.dir, "f"), s.lookup("f")
			for n := time.Now().Nanosecond(); n > 3e8; n = time.Now().Nanosecond() { // early in a second
				time.Sleep(10 * time.Millisecond)
			}
			require.NoError(t, os.Chmod(p, 0o604))
			changed := time.Now()
			for range 3 {
				_, st := s.read(h, 1000, 1000)
				require.Equal(t, vfs.OK, st)
				if kept := s.remembersARead(h, 1000); time.Since(changed.Truncate(time.Second)) < verdict.Age {
					require.False(t, kept)
				}
			}
			require.NoError(t, os.Chmod(p, 0o600))
			_, st := s.read(h, 1000, 1000)
			require.Equal(t, vfs.Access, st)
			time.Sleep(time.Until(changed.Add(verdict.Age + time.Second)))
			_, st = s.read(h, 1000, 1000)
			require.Equal(t, vfs.Access, st)
			require.True(t, s.remembersARead(h, 1000))
		})
	}
}

// accessList is a POSIX access control list as the kernel keeps it in an extended attribute. Only
// the owner and user 1000 have rights, and user 1000 has these permissions.
func accessList(perm uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2) // POSIX_ACL_XATTR_VERSION
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{
		{0x01, 6, math.MaxUint32}, // ACL_USER_OBJ
		{0x02, perm, 1000},        // ACL_USER
		{0x04, 0, math.MaxUint32}, // ACL_GROUP_OBJ
		{0x10, 7, math.MaxUint32}, // ACL_MASK
		{0x20, 0, math.MaxUint32}, // ACL_OTHER
	} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// The kernel stamps a file before it puts a new access control list in place.
func TestNoVerdictOutlivesTheChangeOfAnAccessControlList(t *testing.T) {
	needRoot(t)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			grantAndRevoke(t, k.dir(t))
		})
	}
}

func grantAndRevoke(t *testing.T, dir string) {
	s := serve(t, dir, Config{}, options{})
	s.write("f", "secret", 0o600)
	p, h := filepath.Join(s.dir, "f"), s.lookup("f")
	grant := func(perm uint16) {
		require.NoError(t, unix.Setxattr(p, "system.posix_acl_access", accessList(perm), 0))
	}
	grant(4)
	_, st := s.read(h, 1000, 1000)
	require.Equal(t, vfs.OK, st)
	var reads, last atomic.Int64 // reads that have ended, and the status of the last
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.l.do(func(v *View) {
			var b [64]byte
			var a vfs.Attr
			c := s.l.cred(1000, 1000)
			for !stop.Load() {
				_, _, st := v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: b[:]}, &a)
				if st == vfs.Again { // a worker must update the access time
					_, st = s.readBy(s.w, h, 1000, 1000)
				}
				last.Store(int64(st))
				reads.Add(1)
			}
		})
	}()
	defer func() { stop.Store(true); <-ended }()
	wait := func() { // two of the three READs began after the call
		for n := reads.Load() + 3; reads.Load() < n; {
			runtime.Gosched()
		}
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		grant(4)
		wait()
		require.Equal(t, vfs.OK, vfs.Status(last.Load()))
		grant(0)
		wait()
		require.Equal(t, vfs.Access, vfs.Status(last.Load()))
	}
}

// XFS commits its transaction in between, which may take as long as its disc needs.
func TestAVerdictThatAStuckDiscMadeWrongIsAskedForAgain(t *testing.T) {
	t.Parallel()
	outer, dir := stuckDir(t, 320, "wsync", "mkfs.xfs", "-q")
	s := serve(t, dir, Config{}, options{})
	s.write("f", "secret", 0o600)
	p, h := filepath.Join(dir, "f"), s.lookup("f")
	grant := func(perm uint16) error {
		return unix.Setxattr(p, "system.posix_acl_access", accessList(perm), 0)
	}
	require.NoError(t, grant(4))
	_, st := s.read(h, 1000, 1000)
	require.Equal(t, vfs.OK, st)
	thaw, revoked := getStuck(t, outer, p, func() error { return grant(0) })
	time.Sleep(verdict.Age + 20*time.Millisecond)
	_, _ = s.readBy(s.l, h, 1000, 1000) // Again: a worker has locked the file
	stuck := len(revoked) == 0
	wrong := s.remembersARead(h, 1000)
	thaw()
	require.NoError(t, <-revoked)
	if !stuck {
		t.Skip("needs a change that waits for its disc")
	}
	require.True(t, wrong, "nothing to forget")
	require.Eventually(t, func() bool {
		_, st := s.read(h, 1000, 1000)
		return st == vfs.Access
	}, (verdict.Ticks+2)*s.fs.period, 10*time.Millisecond)
	for range 3 {
		_, st := s.read(h, 1000, 1000)
		require.Equal(t, vfs.Access, st)
	}
}

// The janitor hangs with the disc. Verdicts grow old even then.
func TestTicksDoNotWaitForTheJanitor(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, tmpfsDir(t), Config{}, options{period: 5 * time.Millisecond, fsync: func(int) unix.Errno { <-hold; return 0 }})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	s.write("f", "", 0o666)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		_, _, _, st := v.Write(s.root(), h, &vfs.WriteArgs{Off: 0, Src: [][]byte{{1}},
			How: vfs.Unstable}, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		v.done()
		s.fs.retire(e)
	})
	require.Eventually(t, func() bool { return s.fs.store.Leaving() == 1 }, 2*time.Minute, time.Millisecond)
	now := s.fs.tick.Load()
	require.Eventually(t, func() bool { return s.fs.tick.Load() >= now+2 }, 2*time.Minute, time.Millisecond)
	require.EqualValues(t, 1, s.fs.store.Leaving(), "the janitor did not wait")
	release()
}

func TestAVerdictIsGoodForTwoTicks(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour}) // the test drives the ticks
	s.write("f", "x", 0o644)
	h := s.lookup("f")
	time.Sleep(verdict.Age + 20*time.Millisecond)
	s.w.do(func(v *View) {
		c := s.root()
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		defer v.done()
		has := func(want vfs.Permission) bool {
			require.Equal(t, vfs.OK, v.stat(e, &v.st))
			ok := v.judge.Has(c, &e.Own.rights, &v.st, want)
			require.Equal(t, ok, v.judge.Judged(c, &e.Own.rights, want))
			return ok
		}
		asks := func(want vfs.Permission) {
			require.Equal(t, vfs.OK, v.stat(e, &v.st))
			granted, st := v.judge.May(c, &e.Own.rights, &v.st, want)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, want, granted)
		}
		asks(verdict.ReadData)
		require.True(t, has(verdict.ReadData))
		s.fs.tick.Add(1)
		require.True(t, has(verdict.ReadData))
		asks(vfs.MayRead) // a younger verdict does not make the older one younger
		s.fs.tick.Add(1)
		require.False(t, has(verdict.ReadData))
		require.True(t, has(vfs.MayRead))
		asks(verdict.ReadData)
		asks(vfs.MayRead)
		require.True(t, has(verdict.ReadData|vfs.MayRead), "of one tick")
		s.fs.tick.Add(1)
		require.True(t, has(verdict.ReadData|vfs.MayRead))
	})
}

// If the lane asks again, it does so before it reads the content, not after.
func TestAVerdictThatHasGrownOldDoesNotHaveTheContentReadTwice(t *testing.T) {
	if _, err := os.Stat(readByThread); err != nil {
		t.Skipf("needs the kernel's account of what a thread has read: %v", err)
	}
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	s.write("f", string(make([]byte, 1<<20)), 0o644)
	h := s.lookup("f")
	time.Sleep(verdict.Age + 20*time.Millisecond)
	const reads = 20
	b := make([]byte, 1<<20)
	once := func(v *View) {
		s.fs.tick.Add(verdict.Ticks)
		n, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: b}, new(vfs.Attr))
		require.Equal(t, vfs.OK, st)
		require.Equal(t, len(b), n)
	}
	s.w.do(func(v *View) {
		once(v)
		before := bytesRead(t)
		for range reads {
			once(v)
		}
		require.Less(t, bytesRead(t)-before, int64(reads*len(b)*3/2))
	})
}

const readByThread = "/proc/thread-self/io"

// bytesRead returns how much the calling thread has read from files of all kinds.
func bytesRead(t *testing.T) (n int64) {
	t.Helper()
	b, err := os.ReadFile(readByThread)
	require.NoError(t, err)
	_, err = fmt.Sscanf(string(b), "rchar: %d", &n)
	require.NoError(t, err)
	return n
}

// A caller who remembers the right to read reads first, and is refused when the ctime has moved.
func TestAREADThatIsRefusedBelongsToNoStream(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	// With so little memory two READs of 64 KiB in sequence are a large stream.
	s.fs.data.Policy = iopolicy.NewPolicy(IOAuto, 4096, 1<<20)
	s.write("f", string(make([]byte, 1<<20)), 0o644)
	h := s.lookup("f")
	time.Sleep(verdict.Age + 20*time.Millisecond)
	for _, want := range []vfs.Status{vfs.OK, vfs.Access} {
		for i, uid := range []uint32{1000, 1001} {
			n := 64 << 10
			if want == vfs.OK {
				n = 1 // too small for a stream
			}
			s.w.do(func(v *View) {
				_, _, st := v.Read(
					s.w.cred(uid, uid), h, &vfs.ReadArgs{Off: uint64(i) << 16,
						Dst: make([]byte, n)}, new(vfs.Attr),
				)
				require.Equal(t, want, st)
			})
		}
		require.NoError(t, os.Chmod(filepath.Join(s.dir, "f"), 0o600))
	}
	s.w.do(func(v *View) {
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		require.True(t, v.data.MaySplice(&e.Own.data, 128<<10, 64<<10), "it is in a stream")
		v.done()
	})
}

func TestSupplementaryGroupsAndAccessControlListsCount(t *testing.T) {
	s := serve(t, loopDir(t, 16, "mkfs.ext4", "-q"), Config{}, options{})
	t.Cleanup(s.close)
	s.write("f", "x", 0o640)
	p := filepath.Join(s.dir, "f")
	chown(t, p, 1, 77)
	h := s.lookup("f")
	_, st := s.read(h, 1000, 1000, 76, 77, 78)
	require.Equal(t, vfs.OK, st)
	_, st = s.read(h, 1000, 1000, 76, 78)
	require.Equal(t, vfs.Access, st)
	if _, err := exec.LookPath("setfacl"); err != nil {
		t.Skip("needs setfacl")
	}
	run(t, "setfacl", "-m", "u:1000:r", p)
	_, st = s.read(h, 1000, 1000)
	require.Equal(t, vfs.OK, st)
	run(t, "setfacl", "-m", "u:1000:-", p)
	_, st = s.read(h, 1000, 1000)
	require.Equal(t, vfs.Access, st)
}

func TestASwitchThatFailsServesNobody(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "x", 0o600)
	h := s.lookup("f")
	_, st := s.read(h, 0xffffffff, 1) // the kernel takes it for no user
	require.Equal(t, vfs.ServerFault, st)
	_, st = s.read(h, 1000, 1000)
	require.Equal(t, vfs.Access, st)
	_, st = s.read(h, 0, 0)
	require.Equal(t, vfs.OK, st)
	s.w.do(func(v *View) {
		require.True(t, v.as(nil))
		u, err := unix.SetfsuidRetUid(-1)
		require.NoError(t, err)
		require.Equal(t, os.Geteuid(), u)
	})
}

func TestNewObjectsBelongToTheCaller(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	require.NoError(t, os.Chmod(s.dir, 0o777))
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "sgid"), 0))
	chown(t, filepath.Join(s.dir, "sgid"), 0, 500)
	require.NoError(t, unix.Chmod(filepath.Join(s.dir, "sgid"), 0o2777))
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "sticky"), 0))
	require.NoError(t, unix.Chmod(filepath.Join(s.dir, "sticky"), 0o1777))
	sgid, sticky := s.lookup("sgid"), s.lookup("sticky")
	s.w.do(func(v *View) {
		c, other := s.w.cred(1000, 1001), s.w.cred(1002, 1002)
		var e vfs.Entry
		var w vfs.WCC
		mode := &vfs.SetAttr{HasMode: true, Mode: 0o666}
		require.Equal(t, vfs.OK, v.Create(c, s.fs.Root(), &vfs.CreateArgs{Name: []byte("f"),
			How: vfs.Guarded, Set: mode}, &vfs.Made{Entry: &e, Dir: &w}))
		require.Equal(t, []uint32{1000, 1001, 0o666}, []uint32{e.Attr.UID, e.Attr.GID, e.Attr.Mode})
		require.Equal(t, vfs.OK, v.Mkdir(c, sgid, &vfs.MkdirArgs{Name: []byte("d"),
			Set: &vfs.SetAttr{HasMode: true, Mode: 0o755}}, &vfs.Made{Entry: &e, Dir: &w}))
		require.Equal(t, []uint32{1000, 500, 0o2755}, []uint32{e.Attr.UID, e.Attr.GID, e.Attr.Mode})
		require.Equal(t, vfs.OK, v.Create(c, sticky, &vfs.CreateArgs{Name: []byte("f"),
			How: vfs.Guarded, Set: mode}, &vfs.Made{Entry: &e, Dir: &w}))
		require.Equal(t, vfs.Perm, v.Remove(other, sticky, []byte("f"), &w))
		require.Equal(t, vfs.OK, v.Remove(c, sticky, []byte("f"), &w))
		require.Equal(t, vfs.Perm, v.Mknod(c, s.fs.Root(), &vfs.MknodArgs{Name: []byte("dev"),
			Type: vfs.TypeChr, Major: 1, Minor: 3, Set: mode}, &vfs.Made{Entry: &e, Dir: &w}))
		require.Equal(t, vfs.OK, v.Mknod(s.root(), s.fs.Root(), &vfs.MknodArgs{Name: []byte("dev"),
			Type: vfs.TypeChr, Major: 1, Minor: 3, Set: mode}, &vfs.Made{Entry: &e, Dir: &w}))
		require.Equal(t, []uint32{1, 3}, []uint32{e.Attr.Major, e.Attr.Minor})
	})
}

func TestAWriteByAnotherTakesSetIDBitsAway(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "x", 0o777)
	require.NoError(t, unix.Chmod(filepath.Join(s.dir, "f"), 0o6777))
	h := s.lookup("f")
	s.w.do(func(v *View) {
		var w vfs.WCC
		_, _, _, st := v.Write(s.w.cred(1000, 1000), h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("y")}, How: vfs.Unstable}, &w)
		require.Equal(t, vfs.OK, st)
		require.EqualValues(t, 0o777, w.After.Mode)
	})
}

func TestReservedBlocksAreNotForEverybody(t *testing.T) {
	s := serve(t, loopDir(t, 16, "mkfs.ext4", "-q", "-m", "40"), Config{}, options{})
	t.Cleanup(s.close)
	s.write("f", "", 0o666)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		data := make([]byte, 128<<10)
		fill := func(c *vfs.Cred, off uint64) uint64 {
			var w vfs.WCC
			for {
				n, _, _, st := v.Write(c, h, &vfs.WriteArgs{Off: off, Src: [][]byte{data},
					How: vfs.FileSync}, &w)
				if st != vfs.OK {
					require.Equal(t, vfs.NoSpc, st)
					return off
				}
				off += uint64(n)
			}
		}
		user := fill(s.w.cred(1000, 1000), 0)
		root := fill(s.root(), user)
		require.Greater(t, root, user+(2<<20))
	})
}

// While a file is open for writing nobody can execute it, and opening it breaks leases. So a caller
// that may not write to it must not make the server open it.
func TestWhoMayNotWriteDoesNotHaveAFileOpenedForWriting(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "#!/bin/sh\nexit 0\n", 0o755)
	h := s.lookup("f")
	for name, f := range map[string]func(v *View, c *vfs.Cred) vfs.Status{
		"WRITE": func(v *View, c *vfs.Cred) vfs.Status {
			_, _, _, st := v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")},
				How: vfs.Unstable}, new(vfs.WCC))
			return st
		},
		"COMMIT": func(v *View, c *vfs.Cred) vfs.Status {
			_, st := v.Commit(c, h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
			return st
		},
		"SETATTR": func(v *View, c *vfs.Cred) vfs.Status {
			return v.SetAttr(c, h, &vfs.SetAttr{HasSize: true}, new(vfs.WCC))
		},
		"CREATE": func(v *View, c *vfs.Cred) vfs.Status {
			return v.Create(c, s.fs.Root(), &vfs.CreateArgs{Name: []byte("f"), How: vfs.Unchecked, Set: &vfs.SetAttr{HasSize: true}}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
		},
	} {
		s.w.do(func(v *View) { require.Equal(t, vfs.Access, f(v, s.w.cred(1000, 1000)), name) })
		require.NoError(t, exec.Command(filepath.Join(s.dir, "f")).Run(),
			"%s keeps others from executing the file", name)
	}
	text, st := s.read(h, 0, 0)
	require.Equal(t, vfs.OK, st)
	require.Equal(t, "#!/bin/sh\nexit 0\n", text)
}
