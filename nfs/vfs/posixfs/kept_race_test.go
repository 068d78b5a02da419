package posixfs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/sole"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// A lane that answers from a sample of a directory knows the rights of then.
func TestARightThatWasTakenIsNotRememberedAfterwards(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r := newExclusiveRig(t, fileSystems[1].dir(t), options{})
	r.clean()
	r.act("setattr", r.workers[0], "", "", "p", "", 2) // 0755
	dir, _ := r.handle("p")
	lane, root, guest := r.lanes[0], r.lanes[0].cred(0, 0), r.lanes[0].cred(1000, 1000)
	lookAs := func(c *vfs.Cred, name string) (s vfs.Status) {
		lane.do(func(v *View) {
			var e vfs.Entry
			var d vfs.Attr
			s = v.Lookup(c, dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
		})
		return s
	}
	look := func(name string) vfs.Status { return lookAs(guest, name) }
	time.Sleep(verdict.Age + 20*time.Millisecond) // so that the verdict is remembered
	ask := func(by *runner) (s vfs.Status) {
		by.do(func(v *View) {
			var a vfs.Attr
			_, s = v.Access(by.cred(1000, 1000), dir, vfs.MayExec, &a)
		})
		return s
	}
	if ask(lane) == vfs.Again { // the directory was not open
		require.Equal(t, vfs.OK, ask(r.workers[0]))
		require.Equal(t, vfs.OK, ask(lane))
	}
	lane.do(func(v *View) { v.th.Epoch = 7 })
	require.Equal(t, vfs.OK, look("a"))
	lookAs(root, "c")                                  // then the thread does not act for the guest
	r.act("setattr", r.workers[0], "", "", "p", "", 1) // 0600
	look("b")                                          // in the same turn: as the kernel might have said before
	lane.do(func(v *View) { v.th.Epoch++ })
	for _, name := range []string{"b", "a"} {
		// A lane that does not know asks a worker, who is refused.
		require.Contains(t, []vfs.Status{vfs.Access, vfs.Again}, look(name), name)
	}
}

// A change is atomic only if no other change of the object was under way when it began.
func TestAChangeWithinAnotherIsNotAtomic(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r := newExclusiveRig(t, fileSystems[1].dir(t), options{})
	r.clean()
	h, _ := r.handle("p/a")
	set := func() (w vfs.WCC) {
		r.workers[0].do(func(v *View) {
			s := v.SetAttr(r.workers[0].cred(0, 0), h, &vfs.SetAttr{HasMode: true, Mode: 0o640}, &w)
			require.Equal(t, vfs.OK, s)
		})
		return w
	}
	require.True(t, set().Atomic)
	var e *entry
	r.workers[1].do(func(v *View) { // as WRITE does, which holds no lock of the file
		e, _ = v.reach(&h, useMain)
		v.begin(&e.Key, false, siteWrite)
	})
	within := set()
	r.workers[1].do(func(v *View) { v.doneChanging() })
	require.False(t, within.Atomic)
	require.True(t, set().Atomic)
	require.True(t, sole.AtRest(e.Own.kept.Slot().Attr.Now()))
}

func TestARenameWithinADirectoryIsAtomic(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r := newExclusiveRig(t, fileSystems[1].dir(t), options{})
	r.clean()
	dir, _ := r.handle("p")
	r.workers[0].do(func(v *View) {
		var from, to vfs.WCC
		s := v.Rename(r.workers[0].cred(0, 0), &vfs.RenameArgs{
			From: dir, FromName: []byte("a"), To: dir, ToName: []byte("z"),
		}, &from, &to)
		require.Equal(t, vfs.OK, s)
		require.True(t, from.Atomic)
		require.True(t, to.Atomic)
	})
	r.compare()
	require.Empty(t, r.wrong)
}

// Attributes that a lane has asked for do not come back after a reply that shows newer ones.
func TestAnAccessTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r := newExclusiveRig(t, fileSystems[1].dir(t), options{})
	r.clean()
	h, _ := r.handle("p/b") // a symbolic link
	var (
		e  *entry
		n  uint64
		st unix.Statx_t
		a  vfs.Attr
	)
	r.lanes[0].do(func(v *View) {
		e, _ = v.reach(&h, useMain)
		n = count(e)
		require.EqualValues(t, 0, v.statx(e.FD, &st))
	})
	r.workers[0].do(func(v *View) {
		_, s := v.ReadLink(nil, h, make([]byte, 100), &a)
		require.Equal(t, vfs.OK, s)
	})
	r.lanes[0].do(func(v *View) {
		v.met(e, n, &st)
		v.done()
		var b vfs.Attr
		require.Equal(t, vfs.OK, v.GetAttr(h, &b))
		require.Equal(t, a.Atime, b.Atime)
	})
}
