package posixfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
)

// smallDisk is a file system in an image of size MiB, for which there is too little room: the tmpfs
// on which the image lies has only left MiB more than making the image took. Data that is written
// back beyond that is lost.
func smallDisk(t *testing.T, size, left int64, mkfs string, args ...string) string {
	t.Helper()
	needRoot(t)
	if _, err := exec.LookPath(mkfs); err != nil {
		t.Skipf("needs %s: %v", mkfs, err)
	}
	base := tmpfsDir(t)
	require.NoError(t, unix.Mount("none", base, "tmpfs", 0, fmt.Sprintf("size=%dm", size)))
	disktest.UnmountAtEnd(t, base)
	mnt, err := mountImage(t, base, size, "loop", mkfs, args...)
	if err != nil {
		t.Skipf("needs loop mounts of %s: %v", mkfs, err)
	}
	unix.Sync()
	var sf unix.Statfs_t
	require.NoError(t, unix.Statfs(base, &sf))
	used := int64(sf.Blocks-sf.Bfree) * sf.Bsize
	require.NoError(t, unix.Mount("none", base, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", used+left<<20)))
	return mnt
}

var smallDisks = map[string]func(t *testing.T) string{
	"ext4": func(t *testing.T) string {
		return smallDisk(t, 64, 4, "mkfs.ext4", "-q", "-m", "0", "-J", "size=4", "-E", "lazy_itable_init=1")
	},
	"xfs": func(t *testing.T) string { return smallDisk(t, 320, 4, "mkfs.xfs", "-q") },
}

// The file is made through the server, whose descriptor then is for reading and writing.
func TestWhatWasLostIsNeverAcknowledged(t *testing.T) {
	again.Long(t)
	again.Skip(t)
	t.Parallel()
	ends := map[string]func(s *served, v *View, h vfs.Handle) (uint64, vfs.Status){
		"commit": func(s *served, v *View, h vfs.Handle) (uint64, vfs.Status) {
			return v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		},
		"stable write": func(s *served, v *View, h vfs.Handle) (uint64, vfs.Status) {
			_, _, verf, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.DataSync},
				new(vfs.WCC),
			)
			return verf, st
		},
		"mode": func(s *served, v *View, h vfs.Handle) (uint64, vfs.Status) {
			st := v.SetAttr(s.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o600}, new(vfs.WCC))
			return s.fs.Verifier(), st
		},
		"size": func(s *served, v *View, h vfs.Handle) (uint64, vfs.Status) {
			st := v.SetAttr(s.root(), h, &vfs.SetAttr{HasSize: true, Size: 20 << 20}, new(vfs.WCC))
			return s.fs.Verifier(), st
		},
	}
	for name, disk := range smallDisks {
		for _, mode := range []IOMode{IODontCache, IOAuto, IOBuffered} {
			for end, ask := range ends {
				if mode != IODontCache && end != "commit" {
					continue
				}
				t.Run(strings.Join([]string{name, mode.String(), end}, " "), func(t *testing.T) {
					dir := disk(t)
					needMode(t, dir, mode)
					// A file is large from 16 MiB on, and the server waits for
					// writeback half a MiB behind a stream's end.
					s := serve(t, dir, Config{IO: mode}, options{memory: 64 << 20})
					t.Cleanup(s.close)
					s.w.do(func(v *View) {
						h, st := s.create(v, "f")
						require.Equal(t, vfs.OK, st)
						data := make([]byte, 1<<20)
						for i := range data {
							data[i] = byte(i * 7)
						}
						first := s.fs.Verifier()
						for off := uint64(0); off < 24<<20; off += uint64(len(data)) {
							n, _, _, st := v.Write(
								s.root(),
								h,
								&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
								new(vfs.WCC),
							)
							if st != vfs.OK { // its log is lost: XFS shuts down, ext4 is read-only
								require.Contains(t, []vfs.Status{vfs.IO, vfs.ROFS}, st)
								verf, st := v.Commit(
									s.root(),
									h,
									&vfs.CommitArgs{Off: 0, Count: 0},
									new(vfs.WCC),
								)
								require.False(
									t,
									st == vfs.OK && verf == first,
									"what was taken before is lost",
								)
								return
							}
							require.Equal(t, len(data), n)
						}
						verf, st := ask(s, v, h)
						t.Logf("status %v, the verifier was %x and is %x", st, first, verf)
						if end == "commit" {
							require.False(t, st == vfs.OK && verf == first, "there is no room for the data")
							return
						}
						require.NotEqual(t, vfs.OK, st)
						require.NotEqual(t, first, s.fs.Verifier())
					})
				})
			}
		}
	}
}

// errseq does as the kernel does with the write-back errors of one file. Each open file description
// is told once. A description that is opened later is not told at all if another one has been told.
type errseq struct {
	mu     sync.Mutex
	failed int         // how often write-back has failed
	told   map[int]int // by descriptor: of how many failures it was told
}

func (q *errseq) fail() { q.mu.Lock(); defer q.mu.Unlock(); q.failed++ }

func (q *errseq) opened(fds ...int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, fd := range fds {
		q.told[fd] = 0
	}
}

func (q *errseq) tell(fd int) unix.Errno {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen, known := q.told[fd]
	q.told[fd] = q.failed
	if known && seen < q.failed {
		return unix.EIO
	}
	return 0
}

// entryOf returns the entry of h that is open now.
func (s *served) entryOf(h vfs.Handle) *entry {
	s.t.Helper()
	e := s.living(h)
	require.NotNil(s.t, e)
	return e
}

// living is entryOf, but returns nil if there is none.
func (s *served) living(h vfs.Handle) *entry {
	return s.fs.tab.Find(&h, new(table.Uses[state]), useMain)
}

func TestWaitingForAStreamUsesUpNothingThatItsFlushNeeds(t *testing.T) {
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	needMode(t, dir, IODontCache)
	q := &errseq{told: map[int]int{}}
	var waited []int
	s := serve(t, dir, Config{IO: IODontCache}, options{
		memory: 64 << 20, period: time.Hour, fsync: q.tell,
		waitRange: func(fd int, _, _ uint64) unix.Errno { waited = append(waited, fd); return q.tell(fd) },
	})
	t.Cleanup(s.close)
	s.w.do(func(v *View) {
		h, st := s.create(v, "f")
		require.Equal(t, vfs.OK, st)
		e, data := s.entryOf(h), make([]byte, 1<<20)
		write := func(off uint64) (verf uint64) {
			_, _, verf, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
				new(vfs.WCC),
			)
			require.Equal(t, vfs.OK, st)
			return verf
		}
		write(0)
		require.Len(t, waited, 1)
		q.opened(int(e.Write.Load()), int(e.Read.Load()), waited[0])
		q.fail()
		first := write(1 << 20)
		require.Len(t, waited, 2)
		require.NotEqual(t, first, s.fs.Verifier(), "it was told, and tells")
		require.NotContains(t, waited, int(e.Write.Load()))
		verf, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(t, vfs.IO, st, "who flushes is told, too")
		require.NotEqual(t, first, verf)
		now := write(2 << 20)
		verf, st = v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
		require.Equal(t, now, verf, "and all is well again")
		// Nor is any of it left open.
		before := openFDs(t)
		held := e.FDs()
		s.fs.tab.Retire(e)
		s.fs.reap(true)
		require.Equal(t, before-held, openFDs(t))
		require.Zero(t, s.fs.tab.Going())
		require.Zero(t, s.fs.tab.Counts().Going)
	})
}

// A file is opened again while the entry through which somebody wrote to it is being closed. The
// new descriptor does not know of a failure that somebody else was told of. The old descriptor
// does.
func TestACommitFlushesByADescriptorThatIsAboutToBeClosed(t *testing.T) {
	q := &errseq{told: map[int]int{}}
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour, fsync: q.tell})
	s.write("f", "", 0o666)
	h := s.lookup("f")
	other := newRunner(t, s.fs, true)
	defer other.close()
	var verf uint64
	other.do(func(v *View) {
		_, _, now, st := v.Write(
			other.cred(0, 0),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
		verf = now
		e, st := v.acquire(&h, useMain) // goes on with another object
		require.Equal(t, vfs.OK, st)
		q.opened(int(e.Write.Load()))
		s.fs.tab.Retire(e)
		s.fs.reap(true)
	})
	q.fail()
	require.EqualValues(t, 1, s.fs.tab.Going())
	s.w.do(func(v *View) {
		now, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.False(t, st == vfs.OK && now == verf, "the old descriptor knows better")
		_, _, verf, st = v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
		now, st = v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.True(t, st == vfs.OK && now == verf, "told once")
	})
	other.do(func(v *View) { v.done() })
	s.fs.reap(true)
	require.Zero(t, s.fs.tab.Going())
	require.Zero(t, s.fs.tab.Counts().Going)
}

func TestOldEntriesOfAnObjectAreFoundInAnyOrder(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	s.write("f", "", 0o666)
	h := s.lookup("f")
	held, e := make([]*runner, 3), make([]*entry, 3)
	for i := range held {
		held[i] = newRunner(t, s.fs, true)
		held[i].do(func(v *View) {
			var st vfs.Status
			e[i], st = v.acquire(&h, useMain)
			require.Equal(t, vfs.OK, st)
			s.fs.tab.Retire(e[i])
		})
	}
	require.Equal(t, []*entry{e[2], e[1], e[0]}, s.fs.tab.Olders(&h))
	for _, x := range []struct {
		close int
		left  []*entry
	}{{1, []*entry{e[2], e[0]}}, {2, []*entry{e[0]}}, {0, nil}} {
		held[x.close].close()
		s.fs.reap(true)
		require.Equal(t, x.left, s.fs.tab.Olders(&h))
	}
	require.Zero(t, s.fs.tab.Counts().Going)
}

func TestClosingAWrittenFileMayReportALoss(t *testing.T) {
	var errno unix.Errno
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour, close: func(fd int) unix.Errno {
		kernel.CloseFD(fd)
		return errno
	}})
	s.write("f", "", 0o666)
	h := s.lookup("f")
	for _, errno = range []unix.Errno{0, unix.EIO} {
		s.w.do(func(v *View) {
			_, _, verf, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
				new(vfs.WCC),
			)
			require.Equal(t, vfs.OK, st)
			s.fs.tab.Retire(s.entryOf(h))
			s.fs.reap(true)
			require.Equal(t, errno != 0, verf != s.fs.Verifier())
		})
	}
}

// A call that waits for a flush of a directory, or of the whole file system, is told of a flush
// that has failed meanwhile: the kernel may have told that flush of the call's change.
func TestAFlushThatFailsDuringAChangeIsItsFailure(t *testing.T) {
	fsyncs := make(chan chan unix.Errno, 4)
	flush := func(int) unix.Errno {
		c := make(chan unix.Errno)
		fsyncs <- c
		return <-c
	}
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour, fsync: flush, syncfs: flush})
	s.fs.is.memory = false // so that all of them flush
	require.NoError(t, os.Symlink("x", filepath.Join(s.dir, "first link")))
	require.NoError(t, os.Symlink("x", filepath.Join(s.dir, "second link")))
	links := map[string]vfs.Handle{}
	for _, who := range []string{"first", "second"} {
		links[who] = s.lookup(who + " link")
	}
	changed := func(name string) bool {
		st, err := os.Lstat(filepath.Join(s.dir, name))
		return err == nil && (st.IsDir() || st.ModTime().Unix() == 7)
	}
	for what, change := range map[string]func(r *runner, who string) vfs.Status{
		" directory": func(r *runner, who string) vfs.Status {
			return r.v.Mkdir(r.cred(0, 0), s.fs.Root(), &vfs.MkdirArgs{Name: []byte(who + " directory"), Set: &vfs.SetAttr{}}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
		},
		" link": func(r *runner, who string) vfs.Status {
			return r.v.SetAttr(r.cred(0, 0), links[who], &vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 7}}, new(vfs.WCC))
		},
	} {
		t.Run(what[1:], func(t *testing.T) {
			s.fs.is.selfSync = false
			r := newRunner(t, s.fs, true)
			defer r.close()
			first, second := make(chan vfs.Status, 1), make(chan vfs.Status, 1)
			s.w.jobs <- func() { first <- change(s.w, "first") }
			running := <-fsyncs
			r.jobs <- func() { second <- change(r, "second") }
			bothFail(t, fsyncs, running, first, second, func() bool { return changed("second" + what) })
		})
	}
}
