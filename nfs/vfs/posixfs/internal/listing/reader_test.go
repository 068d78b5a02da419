package listing

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// object stands for what an owner keeps with an open object.
type object struct{ path string }

// source opens objects by their paths. The file ID of an entry is the length of its name.
type source struct {
	tick   int64
	refuse vfs.Status
	opens  int
	last   int // the last descriptor
}

func (s *source) Open(_ *vfs.Cred, dir *object) (int, vfs.Status) {
	if s.refuse != vfs.OK {
		return -1, s.refuse
	}
	fd, err := unix.Open(dir.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, vfs.IO
	}
	s.opens, s.last = s.opens+1, fd
	return fd, vfs.OK
}

func (s *source) FileIDs(_ *vfs.Cred, _ *object, d Dents) {
	for ; len(d) > 0; d = d.Rest() {
		d.SetNumber(uint64(len(d.Name())))
	}
}

func (s *source) Status(unix.Errno) vfs.Status { return vfs.IO }

func (s *source) Tick() int64 { return s.tick }

func (s *source) TooLarge(*object, int) {}

// world is a directory and a thread that lists it.
type world struct {
	t   *testing.T
	m   Memory[object]
	r   Reader[object]
	src source
	ask Ask[object]
}

// newWorld makes a directory with empty files of these names, in this order.
func newWorld(t *testing.T, names ...string) *world {
	dir, err := os.MkdirTemp("/dev/shm", "listing")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	w := &world{t: t, src: source{tick: 1}}
	h, fits := vfs.MakeHandle([]byte(dir))
	require.True(t, fits)
	w.ask = Ask[object]{Dir: &object{dir}, ID: 7, Handle: h, Ctime: unix.StatxTimestamp{Sec: 1, Nsec: 2}}
	w.m.Init()
	for _, name := range names {
		w.create(name)
	}
	return w
}

func (w *world) create(name string) {
	require.NoError(w.t, os.WriteFile(filepath.Join(w.ask.Dir.path, name), nil, 0o644))
}

func (w *world) remove(name string) {
	require.NoError(w.t, os.Remove(filepath.Join(w.ask.Dir.path, name)))
}

// call makes one call from the place of ask on, which it moves. It takes at most most entries, and
// returns how the call ended.
func (w *world) call(most int) (names []string, eof bool, s vfs.Status) {
	w.r.Begin(&w.m, &w.ask)
	defer w.r.End()
	for {
		p := w.r.Page()
		if p == nil {
			if p, s = w.r.Read(&w.src); s != vfs.OK {
				return nil, false, s
			}
		}
		if len(p.Dents()) == 0 {
			return names, true, vfs.OK
		}
		for d := p.Dents(); len(d) > 0; d = d.Rest() {
			if len(names) == most {
				return names, false, vfs.OK
			}
			require.EqualValues(w.t, len(d.Name()), d.Number(), "the file ID")
			require.NotEqual(w.t, w.r.Cookie, d.Place(), "a listing moves on")
			require.Less(w.t, len(names), 1000, "a call comes to its end")
			names = append(names, string(d.Name()))
			w.r.Cookie, w.ask.Cookie = d.Place(), d.Place()
		}
	}
}

// list lists the directory in calls of each entries.
func (w *world) list(each int) (names []string) {
	w.ask.Cookie = 0
	for {
		got, eof, s := w.call(each)
		require.Equal(w.t, vfs.OK, s)
		names = append(names, got...)
		require.Less(w.t, len(names), 1000, "a listing comes to its end")
		if eof {
			return names
		}
	}
}

func files(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("file%03d", i))
	}
	return names
}

func TestCallsTogetherListEachNameOnce(t *testing.T) {
	names := files(300)
	w := newWorld(t, names...)
	want := append([]string{".", ".."}, names...)
	for _, keep := range []bool{false, true} {
		for _, plus := range []bool{false, true} {
			for _, unplaced := range []bool{false, true} {
				w.m.unplaced.Store(unplaced)
				w.ask.Keep, w.ask.Plus = keep, plus
				w.ask.ID++ // so that pages of before do not count
				for _, each := range []int{1, 7, 1000} {
					require.ElementsMatch(t, want, w.list(each), "keep=%v plus=%v unplaced=%v",
						keep, plus, unplaced)
				}
			}
		}
	}
}

func TestOneCallOpensTheDirectoryOnceAndClosesIt(t *testing.T) {
	w := newWorld(t, files(600)...)
	for _, unplaced := range []bool{false, true} {
		w.m.unplaced.Store(unplaced)
		w.src.opens, w.ask.Cookie = 0, 0
		names, eof, s := w.call(1000)
		require.Equal(t, vfs.OK, s)
		require.True(t, eof)
		require.Len(t, names, 602)
		require.Equal(t, 1, w.src.opens)
		_, err := unix.FcntlInt(uintptr(w.src.last), unix.F_GETFD, 0)
		require.Equal(t, unix.EBADF, err)
	}
}

func TestAPageIsGoodAsLongAsTheDirectoryHasItsCtime(t *testing.T) {
	w := newWorld(t, "f")
	w.ask.Keep = true
	page := func(change func(*Ask[object])) *Page[object] {
		ask := w.ask
		change(&ask)
		w.r.Begin(&w.m, &ask)
		defer w.r.End()
		return w.r.Page()
	}
	same := func(*Ask[object]) {}
	later := func(a *Ask[object]) { a.Ctime.Nsec++ }
	require.Nil(t, page(same))
	w.r.Begin(&w.m, &w.ask)
	p, s := w.r.Read(&w.src)
	w.r.End()
	require.Equal(t, vfs.OK, s)
	require.Same(t, p, page(same))
	for name, change := range map[string]func(*Ask[object]){
		"a later ctime":      later,
		"the ctime's second": func(a *Ask[object]) { a.Ctime.Sec++ },
		"another directory":  func(a *Ask[object]) { a.ID++ },
		"another place":      func(a *Ask[object]) { a.Cookie++ },
		"nothing is kept":    func(a *Ask[object]) { a.Keep = false },
	} {
		require.Nil(t, page(change), name)
	}
	changed := w.ask
	later(&changed)
	w.r.Begin(&w.m, &changed)
	next, s := w.r.Read(&w.src)
	w.r.End()
	require.Equal(t, vfs.OK, s)
	require.Same(t, next, page(later))
	require.Nil(t, page(same), "the new page has taken the place of the old one")
}

func TestAPageThatIsNotKeptIsNotFound(t *testing.T) {
	w := newWorld(t, files(10)...)
	w.r.Begin(&w.m, &w.ask)
	defer w.r.End()
	p, s := w.r.Read(&w.src)
	require.Equal(t, vfs.OK, s)
	require.NotEmpty(t, p.Dents())
	w.r.Keep = true
	require.Nil(t, w.r.Page())
}

// Pages that have the same set of places are safe as long as the set has two places.
func TestPagesWithOneHashAreToldApart(t *testing.T) {
	w := newWorld(t)
	ctime := unix.StatxTimestamp{Sec: 3}
	add := func(dir, cookie uint64) *Page[object] {
		p := &Page[object]{dir: dir, cookie: cookie, ctime: ctime}
		w.m.pages.add(p)
		require.Same(t, p, w.m.pages.find(dir, cookie, &ctime))
		return p
	}
	set := func(dir, cookie uint64) uint64 { return pageHash(dir, cookie) % 256 }
	dir, cookie := uint64(8), uint64(2)
	for set(dir, 1) != set(7, 1) {
		dir++
	}
	for set(7, cookie) != set(7, 1) {
		cookie++
	}
	first := add(7, 1)
	require.Nil(t, w.m.pages.find(dir, 1, &ctime), "of another directory")
	require.Nil(t, w.m.pages.find(7, cookie, &ctime), "from another place on")
	add(dir, 1)
	require.Same(t, first, w.m.pages.find(7, 1, &ctime))
	third := add(7, cookie)
	left := 0
	for _, p := range []*Page[object]{w.m.pages.find(7, 1, &ctime), w.m.pages.find(dir, 1, &ctime)} {
		if p != nil {
			left++
		}
	}
	require.Equal(t, 1, left, "one of the two makes room")
	require.Same(t, third, w.m.pages.find(7, cookie, &ctime))
}

func TestAPageKeepsAnObjectForEachName(t *testing.T) {
	w := newWorld(t, files(5)...)
	w.ask.Keep = true
	w.r.Begin(&w.m, &w.ask)
	defer w.r.End()
	p, s := w.r.Read(&w.src)
	require.Equal(t, vfs.OK, s)
	require.Len(t, p.Kids(), 7)
	x := &object{"a child"}
	p.Kids()[3].Store(x)
	require.Same(t, x, w.r.Page().Kids()[3].Load())
	require.Nil(t, p.Kids()[2].Load())
	require.Zero(t, testing.AllocsPerRun(10, func() { w.r.Page().Kids() }))
}

// 4 ticks are 5 s.
func TestAPageIsListedAgainWithin4Ticks(t *testing.T) {
	var p Page[object]
	require.False(t, p.Listed(1), "for the first time")
	for _, x := range []struct {
		tick  int64
		again bool
	}{{1, true}, {2, true}, {5, true}, {9, true}, {14, false}, {17, true}, {1000, false}, {1000, true}} {
		require.Equal(t, x.again, p.Listed(x.tick), "tick %d", x.tick)
	}
}

func TestAPlaceThatADirectoryCannotHaveIsRefused(t *testing.T) {
	w := newWorld(t, "f")
	w.ask.Cookie = 1 << 63
	_, _, s := w.call(1)
	require.Equal(t, vfs.BadCookie, s)
}

func TestADirectoryThatCannotBeOpenedIsNotListed(t *testing.T) {
	w := newWorld(t, "f")
	for _, unplaced := range []bool{false, true} {
		w.m.unplaced.Store(unplaced)
		w.src.refuse = vfs.Access
		_, _, s := w.call(1)
		require.Equal(t, vfs.Access, s)
		w.src.refuse = vfs.OK
		require.Len(t, w.list(1), 3, "a later one is")
	}
}

func TestPlacesOfALocalFileSystemLastUnlessTheyMayBePositions(t *testing.T) {
	w := newWorld(t, files(3)...)
	fd, err := unix.Open(w.ask.Dir.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer kernel.CloseFD(fd)
	var places []uint64
	for d := First(fd); len(d) > 0; d = d.Rest() {
		places = append(places, d.Place())
	}
	w.m.Try(fd)
	require.Equal(t, positions(places), w.m.Unplaced(), "%v", places)
	require.Equal(t, []string{".", ".."}, names(First(fd))[:2])
	require.Len(t, names(First(fd)), 5)
}

func names(d Dents) (list []string) {
	for ; len(d) > 0; d = d.Rest() {
		list = append(list, string(d.Name()))
	}
	return list
}

func TestAPagesObjectsTakeThePlaceOfOthersOnceInAWhile(t *testing.T) {
	p := new(Page[int])
	for _, x := range []struct {
		tick int64
		want bool
	}{{1, true}, {1, false}, {2, false}, {5, false}, {6, true}, {10, false}, {11, true}} {
		require.Equal(t, x.want, p.Fill(x.tick), "tick %d", x.tick)
	}
}

func TestAPageCountsTheObjectsThatAreMissing(t *testing.T) {
	kids := make([]atomic.Pointer[int], 4)
	p := new(Page[int])
	p.kids.Store(&kids)
	positive := func(n *int) bool { return *n > 0 }
	require.Equal(t, 4, p.Missing(positive))
	kids[1].Store(new(1))
	kids[3].Store(new(int))
	require.Equal(t, 3, p.Missing(positive))
}
