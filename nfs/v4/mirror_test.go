package v4

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/state/ranges"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// onDisk is a rig with one export in a directory, two clients, and a program of the machine that
// has the file f open there.
func onDisk(t *testing.T) (r *rig, a, b *opener, p *os.File, k *Keeper, faults *faultfs.FS) {
	dir, err := os.MkdirTemp("/dev/shm", "v4")
	if err != nil {
		t.Skipf("needs a tmpfs on /dev/shm: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o666))
	require.NoError(t, os.Chmod(path, 0o666))
	p, err = os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	in, err := posixfs.New(posixfs.Config{Dir: dir})
	require.NoError(t, err)
	faults = faultfs.Wrap(in, 1)
	cfg := remembers(new(uint32))
	r = newRig(t, cfg, export.Export{
		Path: "/x", FS: faults, Options: export.Options{Squash: export.SquashNone},
	})
	a, b = &opener{r.session("a"), "a", []string{"x"}}, &opener{r.session("b"), "b", []string{"x"}}
	for _, o := range []*opener{a, b} {
		r.ok(o.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	}
	return r, a, b, p, cfg.Keeper, faults
}

// tries locks or unlocks bytes for the program, and reports false if somebody is in the way.
func tries(t *testing.T, p *os.File, kind int16, start, n int64) bool {
	t.Helper()
	err := unix.FcntlFlock(p.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind, Start: start, Len: n})
	if err == unix.EAGAIN || err == unix.EACCES {
		return false
	}
	require.NoError(t, err)
	return true
}

func (f *opened) lockArgs(kind nfs4.NfsLockType4, offset, length uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
		Locktype: kind, Offset: nfs4.Offset4(offset), Length: nfs4.Length4(length),
		Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
			OpenStateid: f.id, LockOwner: nfs4.LockOwner4{Owner: []byte("locks " + f.by.owner)},
		}},
	}}
}

// lock locks bytes and returns the stateid.
func (f *opened) lock(kind nfs4.NfsLockType4, offset, length uint64) nfs4.Stateid4 {
	f.by.r.t.Helper()
	res := f.by.r.ok(f.by.sequence(), putfh(f.fh), f.lockArgs(kind, offset, length))
	return res[2].Oplock.Resok4.LockStateid
}

// denied asks for a lock that is denied, and says by whom.
func (f *opened) denied(kind nfs4.NfsLockType4, offset, length uint64) nfs4.LOCK4denied {
	f.by.r.t.Helper()
	res := f.by.r.do(f.by.sequence(), putfh(f.fh), f.lockArgs(kind, offset, length))
	require.Equal(f.by.r.t, nfs4.NFS4ERR_DENIED, res.Status)
	return res.Resarray[2].Oplock.Denied
}

func (f *opened) lockt(kind nfs4.NfsLockType4, offset, length uint64) *nfs4.COMPOUND4res {
	return f.by.r.do(f.by.sequence(), putfh(f.fh), nfs4.NfsArgop4{Argop: nfs4.OP_LOCKT, Oplockt: nfs4.LOCKT4args{
		Locktype: kind, Offset: nfs4.Offset4(offset), Length: nfs4.Length4(length),
		Owner: nfs4.LockOwner4{Owner: []byte("locks " + f.by.owner)},
	}})
}

func (f *opened) unlock(id nfs4.Stateid4, offset, length uint64) nfs4.Stateid4 {
	f.by.r.t.Helper()
	res := f.by.r.ok(f.by.sequence(), putfh(f.fh), nfs4.NfsArgop4{Argop: nfs4.OP_LOCKU, Oplocku: nfs4.LOCKU4args{
		Locktype: nfs4.WRITE_LT, LockStateid: id, Offset: nfs4.Offset4(offset), Length: nfs4.Length4(length),
	}})
	return res[2].Oplocku.LockStateid
}

const toEnd = 1<<64 - 1

func TestProgramsOfTheMachineSeeTheLocksOfClients(t *testing.T) {
	r, a, b, p, k, _ := onDisk(t)
	fa, fb := a.open("f"), b.open("f")
	id := fa.lock(nfs4.WRITE_LT, 0, 10)
	require.Equal(t, 1, r.waits, "the file is opened for its locks")
	require.False(t, tries(t, p, unix.F_RDLCK, 9, 1))
	require.True(t, tries(t, p, unix.F_WRLCK, 10, 10))
	fb.lock(nfs4.READ_LT, 100, 10)
	require.Zero(t, r.waits)
	require.True(t, tries(t, p, unix.F_RDLCK, 100, 10))
	require.False(t, tries(t, p, unix.F_WRLCK, 109, 1))
	id = fa.unlock(id, 0, 5)
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 5))
	require.False(t, tries(t, p, unix.F_RDLCK, 5, 1))
	fa.unlock(id, 0, toEnd)
	require.True(t, tries(t, p, unix.F_WRLCK, 5, 5))
	require.EqualValues(t, 1, k.mirror.n.Load())
	require.False(t, tries(t, p, unix.F_WRLCK, 100, 1))
	fb.close() // with its lock
	require.Zero(t, k.mirror.n.Load())
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 0))
	require.True(t, tries(t, p, unix.F_UNLCK, 0, 0))
	fa.lock(nfs4.READ_LT, 5, toEnd)
	require.Zero(t, r.waits, "the file is open for its locks still")
	require.False(t, tries(t, p, unix.F_WRLCK, 1<<40, 1))
	fa.close()
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 0))
}

// What two clients read stays when one of them unlocks: on both sides of it the kernel lets go.
func TestAnUnlockLeavesWhatOthersHaveInItsMiddle(t *testing.T) {
	_, a, b, p, _, _ := onDisk(t)
	fa, fb := a.open("f"), b.open("f")
	id := fa.lock(nfs4.READ_LT, 0, 30)
	fb.lock(nfs4.READ_LT, 10, 10)
	require.False(t, tries(t, p, unix.F_WRLCK, 0, 1))
	require.False(t, tries(t, p, unix.F_WRLCK, 29, 1))
	fa.unlock(id, 0, toEnd)
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 10))
	require.True(t, tries(t, p, unix.F_WRLCK, 20, 10))
	require.False(t, tries(t, p, unix.F_WRLCK, 10, 1))
	require.False(t, tries(t, p, unix.F_WRLCK, 19, 1))
	fa.close()
	fb.close()
}

func TestLocksOfTheMachineStandInTheWayOfClients(t *testing.T) {
	_, a, b, p, k, _ := onDisk(t)
	fa, fb := a.open("f"), b.open("f")
	require.True(t, tries(t, p, unix.F_WRLCK, 10, 10))
	d := fa.denied(nfs4.READ_LT, 0, 100)
	require.EqualValues(t, 10, d.Offset)
	require.EqualValues(t, 10, d.Length)
	require.Equal(t, nfs4.WRITE_LT, d.Locktype)
	require.Zero(t, d.Owner.Clientid)
	require.Zero(t, k.mirror.n.Load(), "nothing is locked")
	fa.denied(nfs4.READW_LT, 0, 100)
	require.EqualValues(t, 1, k.mirror.n.Load(), "somebody waits for a program")
	fa.lock(nfs4.READ_LT, 0, 10)
	res := fb.lockt(nfs4.READ_LT, 0, toEnd)
	require.Equal(t, nfs4.NFS4ERR_DENIED, res.Status)
	require.EqualValues(t, 10, res.Resarray[2].Oplockt.Denied.Offset)
	res = fb.lockt(nfs4.WRITE_LT, 0, toEnd)
	require.Equal(t, nfs4.NFS4ERR_DENIED, res.Status)
	require.Zero(t, res.Resarray[2].Oplockt.Denied.Offset, "a client's comes first")
	require.Equal(t, nfs4.NFS4_OK, fb.lockt(nfs4.READ_LT, 0, 10).Status)
	require.True(t, tries(t, p, unix.F_RDLCK, 10, 10))
	require.Equal(t, nfs4.NFS4_OK, fb.lockt(nfs4.READ_LT, 0, toEnd).Status)
	require.Equal(t, nfs4.READ_LT, fb.lockt(nfs4.WRITE_LT, 15, 1).Resarray[2].Oplockt.Denied.Locktype)
	require.True(t, tries(t, p, unix.F_UNLCK, 0, 0))
	require.Equal(t, nfs4.NFS4_OK, fb.lockt(nfs4.READ_LT, 0, toEnd).Status)
	fa.lock(nfs4.READ_LT, 0, 100)
	require.False(t, tries(t, p, unix.F_WRLCK, 15, 1))
}

func TestALockThatCannotBeShownNowIsForLater(t *testing.T) {
	r, a, _, p, k, faults := onDisk(t)
	f := a.open("f")
	x := faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpenLocks}, Status: vfs.Delay})
	res := r.do(a.sequence(), putfh(f.fh), f.lockArgs(nfs4.WRITE_LT, 0, 10))
	require.Equal(t, nfs4.NFS4ERR_DELAY, res.Status)
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 10))
	require.True(t, tries(t, p, unix.F_UNLCK, 0, 10))
	x.Remove()
	f.lock(nfs4.WRITE_LT, 0, 10)
	require.False(t, tries(t, p, unix.F_WRLCK, 0, 10))
	x = faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpenLocks}, Status: vfs.NotSupp})
	f.close()
	f = a.open("f")
	f.lock(nfs4.WRITE_LT, 0, 10)
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 10), "it stands among clients only")
	require.Zero(t, k.mirror.n.Load())
	x.Remove()
}

// closing is the locks of a file, which tell when they are closed.
type closing struct {
	vfs.Locks
	closed int
	sleeps bool
	status vfs.Status // of Lock
}

func (c *closing) Lock(vfs.LockRange, vfs.LockKind, *vfs.FileLock) vfs.Status { return c.status }

func (c *closing) Close()       { c.closed++ }
func (c *closing) Sleeps() bool { return c.sleeps }

// The locks of a file stay open until the last of the operations that use them has ended. Of two
// that open them at once the first one's are used, and the other's are closed.
func TestLocksAreOpenAsLongAsAnyOperationUsesThem(t *testing.T) {
	m := &NewKeeper().mirror
	f := files.File{Export: 1}
	first, second := new(closing), new(closing)
	require.Nil(t, m.use(&f, nil))
	x := m.use(&f, first)
	require.Same(t, x, m.use(&f, second))
	require.Equal(t, [2]int{0, 1}, [2]int{first.closed, second.closed})
	require.Same(t, x, m.use(&f, nil))
	for range 2 {
		m.end(&f)
		require.Zero(t, first.closed)
	}
	m.end(&f)
	require.Equal(t, 1, first.closed)
	require.Zero(t, m.n.Load())
	m.end(&f) // which nobody has begun
	require.Equal(t, [2]int{1, 1}, [2]int{first.closed, second.closed})
}

// canLock is a View of a back end with locks, and no more.
type canLock struct {
	vfs.View
	vfs.Locker
}

func (c canLock) Abilities() *vfs.Abilities { return &vfs.Abilities{Locks: c.Locker} }

// Where to lock or unlock may sleep, a lane leaves both to a worker, and has then begun nothing.
func TestALaneNeitherLocksNorUnlocksWhereThatMaySleep(t *testing.T) {
	for _, sleeps := range []bool{false, true} {
		m := &NewKeeper().mirror
		f := files.File{Export: 1}
		locks := &closing{sleeps: sleeps}
		m.use(&f, locks)
		require.Equal(t, sleeps, m.sleeps(&f))
		v := canLock{Locker: struct{ vfs.Locker }{}}
		want := vfs.OK
		if sleeps {
			want = vfs.Again
		}
		on, s := m.begin(v, false, &f)
		require.Equal(t, !sleeps, on)
		require.Equal(t, want, s)
		if on {
			m.end(&f)
		}
		on, s = m.begin(v, true, &f)
		require.True(t, on, "a worker locks")
		require.Equal(t, vfs.OK, s)
		m.end(&f)
		require.Zero(t, locks.closed)
		m.end(&f)
		require.Equal(t, 1, locks.closed)
		require.False(t, m.sleeps(&f))
	}
}

// A lock that the kernel has no memory for is not granted, and keeps nothing open.
func TestALockThatTheKernelCannotTakeHasFailed(t *testing.T) {
	for status, want := range map[vfs.Status]files.Raised{
		vfs.OK: files.Granted, vfs.Access: files.Held, vfs.Delay: files.Failed, vfs.IO: files.Failed,
	} {
		m := &NewKeeper().mirror
		f := files.File{Export: 1}
		locks := &closing{status: status}
		m.use(&f, locks)
		require.Equal(t, want, m.Raise(&f, ranges.All, ranges.Write, new(ranges.Lock)), status)
		m.end(&f)
		require.Equal(t, want == files.Failed, locks.closed == 1, status)
		m.Done(&f)
		require.Equal(t, 1, locks.closed)
	}
}

// The file that has lost its name is locked and unlocked by its open as before.
func TestAFileWithoutANameIsLocked(t *testing.T) {
	r, a, b, _, k, _ := onDisk(t)
	fa, fb := a.open("f"), b.open("f")
	r.ok(in(b.sequence(), append(walk("x"), remove("f"))...)...)
	id := fa.lock(nfs4.WRITE_LT, 0, 10)
	require.NotZero(t, fb.denied(nfs4.READ_LT, 5, 1).Owner.Clientid)
	fa.write("C")
	require.Equal(t, "Content", fb.read())
	fa.unlock(id, 0, toEnd)
	fb.lock(nfs4.READ_LT, 5, 1)
	fa.close()
	fb.close()
	require.Zero(t, k.Held())
	require.Zero(t, k.mirror.n.Load())
	fa.gone()
}

// A lane takes nothing from a client whose lease is over: that is written to the disc first.
func TestALaneTakesNoLocksAway(t *testing.T) {
	now := new(uint32)
	cfg := remembers(now)
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, cfg, export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	maker(t, r, fs)("f", "content")
	a, b := r.session("a"), r.session("b")
	var open [2]nfs4.Stateid4
	for i, s := range []*session{a, b} {
		r.ok(s.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
		open[i] = opens(r.ok(in(s.sequence(), append(walk("x"), openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
	}
	r.ok(in(a.sequence(), append(walk("x", "f"), lockOp(open[0], "l", nfs4.WRITE_LT, 0, 5))...)...)
	require.Zero(t, r.waits, "a lane locks")
	test := append(walk("x", "f"), locktOp("other", nfs4.READ_LT, 0, 1))
	r.fails(nfs4.NFS4ERR_DENIED, in(b.sequence(), test...)...)
	require.Zero(t, r.waits)
	*now = 40
	r.ok(b.sequence())
	*now = 60
	r.ok(in(b.sequence(), test...)...)
	require.Equal(t, 1, r.waits, "who is overdue has lost his lock, by a worker")
	r.ok(in(b.sequence(), append(walk("x", "f"), lockOp(open[1], "l", nfs4.WRITE_LT, 0, 5))...)...)
	require.Zero(t, r.waits)
}

// shown is the locks of a file, of which the mirror is to take good care.
type shown struct {
	sleeps, fails bool
	unlocked      []vfs.LockRange
	closed        int
}

func (s *shown) Lock(vfs.LockRange, vfs.LockKind, *vfs.FileLock) vfs.Status {
	if s.fails {
		return vfs.Delay
	}
	return vfs.OK
}
func (s *shown) Unlock(r vfs.LockRange) { s.unlocked = append(s.unlocked, r) }
func (s *shown) Conflict(vfs.LockRange, vfs.LockKind) (vfs.FileLock, bool) {
	return vfs.FileLock{}, false
}
func (s *shown) Sleeps() bool { return s.sleeps }
func (s *shown) Close()       { s.closed++ }

// shower is a View that opens locks of files.
type shower struct {
	vfs.View
	opens *shown
	asked int
}

func (v *shower) Abilities() *vfs.Abilities { return &vfs.Abilities{Locks: v} }

func (v *shower) OpenLocks(vfs.Handle) (vfs.Locks, vfs.Status) {
	v.asked++
	return v.opens, vfs.OK
}

func TestTheLocksOfAFileAreClosedAfterTheirLastUse(t *testing.T) {
	k := NewKeeper()
	m := &k.mirror
	f := new(files.File)
	first, second := &shown{sleeps: true}, new(shown)
	v := &shower{opens: first}
	begin := func(mayWait bool, want vfs.Status) {
		t.Helper()
		on, st := m.begin(v, mayWait, f)
		require.Equal(t, want, st)
		require.Equal(t, want == vfs.OK, on)
	}
	begin(true, vfs.OK)
	begin(true, vfs.OK)
	require.Equal(t, 1, v.asked, "they are open")
	begin(false, vfs.Again) // what sleeps is for a worker; it leaves no use behind
	m.use(f, second)
	require.Equal(t, 1, second.closed, "somebody else was faster")
	m.end(f)
	m.end(f)
	require.Zero(t, first.closed, "somebody uses them")
	first.fails = true
	var held ranges.Lock
	require.Equal(t, files.Failed, m.Raise(f, ranges.All, ranges.Read, &held))
	m.end(f)
	require.Equal(t, 1, first.closed)
	require.Zero(t, m.n.Load())

	v.opens = second
	begin(true, vfs.OK)
	require.Equal(t, 2, v.asked)
	require.Equal(t, files.Granted, m.Raise(f, ranges.All, ranges.Read, &held))
	m.end(f)
	require.Equal(t, 1, second.closed, "something is locked")
	two := []ranges.Range{{Start: 1, End: 2}, {Start: 5, End: 9}}
	m.Lower(f, two)
	require.Equal(t, []vfs.LockRange{{Start: 1, End: 2}, {Start: 5, End: 9}}, second.unlocked)
	begin(true, vfs.OK)
	m.Done(f)
	require.Equal(t, 1, second.closed, "somebody uses them")
	m.end(f)
	require.Equal(t, 2, second.closed)
	require.Zero(t, m.n.Load())
	require.Equal(t, files.Granted, m.Raise(f, ranges.All, ranges.Read, &held), "what is not open is not shown")
}

// sleeper is locks of a file system that may sleep over them.
type sleeper struct{ vfs.Locks }

func (sleeper) Sleeps() bool { return true }

func TestALaneDoesNotSleepOverLocks(t *testing.T) {
	r, a, b, p, k, _ := onDisk(t)
	fa, fb := a.open("f"), b.open("f")
	id := fa.lock(nfs4.WRITE_LT, 0, 10)
	for _, x := range k.mirror.files {
		x.locks = sleeper{x.locks}
	}
	fb.lock(nfs4.WRITE_LT, 20, 10)
	require.Equal(t, 1, r.waits, "LOCK is for a worker")
	require.Equal(t, nfs4.NFS4_OK, fb.lockt(nfs4.WRITE_LT, 40, 10).Status)
	require.Equal(t, 1, r.waits, "LOCKT too")
	fa.unlock(id, 0, 5)
	require.Equal(t, 1, r.waits, "LOCKU too")
	fa.close()
	require.Equal(t, 1, r.waits, "CLOSE too")
	require.True(t, tries(t, p, unix.F_WRLCK, 0, 10))
	require.False(t, tries(t, p, unix.F_WRLCK, 20, 1))
	fb.close()
	require.Zero(t, k.mirror.n.Load())
}
