package vfstest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var threadTests = []testCase{
	{"threads that write side by side", writeSideBySide},
	{"a change by one thread is seen by the others at once", seenAtOnce},
	{"no change falls between before and after of another", changesDoNotOverlap},
	{"threads have their own credentials", threadCredentials},
}

func writeSideBySide(t *T) {
	const peers, blocks, blockLen = 4, 16, 3000
	h := t.create(t.Root, "f", 0o644)
	var waits []<-chan error
	for i := range peers {
		waits = append(waits, t.peer(func(v vfs.View, th *vfs.Thread) error {
			c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
			for b := range blocks {
				var w vfs.WCC
				off := uint64((b*peers + i) * blockLen)
				n, _, _, s := v.Write(
					c,
					h,
					&vfs.WriteArgs{Off: off, Src: [][]byte{pattern(blockLen, b*peers+i)}, How: vfs.Unstable},
					&w,
				)
				if s != vfs.OK || n != blockLen {
					return fmt.Errorf("write: %d, %v", n, s)
				}
			}
			return nil
		}))
	}
	for _, w := range waits {
		require.NoError(t, <-w)
	}
	for b := range peers * blocks {
		require.True(
			t,
			bytes.Equal(pattern(blockLen, b), t.read(h, uint64(b*blockLen), blockLen)),
			"block %d",
			b,
		)
	}
}

func seenAtOnce(t *T) {
	h := t.create(t.Root, "f", 0o644)
	for i := range 5 {
		name := fmt.Sprintf("made%d", i)
		data := pattern(100, i)
		require.NoError(t, <-t.peer(func(v vfs.View, th *vfs.Thread) error {
			c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
			var e vfs.Entry
			var w vfs.WCC
			if s := v.Create(c, t.Root, &vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}); s != vfs.OK {
				return fmt.Errorf("create: %v", s)
			}
			if _, _, _, s := v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{data}, How: vfs.Unstable}, &w); s != vfs.OK {
				return fmt.Errorf("write: %v", s)
			}
			if s := v.SetAttr(c, h, mode(0o600+uint32(i)), &w); s != vfs.OK {
				return fmt.Errorf("setattr: %v", s)
			}
			return nil
		}))
		t.lookup(t.Root, name)
		require.Equal(t, data, t.read(h, 0, 200))
		require.EqualValues(t, 0o600+i, t.attr(h).Mode)
	}
}

// changesDoNotOverlap checks that the WCCs of one directory, put in order, follow each other.
// (Where ctime is coarse, many of them are equal.)
func changesDoNotOverlap(t *T) {
	const peers, changes = 4, 25
	d := t.mkdir(t.Root, "d", 0o755)
	var mu sync.Mutex
	var all []vfs.WCC
	var waits []<-chan error
	for i := range peers {
		waits = append(waits, t.peer(func(v vfs.View, th *vfs.Thread) error {
			c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
			for n := range changes {
				var e vfs.Entry
				var w vfs.WCC
				if s := v.Create(c, d, &vfs.CreateArgs{Name: fmt.Appendf(nil, "f%d-%d", i, n), How: vfs.Guarded, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}); s != vfs.OK {
					return fmt.Errorf("create: %v", s)
				}
				if !w.HasBefore || !w.After.Filled() {
					return fmt.Errorf("a WCC is not whole: %+v", w)
				}
				mu.Lock()
				all = append(all, w)
				mu.Unlock()
			}
			return nil
		}))
	}
	for _, w := range waits {
		require.NoError(t, <-w)
	}
	slices.SortFunc(all, func(a, b vfs.WCC) int {
		return cmp.Or(
			compareTimes(a.Before.Ctime, b.Before.Ctime),
			compareTimes(a.After.Ctime, b.After.Ctime),
		)
	})
	for i := 1; i < len(all); i++ {
		require.LessOrEqual(
			t,
			compareTimes(all[i-1].After.Ctime, all[i].Before.Ctime),
			0,
			"change %d began before the one ahead of it had ended",
			i,
		)
	}
}

func compareTimes(a, b vfs.Time) int {
	return cmp.Or(cmp.Compare(a.Sec, b.Sec), cmp.Compare(a.Nsec, b.Nsec))
}

func threadCredentials(t *T) {
	t.people()
	secrets := map[uint32]vfs.Handle{}
	ids := []uint32{aliceID, bobID}
	for _, id := range ids {
		secrets[id] = t.own(t.create(t.Root, fmt.Sprint(id), 0), id, id, 0o600)
	}
	var waits []<-chan error
	for i := range 4 {
		waits = append(waits, t.peer(func(v vfs.View, th *vfs.Thread) error {
			me := ids[i%2]
			c := th.Creds.Intern(me, me, nil)
			for range 50 {
				for id, h := range secrets {
					var a vfs.Attr
					_, _, s := v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 4)}, &a)
					if (s == vfs.OK) != (id == me) {
						return fmt.Errorf("user %d reads the file of %d: %v", me, id, s)
					}
				}
			}
			return nil
		}))
	}
	for _, w := range waits {
		require.NoError(t, <-w)
	}
}
