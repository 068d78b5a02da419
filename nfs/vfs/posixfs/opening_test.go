package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// many makes a directory of n files that are old enough to be remembered.
func (s *served) many(name string, n int) vfs.Handle {
	require.NoError(s.t, os.Mkdir(filepath.Join(s.dir, name), 0o755))
	for i := range n {
		s.write(fmt.Sprintf("%s/%03d", name, i), "x", 0o644)
	}
	grow()
	return s.lookup(name)
}

// listOnce lists with one call, on a worker.
func (s *served) listOnce(dir vfs.Handle) {
	s.w.do(func(v *View) {
		got := list(s.t, v, s.root(), dir, 1000)
		for name, x := range got {
			require.True(s.t, x.HasEntry, name)
		}
	})
}

// idle closes all entries.
func (s *served) idle() {
	for range idleRounds + 1 {
		s.fs.sweep()
	}
	s.fs.reap(true)
	require.Zero(s.t, s.fs.tab.Open())
}

func TestAListingOpensWhatItWouldHaveToOpenAnyway(t *testing.T) {
	needRoot(t)
	for name, x := range map[string]struct {
		o     options
		opens bool
	}{
		"pages are kept":   {options{}, true},
		"no births":        {options{noBirths: true}, false},
		"no private mount": {options{noPrivate: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x.o.period = time.Hour
			s := serve(t, tmpfsDir(t), Config{FDMax: 1000}, x.o)
			t.Cleanup(s.close)
			dir := s.many("d", 100)
			before := s.fs.tab.Open()
			s.listOnce(dir)
			after := s.fs.tab.Open()
			if !x.opens {
				require.LessOrEqual(t, after, before+2)
				return
			}
			require.GreaterOrEqual(t, after, before+100)
			s.l.do(func(v *View) { require.True(t, listsAlone(v, s.l.cred(0, 0), dir, 1000)) })

			// Their handles are known now. Going through the tree once more opens nothing.
			s.idle()
			s.fs.tick.Add(100)
			s.listOnce(dir)
			require.Less(t, s.fs.tab.Open(), 8)
			s.listOnce(dir) // soon
			require.GreaterOrEqual(t, s.fs.tab.Open(), 100)
			s.l.do(func(v *View) { require.True(t, listsAlone(v, s.l.cred(0, 0), dir, 1000)) })

			// What is open is not opened again when the directory has changed.
			s.write("d/new", "x", 0o644)
			grow()
			newest := s.fs.tab.Newest()
			s.listOnce(dir)
			require.LessOrEqual(t, s.fs.tab.Newest(), newest+1)
			s.listOnce(dir)
			require.LessOrEqual(t, s.fs.tab.Newest(), newest+1)
			s.l.do(func(v *View) { require.True(t, listsAlone(v, s.l.cred(0, 0), dir, 1000)) })
		})
	}
}

func TestAListingTakesNoMoreThanHalfOfTheDescriptors(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{FDMax: 80}, options{period: time.Hour})
	t.Cleanup(s.close)
	dir := s.many("d", 200)
	for range 3 {
		s.fs.tick.Add(100) // as a listing that does not come again
		s.listOnce(dir)
		require.LessOrEqual(t, s.fs.tab.Open(), 40)
	}
	require.GreaterOrEqual(t, s.fs.tab.Open(), 39)
}

// If more than half of the descriptors are in use, a listing that comes again soon takes the place
// of what nobody has used lately, once in a while.
func TestAListingTakesThePlaceOfWhatIsIdle(t *testing.T) {
	needRoot(t)
	const full, most = 66, 80
	s := serve(t, tmpfsDir(t), Config{FDMax: most}, options{period: time.Hour})
	t.Cleanup(s.close)
	dir := s.many("d", 20)
	s.many("others", full)
	var kept []*entry
	for i := range full {
		kept = append(kept, s.living(s.lookup(fmt.Sprintf("others/%03d", i))))
	}
	inUse := func() (n int) {
		for _, e := range kept {
			if !e.Dead() {
				n++
			}
		}
		return n
	}
	lane := func() (alone bool) {
		s.l.do(func(v *View) { alone = listsAlone(v, s.l.cred(0, 0), dir, 1000) })
		return alone
	}
	require.Equal(t, full, inUse())
	for range 3 {
		s.listOnce(dir)
		require.Equal(t, full, inUse(), "all are in use")
		s.fs.tick.Add(100) // the page may be filled again
		s.listOnce(dir)
	}
	require.False(t, lane())

	s.fs.sweep() // from now on nobody has used them
	s.fs.tick.Add(100)
	s.listOnce(dir)
	require.Equal(t, full, inUse(), "a listing that does not come again")
	s.listOnce(dir)
	require.True(t, lane())
	require.LessOrEqual(t, inUse(), full-15)
	require.GreaterOrEqual(t, inUse(), full-25)
	require.LessOrEqual(t, s.fs.tab.Open(), most)

	// If others drive them out again, there is no room for all. They do not come back at once.
	for i := range 20 {
		s.fs.retire(s.living(s.lookup(fmt.Sprintf("d/%03d", i))))
	}
	s.fs.reap(true)
	require.GreaterOrEqual(t, s.fs.tab.Open(), most/2)
	s.fs.sweep()
	require.False(t, lane())
	s.fs.tick.Add(2)
	s.listOnce(dir)
	s.listOnce(dir)
	require.False(t, lane())
	s.fs.tick.Add(3)
	s.listOnce(dir)
	require.True(t, lane())
}

func TestTheParentOfADirectoryIsAlwaysAskedFor(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	t.Cleanup(s.close)
	for _, d := range []string{"a", "b", "a/d"} {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, d), 0o755))
	}
	a, b, dir := s.lookup("a"), s.lookup("b"), s.lookup("a/d")
	up := func() (h vfs.Handle) {
		s.w.do(func(v *View) { h = list(t, v, s.root(), dir, 10)[".."].Entry.Handle })
		s.l.do(func(v *View) { // the lane is as fresh
			if got, st := walk(v, s.l.cred(0, 0), dir, 10); st == vfs.OK {
				require.Equal(t, h, got[".."].Entry.Handle)
			}
		})
		return h
	}
	for range 3 {
		require.Equal(t, a, up())
		require.NoError(t, os.Rename(filepath.Join(s.dir, "a/d"), filepath.Join(s.dir, "b/d")))
		require.Equal(t, b, up())
		require.NoError(t, os.Rename(filepath.Join(s.dir, "b/d"), filepath.Join(s.dir, "a/d")))
	}
}
