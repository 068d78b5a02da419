package vfstest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var holdTests = []testCase{
	{"a file that is held outlives its name", heldAfterRemove},
	{"a file that is held outlives a file that takes its name", heldAfterReplace},
	{"a file is held when it loses its last name only", heldAtTheLastName},
	{"what the keeper does not want is gone", notHeld},
	{"the keeper hears of removals that fail", keptAfterFailure},
	{"a keeper is asked about files only", onlyFilesAreHeld},
	{"a hold outlives the asking", heldBeyondAsking},
	{"removals of all names at once leave one file held", heldByAll},
}

// keeper wants some files, and notes what it is told.
type keeper struct {
	mu    sync.Mutex
	wants []vfs.Handle
	asked []vfs.Handle // of those that it wants
	told  []vfs.Handle
	holds map[vfs.Handle][]vfs.Held
}

func (k *keeper) Any() bool { return true }

func (k *keeper) Keep(h vfs.Handle) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	yes := slices.Contains(k.wants, h)
	if yes {
		k.asked = append(k.asked, h)
	}
	return yes
}

func (k *keeper) Kept(h vfs.Handle, held vfs.Held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, h)
	if held != nil {
		k.holds[h] = append(k.holds[h], held)
	}
}

// drop ends the holds of h.
func (k *keeper) drop(h vfs.Handle) {
	for _, x := range k.holds[h] {
		x.Drop()
	}
	delete(k.holds, h)
}

// keeping asks a keeper from now on, who wants these files. If the FS cannot hold files, the test
// is skipped.
func (t *T) keeping(wants ...vfs.Handle) *keeper {
	t.Helper()
	hold := t.Worker.Abilities().Hold
	if hold == nil {
		t.Skip("the file system holds no files without names")
	}
	k := &keeper{wants: wants, holds: make(map[vfs.Handle][]vfs.Held)}
	hold.AskKeeper(k)
	t.Cleanup(func() {
		hold.AskKeeper(nil)
		for h := range k.holds {
			k.drop(h)
		}
		require.Equal(t, k.asked, k.told, "each that was wanted, once")
	})
	return k
}

// usable checks that h, which has lost its names, is as good as ever.
func (t *T) usable(h vfs.Handle) {
	t.Helper()
	require.Zero(t, t.attr(h).Nlink)
	t.write(h, 0, []byte("what was written later"))
	require.Equal(t, "what was written later", string(t.read(h, 0, 100)))
	var w vfs.WCC
	_, s := t.V.Commit(t.C, h, &vfs.CommitArgs{}, &w)
	require.Equal(t, vfs.OK, s)
	require.True(t, w.After.Filled())
	var a vfs.Attr
	got, s := t.V.Access(t.C, h, vfs.MayRead|vfs.MayWrite, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, vfs.MayRead|vfs.MayWrite, got)
	require.Equal(t, vfs.OK, t.V.SetAttr(t.C, h, &vfs.SetAttr{HasMode: true, Mode: 0o600, HasSize: true, Size: 4}, &w))
	require.True(t, w.HasBefore)
	require.True(t, w.After.Filled())
	require.EqualValues(t, 0o600, t.attr(h).Mode)
	require.Equal(t, "what", string(t.read(h, 0, 100)))
	require.NotEqual(t, vfs.OK, t.V.Link(t.C, &vfs.LinkArgs{Object: h, Dir: t.Root, Name: []byte("back")}, &a, &w))
}

// lookupFails checks that name leads nowhere.
func (t *T) lookupFails(name string) {
	t.Helper()
	var e vfs.Entry
	var d vfs.Attr
	require.Equal(t, vfs.NoEnt, t.V.Lookup(t.C, t.Root, []byte(name), &vfs.Found{Entry: &e, Dir: &d}))
}

func heldAfterRemove(t *T) {
	f := t.create(t.Root, "f", 0o644)
	t.write(f, 0, []byte("first"))
	k := t.keeping(f)
	t.remove(t.Root, "f")
	require.Len(t, k.holds[f], 1)
	t.lookupFails("f")
	require.Equal(t, "first", string(t.read(f, 0, 100)))
	t.usable(f)
	other := t.create(t.Root, "f", 0o644)
	require.NotEqual(t, f, other)
	t.usable(f)
	require.EqualValues(t, 1, t.attr(other).Nlink)
	k.drop(f)
	t.allStale(f)
	require.EqualValues(t, 1, t.attr(other).Nlink)
}

func heldAfterReplace(t *T) {
	f, g := t.create(t.Root, "f", 0o644), t.create(t.Root, "g", 0o644)
	t.write(f, 0, []byte("old"))
	k := t.keeping(f)
	t.rename(t.Root, "g", t.Root, "f")
	require.Equal(t, g, t.lookup(t.Root, "f"))
	require.Len(t, k.holds[f], 1)
	require.Equal(t, "old", string(t.read(f, 0, 100)))
	t.usable(f)
	k.drop(f)
	t.allStale(f)
}

func heldAtTheLastName(t *T) {
	f := t.create(t.Root, "f", 0o644)
	t.link(f, t.Root, "g")
	t.link(f, t.Root, "h")
	k := t.keeping(f)
	t.remove(t.Root, "f")
	require.EqualValues(t, 2, t.attr(f).Nlink)
	other := t.create(t.Root, "other", 0o644)
	t.rename(t.Root, "other", t.Root, "g")
	require.EqualValues(t, 1, t.attr(f).Nlink)
	require.Empty(t, k.holds)
	t.remove(t.Root, "h")
	require.Len(t, k.holds[f], 1)
	t.usable(f)
	k.drop(f)
	t.allStale(f)
	require.EqualValues(t, 1, t.attr(other).Nlink)
}

func notHeld(t *T) {
	f, g := t.create(t.Root, "f", 0o644), t.create(t.Root, "g", 0o644)
	k := t.keeping(g)
	t.remove(t.Root, "f")
	t.allStale(f)
	require.Empty(t, k.told)
	t.Worker.Abilities().Hold.AskKeeper(nil)
	t.remove(t.Root, "g")
	t.allStale(g)
	require.Empty(t, k.asked)
}

func keptAfterFailure(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	f := t.create(t.Root, "f", 0o644)
	t.write(f, 0, []byte("here"))
	k := t.keeping(f)
	var w, w2 vfs.WCC
	s := t.V.Rename(t.C, &vfs.RenameArgs{From: t.Root, FromName: []byte("d"), To: t.Root, ToName: []byte("f")}, &w, &w2)
	require.Equal(t, vfs.NotDir, s)
	require.Empty(t, k.holds)
	require.Equal(t, "here", string(t.read(f, 0, 100)))
	t.remove(t.Root, "f")
	t.usable(f)
	require.Equal(t, d, t.lookup(t.Root, "d"))
}

func onlyFilesAreHeld(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	var e vfs.Entry
	var w vfs.WCC
	s := t.V.Symlink(t.C, t.Root, &vfs.SymlinkArgs{Name: []byte("l"), Target: []byte("x"), Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w})
	require.Equal(t, vfs.OK, s)
	k := t.keeping(d, e.Handle)
	require.Equal(t, vfs.OK, t.V.Rmdir(t.C, t.Root, []byte("d"), &w))
	t.remove(t.Root, "l")
	require.Empty(t, k.asked)
	t.allStale(d)
	t.allStale(e.Handle)
}

func heldBeyondAsking(t *T) {
	f := t.create(t.Root, "f", 0o644)
	a := t.keeping(f)
	t.remove(t.Root, "f")
	require.Len(t, a.holds[f], 1)
	b := t.keeping(f) // another keeper: what the first one holds is still its own
	t.usable(f)
	require.Empty(t, b.asked)
	a.drop(f)
	t.allStale(f)
}

// heldByAll removes both names of a file at the same time, from two directories: neither removal
// can know that it takes the last one.
func heldByAll(t *T) {
	dirs := [2]vfs.Handle{t.mkdir(t.Root, "a", 0o755), t.mkdir(t.Root, "b", 0o755)}
	for range 30 {
		f := t.create(dirs[0], "f", 0o644)
		t.link(f, dirs[1], "f")
		k := t.keeping(f)
		var done [2]<-chan error
		for i, d := range dirs {
			done[i] = t.peer(func(v vfs.View, th *vfs.Thread) error {
				var w vfs.WCC
				if s := v.Remove(th.Creds.Intern(t.C.UID, t.C.GID, t.C.Groups), d, []byte("f"), &w); s != vfs.OK {
					return fmt.Errorf("remove: %v", s)
				}
				return nil
			})
		}
		for _, c := range done {
			require.NoError(t, <-c)
		}
		require.Len(t, k.told, 2)
		require.NotEmpty(t, k.holds[f])
		t.usable(f)
		k.drop(f)
		t.allStale(f)
	}
}
