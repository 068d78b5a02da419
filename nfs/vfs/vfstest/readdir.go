package vfstest

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var readDirTests = []testCase{
	{"READDIR lists an empty directory", listEmpty},
	{"READDIR lists every type", listTypes},
	{"READDIRPLUS gives handles and attributes", listPlus},
	{"READDIR goes on after any cookie", listFromEveryCookie},
	{"READDIR does not pass an entry that was refused", listRefused},
	{"READDIR with a stale verifier is a bad cookie", listStaleVerifier},
	{"READDIR with cookies that were never given out", listInventedCookies},
	{"READDIR of what is no directory", listOthers},
	{"READDIR cookies outlive the entries around them", listWhileChanging},
	{"READDIR of a directory that another thread changes", listWhileRacing},
	{"READDIR of a large directory", listLarge},
}

// page lists at most n entries from cookie on.
func (t *T) page(
	dir vfs.Handle,
	cookie, verf uint64,
	plus bool,
	n int,
) (es []listed, newVerf uint64, eof bool) {
	t.Helper()
	var d vfs.Attr
	newVerf, eof, s := t.V.ReadDir(
		t.C,
		dir,
		&vfs.ReadDirArgs{Cookie: cookie, Verf: verf, Want: Plus(plus), Yield: func(e *vfs.DirEntry) bool {
			if len(es) == n {
				return false
			}
			es = append(es, listedOf(e))
			return true
		}},
		&d,
	)
	require.Equal(t, vfs.OK, s, "ReadDir from cookie %#x", cookie)
	require.Equal(t, vfs.TypeDir, d.Type, "the directory's attributes")
	require.NotContains(t, cookiesOf(es), uint64(0), "a cookie is never 0")
	if !eof {
		require.Len(t, es, n, "a page ends before it is full only at the end")
	}
	return es, newVerf, eof
}

func cookiesOf(es []listed) (cs []uint64) {
	for _, e := range es {
		cs = append(cs, e.cookie)
	}
	return cs
}

// pages lists a whole directory, n entries at a time. between is called between
// two pages.
func (t *T) pages(dir vfs.Handle, plus bool, n int, between func(seen []listed)) []listed {
	t.Helper()
	var all []listed
	var cookie, verf uint64
	for {
		es, newVerf, eof := t.page(dir, cookie, verf, plus, n)
		all = append(all, es...)
		if eof {
			return all
		}
		require.NotEmpty(t, es)
		require.NotEqual(t, cookie, es[len(es)-1].cookie, "the listing does not get on")
		verf, cookie = newVerf, es[len(es)-1].cookie
		if between != nil {
			between(all)
		}
	}
}

func (t *T) list(dir vfs.Handle, plus bool) []listed {
	t.Helper()
	return t.pages(dir, plus, math.MaxInt, nil)
}

// hasNames checks that a directory has exactly these entries, each once.
func (t *T) hasNames(dir vfs.Handle, names ...string) {
	t.Helper()
	var got []string
	for _, e := range t.list(dir, false) {
		got = append(got, e.name)
	}
	require.ElementsMatch(t, append([]string{".", ".."}, names...), got)
}

func listEmpty(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	es := t.list(d, false)
	require.Len(t, es, 2)
	ids := map[string]uint64{".": t.attr(d).FileID, "..": t.attr(t.Root).FileID}
	for _, e := range es {
		require.Equal(t, ids[e.name], e.fileID, e.name)
	}
}

func listTypes(t *T) {
	t.others()
	t.create(t.Root, "file", 0o644)
	es := t.list(t.Root, false)
	require.Len(t, es, 7)
	cookies := cookiesOf(es)
	slices.Sort(cookies)
	require.Len(t, slices.Compact(cookies), 7, "cookies are different")
	for _, e := range es {
		require.Equal(t, t.attr(t.lookup(t.Root, e.name)).FileID, e.fileID, e.name)
	}
}

func listPlus(t *T) {
	t.others()
	t.write(t.create(t.Root, "file", 0o640), 0, []byte("data"))
	for _, e := range t.list(t.Root, true) {
		require.True(t, e.has, e.name)
		require.Equal(t, t.lookup(t.Root, e.name), e.entry.Handle, e.name)
		require.True(t, e.entry.Attr.Filled(), e.name)
		require.Equal(t, stable(t.attr(e.entry.Handle)), e.entry.Attr, e.name)
		require.Equal(t, e.fileID, e.entry.Attr.FileID, e.name)
	}
	// Dot-dot of the root is the root, also here.
	for _, e := range t.list(t.mkdir(t.Root, "sub", 0o755), true) {
		if e.name == ".." {
			require.Equal(t, t.Root, e.entry.Handle)
		}
	}
}

// fill makes n files in dir and returns their names.
func (t *T) fill(dir vfs.Handle, prefix string, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s%05d", prefix, i))
		var e vfs.Entry
		var w vfs.WCC
		require.Equal(
			t,
			vfs.OK,
			t.Worker.Create(
				t.C,
				dir,
				&vfs.CreateArgs{Name: []byte(names[i]), How: vfs.Guarded, Set: mode(0o644)},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
	}
	return names
}

func listFromEveryCookie(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.fill(d, "f", 40)
	all, verf, _ := t.page(d, 0, 0, false, math.MaxInt)
	for i, e := range all {
		rest, newVerf, eof := t.page(d, e.cookie, verf, false, math.MaxInt)
		require.True(t, eof)
		require.Equal(t, verf, newVerf)
		require.Equal(t, all[i+1:], append([]listed{}, rest...), "after entry %d", i)
	}
	for _, n := range []int{1, 2, 3, 7, 41, 42, 43} {
		require.Equal(t, all, t.pages(d, false, n, nil), "%d at a time", n)
		require.Len(t, t.pages(d, true, n, nil), len(all), "%d at a time, with attributes", n)
	}
}

func listRefused(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.fill(d, "f", 3)
	for take := range 5 {
		n := 0
		var a vfs.Attr
		_, eof, s := t.V.ReadDir(t.C, d, &vfs.ReadDirArgs{Yield: func(*vfs.DirEntry) bool {
			n++
			return n <= take
		}}, &a)
		require.Equal(t, vfs.OK, s)
		require.False(t, eof, "the entry that was refused is still to come")
		require.Equal(t, take+1, n, "nothing is offered after a refusal")
	}
}

func listStaleVerifier(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.fill(d, "f", 10)
	es, verf, _ := t.page(d, 0, 0, false, 5)
	for _, bad := range []uint64{verf ^ 1, verf ^ 1<<63, verf + 1, ^verf} {
		var a vfs.Attr
		called := false
		_, _, s := t.V.ReadDir(
			t.C,
			d,
			&vfs.ReadDirArgs{
				Cookie: es[4].cookie,
				Verf:   bad,
				Yield:  func(*vfs.DirEntry) bool { called = true; return true },
			},
			&a,
		)
		require.Equal(t, vfs.BadCookie, s, "verifier %#x instead of %#x", bad, verf)
		require.False(t, called)
		require.Equal(t, vfs.TypeDir, a.Type, "attributes come also with a failure")
		_, _, s = t.V.ReadDir(
			t.C,
			d,
			&vfs.ReadDirArgs{Verf: bad, Yield: func(*vfs.DirEntry) bool { return true }},
			&a,
		)
		require.Equal(t, vfs.OK, s, "a listing from the beginning needs no verifier")
		_, eof, s := t.V.ReadDir(
			t.C,
			d,
			&vfs.ReadDirArgs{
				Cookie: es[4].cookie, Verf: bad, AnyVerf: true,
				Yield: func(*vfs.DirEntry) bool { called = true; return true },
			},
			&a,
		)
		require.Equal(t, vfs.OK, s, "a caller that does not know the verifier goes on without")
		require.True(t, called && eof)
	}
}

func listInventedCookies(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.fill(d, "f", 20)
	all, verf, _ := t.page(d, 0, 0, false, math.MaxInt)
	given := cookiesOf(all)
	for _, cookie := range append([]uint64{1, 2, 3, 1000, 1 << 31, 1 << 32, 1 << 62, 0x7fff_ffff_0000_0000}, hugeSizes...) {
		if slices.Contains(given, cookie) {
			continue
		}
		var got []listed
		var a vfs.Attr
		_, _, s := t.V.ReadDir(
			t.C,
			d,
			&vfs.ReadDirArgs{Cookie: cookie, Verf: verf, Yield: func(e *vfs.DirEntry) bool {
				got = append(got, listedOf(e))
				return len(got) < 100
			}},
			&a,
		)
		if s != vfs.OK {
			require.Equal(t, vfs.BadCookie, s, "cookie %#x", cookie)
			continue
		}
		require.LessOrEqual(t, len(got), len(all), "cookie %#x", cookie)
		for _, e := range got {
			require.Contains(t, all, e, "cookie %#x", cookie)
		}
	}
}

func listOthers(t *T) {
	all := t.others()
	delete(all, "directory")
	all["file"] = t.create(t.Root, "f", 0o644)
	for name, h := range all {
		var a vfs.Attr
		_, _, s := t.V.ReadDir(t.C, h, &vfs.ReadDirArgs{Yield: func(*vfs.DirEntry) bool { return true }}, &a)
		require.Equal(t, vfs.NotDir, s, name)
	}
}

func listWhileChanging(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	keep, drop := t.fill(d, "keep", 150), t.fill(d, "drop", 150)
	seenOnce := map[string]int{}
	round := 0
	all := t.pages(d, false, 7, func(seen []listed) {
		// Remove the entry whose cookie comes next, if that is possible, some entries that
		// have been seen and some that have not; and make new ones.
		round++
		last := seen[len(seen)-1].name
		victims := []string{last, drop[(round*37)%len(drop)], drop[(round*91)%len(drop)]}
		for _, name := range victims {
			var w vfs.WCC
			if name[0] == 'd' {
				t.Worker.Remove(t.C, d, []byte(name), &w)
			}
		}
		if round <= 20 {
			t.fill(d, fmt.Sprintf("new%d-", round), 5)
		}
	})
	for _, e := range all {
		seenOnce[e.name]++
	}
	for _, name := range keep {
		require.Equal(t, 1, seenOnce[name], name)
	}
	for name, n := range seenOnce {
		require.LessOrEqual(t, n, 1, name)
	}
}

func listWhileRacing(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	keep := t.fill(d, "keep", 100)
	stop := make(chan struct{})
	changer := t.peer(func(v vfs.View, th *vfs.Thread) error {
		c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			var e vfs.Entry
			var w vfs.WCC
			name := fmt.Appendf(nil, "churn%d", i)
			if s := v.Create(c, d, &vfs.CreateArgs{Name: name, How: vfs.Guarded, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}); s != vfs.OK {
				return fmt.Errorf("create: %v", s)
			}
			if s := v.Remove(c, d, name, &w); s != vfs.OK {
				return fmt.Errorf("remove: %v", s)
			}
		}
	})
	// List by the worker only: two listings of a directory that changes differ.
	viaLane := t.V
	t.V = t.Worker
	for range 10 {
		seen := map[string]int{}
		for _, e := range t.pages(d, false, 9, nil) {
			seen[e.name]++
		}
		for _, name := range keep {
			if seen[name] != 1 {
				t.Errorf("%s was listed %d times", name, seen[name])
			}
		}
	}
	t.V = viaLane
	close(stop)
	require.NoError(t, <-changer)
}

// entriesMax is the size of the large directory.
func (t *T) entriesMax() int {
	if s := os.Getenv("VFSTEST_ENTRIES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err, "VFSTEST_ENTRIES")
		return n
	}
	switch {
	case testing.Short(), t.Env.RealDisk && t.Env.Fill == nil:
		return 2000
	case t.Env.RealDisk:
		return 5000
	}
	return 20_000
}

func listLarge(t *T) {
	n := t.entriesMax()
	if t.lane != nil {
		n = min(n, 2000) // another copy of each listing would only cost time
	}
	t.Logf("%d entries", n)
	if t.Env.Fill != nil {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("f%05d", i)
		}
		t.Env.Fill(names)
	} else {
		t.fill(t.Root, "f", n)
	}
	for _, plus := range []bool{false, true} {
		seen := make([]bool, n)
		es := t.pages(t.Root, plus, 1000, nil)
		require.Len(t, es, n+2)
		for _, e := range es {
			if e.name == "." || e.name == ".." {
				continue
			}
			i, err := strconv.Atoi(e.name[1:])
			require.NoError(t, err)
			require.False(t, seen[i], "%s was listed twice", e.name)
			seen[i] = true
			if plus && !e.has {
				t.Fatalf("%s has no attributes", e.name)
			}
		}
	}
	t.lookup(t.Root, fmt.Sprintf("f%05d", n/2))
	t.absent(t.Root, fmt.Sprintf("f%05d", n))
}

// Plus returns what READDIRPLUS wants of entries, or with false what READDIR wants.
func Plus(plus bool) vfs.EntryMask {
	if plus {
		return vfs.EntryHandle | vfs.EntryAttr
	}
	return 0
}
