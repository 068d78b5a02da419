package verdict

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// actor acts for nobody but the test, and counts the users for whom it should act.
type actor struct{ asked []*vfs.Cred }

func (a *actor) ActFor(c *vfs.Cred) bool { a.asked = append(a.asked, c); return true }

type court struct {
	tick  atomic.Int64
	actor actor
	j     Judge
	o     Object
	st    unix.Statx_t
}

// newCourt has a file with the mode. The file's attributes are as old as Age.
func newCourt(t *testing.T, lane bool, mode os.FileMode) *court {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	p := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(p, nil, mode))
	fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	k := &court{}
	require.Zero(t, kernel.StatxWait(fd, &k.st))
	k.st.Ctime.Sec -= 2
	k.o.Init(fd, false)
	k.j.Init(&Shared{Tick: &k.tick, Self: 4711, Status: func(unix.Errno) vfs.Status { return vfs.IO }}, &k.actor, lane, 16)
	return k
}

func TestAnAnswerIsAskedForOnce(t *testing.T) {
	k := newCourt(t, false, 0o600)
	c := &vfs.Cred{}
	for range 3 {
		granted, s := k.j.May(c, &k.o, &k.st, vfs.MayRead|vfs.MayWrite)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, vfs.MayRead|vfs.MayWrite, granted)
	}
	require.Equal(t, []*vfs.Cred{nil, c}, k.actor.asked, "for the list, and for the answer")
	require.False(t, k.j.Has(&vfs.Cred{}, &k.o, &k.st, vfs.MayRead), "another caller's")
	var o Object
	o.Init(k.o.fd, false)
	require.False(t, k.j.Has(c, &o, &k.st, vfs.MayRead), "another object, if of the same descriptor")
	k.st.Ctime.Nsec ^= 1
	require.False(t, k.j.Has(c, &k.o, &k.st, vfs.MayRead), "another ctime")
}

// Somebody may remount a file system that was read-only, without a trace in its objects.
func TestARememberedNoIsNotTakenForAnAnswer(t *testing.T) {
	k := newCourt(t, false, 0o600)
	c := &vfs.Cred{}
	*k.j.slot(c, &k.o) = verdict{object: k.o.id, cred: c, ctime: k.st.Ctime, known: Kernel | ReadData}
	granted, known := k.j.Recall(c, &k.o, &k.st, vfs.MayRead|vfs.MayWrite)
	require.True(t, known, "for ACCESS")
	require.Zero(t, granted)
	require.False(t, k.j.Has(c, &k.o, &k.st, ReadData))
	require.False(t, k.j.Judged(c, &k.o, ReadData))
	granted, s := k.j.May(c, &k.o, &k.st, ReadData)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, ReadData, granted, "the kernel was asked again")
}

func TestAYoungCtimeOrAnotherMachinesIsNotRemembered(t *testing.T) {
	for _, young := range []bool{true, false} {
		k := newCourt(t, false, 0o600)
		if k.j.Foreign = !young; young {
			now := time.Now()
			k.st.Ctime.Sec, k.st.Ctime.Nsec = now.Unix(), uint32(now.Nanosecond())
		}
		c := &vfs.Cred{}
		*k.j.slot(c, &k.o) = verdict{object: k.o.id, cred: c, granted: Kernel} // older
		_, s := k.j.May(c, &k.o, &k.st, vfs.MayRead)
		require.Equal(t, vfs.OK, s)
		require.False(t, k.j.Has(c, &k.o, &k.st, vfs.MayRead))
		require.False(t, k.j.Judged(c, &k.o, vfs.MayRead), "nor what was there")
	}
}

func TestALaneDoesNotWaitForAnAccessControlList(t *testing.T) {
	k := newCourt(t, true, 0o600)
	_, s := k.j.May(&vfs.Cred{}, &k.o, &k.st, vfs.MayRead)
	require.Equal(t, vfs.Again, s)
	k.j.WarmUp(&k.o)
	require.True(t, k.o.Warm())
	_, s = k.j.May(&vfs.Cred{}, &k.o, &k.st, vfs.MayRead)
	require.Equal(t, vfs.OK, s)
}

func TestTheOwnerReadsAndWritesWhateverTheModeSays(t *testing.T) {
	k := newCourt(t, false, 0)
	k.j.Switching = true
	k.st.Uid = 1234
	owner := &vfs.Cred{UID: 1234}
	granted, s := k.j.May(owner, &k.o, &k.st, ReadData|WriteData)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, ReadData|WriteData, granted)
	require.Empty(t, k.actor.asked, "the kernel need not be asked")
	k.j.Nobody, k.j.HasNobody = 1234, true
	*k.j.slot(owner, &k.o) = verdict{}
	_, s = k.j.May(owner, &k.o, &k.st, ReadData)
	require.Equal(t, vfs.OK, s)
	require.NotEmpty(t, k.actor.asked, "who stands for all that are not mapped owns nothing")
}
