package vfstest

import (
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var lockTests = []testCase{
	{"all who open a file's locks are one owner", locksAreOne},
	{"files have locks of their own", locksOfTwoFiles},
	{"locks go up and down", locksChange},
	{"only files that are there have locks", locksOfWhat},
	{"the locks of a file that is held can be opened", locksOfHeld},
}

// locks opens the locks of h, on a thread that may not wait after one that may. If the FS shows no
// locks, the test is skipped.
func (t *T) locks(h vfs.Handle) vfs.Locks {
	t.Helper()
	able := t.Worker.Abilities().Locks
	if able == nil {
		t.Skip("the file system shows no locks")
	}
	l, s := able.OpenLocks(h)
	require.Equal(t, vfs.OK, s)
	if t.lane == nil || l.Sleeps() {
		return l
	}
	t.lane.run(nil, func(*vfs.Cred) {
		var again vfs.Locks
		if again, s = t.lane.v.Abilities().Locks.OpenLocks(h); s == vfs.OK {
			l.Close()
			l = again
		}
	})
	require.Equal(t, vfs.OK, s, "a file whose locks are open, on a thread that may not wait")
	return l
}

// lock takes a lock that nobody is in the way of.
func (t *T) lock(l vfs.Locks, r vfs.LockRange, kind vfs.LockKind) {
	t.Helper()
	require.Equal(t, vfs.OK, l.Lock(r, kind, new(vfs.FileLock)))
}

func locksAreOne(t *T) {
	f := t.create(t.Root, "f", 0o600)
	a, b := t.locks(f), t.locks(f)
	t.lock(a, vfs.LockRange{Start: 10, End: 19}, vfs.WriteLock)
	t.lock(b, vfs.LockRange{Start: 15, End: 30}, vfs.WriteLock)
	_, denied := b.Conflict(vfs.AllBytes, vfs.WriteLock)
	require.False(t, denied)
	a.Close()
	t.lock(b, vfs.AllBytes, vfs.WriteLock)
	b.Unlock(vfs.AllBytes)
	b.Close()
	again := t.locks(f)
	t.lock(again, vfs.AllBytes, vfs.WriteLock)
	again.Close() // with something locked
	last := t.locks(f)
	t.lock(last, vfs.AllBytes, vfs.ReadLock)
	last.Unlock(vfs.AllBytes)
	last.Close()
}

func locksOfTwoFiles(t *T) {
	a := t.locks(t.create(t.Root, "a", 0o600))
	defer a.Close()
	b := t.locks(t.create(t.Root, "b", 0o600))
	defer b.Close()
	t.lock(a, vfs.AllBytes, vfs.WriteLock)
	t.lock(b, vfs.AllBytes, vfs.WriteLock)
}

func locksChange(t *T) {
	l := t.locks(t.create(t.Root, "f", 0o400)) // the server's rights count
	defer l.Close()
	const most = 1<<63 - 1
	t.lock(l, vfs.LockRange{Start: 0, End: 99}, vfs.ReadLock)
	t.lock(l, vfs.LockRange{Start: 50, End: 149}, vfs.WriteLock)
	t.lock(l, vfs.LockRange{Start: 60, End: 69}, vfs.ReadLock)
	l.Unlock(vfs.LockRange{Start: 65, End: 65})
	t.lock(l, vfs.LockRange{Start: most - 1, End: most + 1}, vfs.WriteLock) // partly beyond what a kernel knows
	t.lock(l, vfs.LockRange{Start: most + 5, End: most + 6}, vfs.WriteLock)
	l.Unlock(vfs.LockRange{Start: most + 5, End: most + 6})
	l.Unlock(vfs.AllBytes)
	l.Unlock(vfs.AllBytes)
}

func locksOfWhat(t *T) {
	f := t.create(t.Root, "f", 0o600)
	t.locks(f).Close()
	able := t.Worker.Abilities().Locks
	_, s := able.OpenLocks(t.Root)
	require.Equal(t, vfs.Inval, s)
	t.remove(t.Root, "f")
	_, s = able.OpenLocks(f)
	require.Equal(t, vfs.Stale, s)
	_, s = able.OpenLocks(vfs.Handle{})
	require.Equal(t, vfs.BadHandle, s)
}

func locksOfHeld(t *T) {
	f := t.create(t.Root, "f", 0o600)
	k := t.keeping(f)
	t.remove(t.Root, "f")
	l := t.locks(f)
	t.lock(l, vfs.AllBytes, vfs.WriteLock)
	l.Unlock(vfs.AllBytes)
	l.Close()
	k.drop(f)
	_, s := t.Worker.Abilities().Locks.OpenLocks(f)
	require.Equal(t, vfs.Stale, s)
}
