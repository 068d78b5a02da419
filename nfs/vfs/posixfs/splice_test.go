package posixfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
)

// spliceRoom is the size of the tests' pipe.
const spliceRoom = 1 << 20

func testPipe(t *testing.T) *vfs.Pipe {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	room, err := unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, spliceRoom)
	if err != nil {
		t.Skipf("needs a pipe of 1 MiB: %v", err)
	}
	return &vfs.Pipe{ReadFD: fds[0], WriteFD: fds[1], Room: room}
}

// empty takes everything out of the pipe.
func empty(t *testing.T, p *vfs.Pipe) []byte {
	t.Helper()
	b := make([]byte, spliceRoom+1)
	for n := 0; ; {
		m, err := unix.Read(p.ReadFD, b[n:])
		if err == unix.EAGAIN {
			return b[:n]
		}
		require.NoError(t, err)
		n += m
	}
}

// splice is Splice on a lane if the lane can do it, otherwise on the worker.
func (s *served) splice(
	p *vfs.Pipe,
	h vfs.Handle,
	uid uint32,
	off uint64,
	n int,
	a *vfs.Attr,
) (moved int, eof bool, st vfs.Status) {
	for _, r := range []*runner{s.l, s.w} {
		r.do(func(v *View) {
			moved, eof, st = v.Splice(r.cred(uid, uid), h, &vfs.SpliceArgs{Off: off, N: n, To: p}, a)
		})
		if st != vfs.Again {
			break
		}
		require.Empty(s.t, empty(s.t, p), "the pipe is not as it was")
	}
	return moved, eof, st
}

// Read asks for the attributes and the rights in any case, so Splice must not ask before it knows
// that the data may be spliced.
func TestSpliceAsksNothingForDataThatIsNotSpliced(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", string(make([]byte, 8192)), 0o600)
	h, p := s.lookup("f"), testPipe(t)
	var a vfs.Attr
	_, _, st := s.splice(p, h, 1000, 0, 4096, &a)
	require.Equal(t, vfs.Access, st)
	s.fs.data.Policy = iopolicy.NewPolicy(IODontCache, 4096, 0)
	for _, r := range []*runner{s.l, s.w} {
		r.do(func(v *View) {
			_, _, st := v.Splice(r.cred(1000, 1000), h, &vfs.SpliceArgs{Off: 0, N: 4096, To: p}, &a)
			require.Equal(t, vfs.NotSupp, st)
		})
	}
}

func TestSpliceGivesWhatReadGives(t *testing.T) {
	for _, place := range fileSystems {
		t.Run(place.name, func(t *testing.T) {
			s := serve(t, place.dir(t), Config{}, options{})
			p := testPipe(t)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			f, err := os.Create(filepath.Join(s.dir, "f"))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			const size = 3<<20 + 1234
			b := make([]byte, 300_000)
			for _, at := range []int64{0, 500_000, size - 300_000} { // holes between
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				_, err = f.WriteAt(b, at)
				require.NoError(t, err)
			}
			h := s.lookup("f")
			dst := make([]byte, spliceRoom)
			for range 150 {
				off := uint64(rng.IntN(size + 100_000))
				n := 1 + rng.IntN([]int{100, 10_000, spliceRoom}[rng.IntN(3)])
				if rng.IntN(3) == 0 {
					off &^= 4095
				}
				var a, want vfs.Attr
				moved, eof, st := s.splice(p, h, 0, off, n, &a)
				if int(off%4096)+min(n, max(int(size)-int(off), 0)) > spliceRoom {
					require.Equal(t, vfs.NotSupp, st, "more pages than the pipe has places: %d at %d", n, off)
					require.Empty(t, empty(t, p))
					continue
				}
				require.Equal(t, vfs.OK, st)
				got := empty(t, p)
				require.Len(t, got, moved, "the count says what is in the pipe")
				var m int
				var end bool
				s.w.do(
					func(v *View) { m, end, st = v.Read(s.root(), h, &vfs.ReadArgs{Off: off, Dst: dst[:n]}, &want) },
				)
				require.Equal(t, vfs.OK, st)
				require.Equal(t, m, moved, "%d at %d", n, off)
				require.Equal(t, end, eof, "%d at %d", n, off)
				require.True(t, bytes.Equal(dst[:moved], got), "%d at %d", n, off)
				require.Equal(t, want.Size, a.Size)
				require.Equal(t, want.FileID, a.FileID)
				require.Equal(t, want.Mtime, a.Mtime)
			}
		})
	}
}

// A client takes a READ of no bytes that is not at the end for an error.
func TestSpliceOfAFileThatShrinksSaysWhatIsInThePipe(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	p := testPipe(t)
	s.write("f", string(make([]byte, 1<<20)), 0o644)
	h := s.lookup("f")
	path := filepath.Join(s.dir, "f")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = os.Truncate(path, []int64{0, 1 << 20, 70_001, 1 << 20}[i%4])
			}
		}
	})
	for range 1500 {
		var a vfs.Attr
		moved, eof, st := s.splice(p, h, 0, 60_000, 900_000, &a)
		got := empty(t, p)
		if st == vfs.NotSupp || st == vfs.Again {
			require.Empty(t, got)
			continue
		}
		if !(st == vfs.OK && len(got) == moved && (moved > 0 || eof)) {
			close(stop)
			wg.Wait()
			t.Fatalf("status %v, %d bytes in the pipe, said %d, eof %v", st, len(got), moved, eof)
		}
	}
	close(stop)
	wg.Wait()
}

func TestSpliceOfAColdRangeIsNotForALane(t *testing.T) {
	s := serve(t, loopDir(t, 64, "mkfs.ext4", "-q"), Config{}, options{})
	p := testPipe(t)
	s.write("f", string(bytes.Repeat([]byte("abcdefgh"), 1<<16)), 0o644)
	h := s.lookup("f")
	var a vfs.Attr
	_, _, st := s.splice(p, h, 0, 0, 100_000, &a) // opens it and updates its access time
	require.Equal(t, vfs.OK, st)
	empty(t, p)
	f, err := os.Open(filepath.Join(s.dir, "f"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	require.NoError(t, f.Sync())
	var moved int
	lane := func() {
		s.l.do(func(v *View) {
			moved, _, st = v.Splice(s.l.cred(0, 0), h, &vfs.SpliceArgs{Off: 0, N: 100_000, To: p}, &a)
		})
	}
	lane()
	if st == vfs.NotSupp {
		t.Skip("needs cachestat: Linux 6.5")
	}
	require.Equal(t, vfs.OK, st, "it is in the page cache")
	require.Len(t, empty(t, p), moved)
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	lane()
	require.Equal(t, vfs.Again, st)
	require.Empty(t, empty(t, p))
}

// Pages that are still being read are in the page cache, but splice(2) waits for them.
func TestSpliceOfARangeThatIsBeingReadIsNotForALane(t *testing.T) {
	const size = 1 << 20
	dir := loopDir(t, 64, "mkfs.ext4", "-q", "-b", "4096")
	s := serve(t, dir, Config{}, options{})
	p := testPipe(t)
	s.write("f", strings.Repeat("abcdefgh", size/8), 0o644)
	h := s.lookup("f")
	var a vfs.Attr
	_, _, st := s.splice(p, h, 0, 0, 100_000, &a) // opens it and updates its access time
	require.Equal(t, vfs.OK, st)
	empty(t, p)
	f, err := os.Open(filepath.Join(dir, "f"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	require.NoError(t, f.Sync())
	lane := func(n int) (st vfs.Status) {
		var moved int
		s.l.do(
			func(v *View) { moved, _, st = v.Splice(s.l.cred(0, 0), h, &vfs.SpliceArgs{Off: 0, N: n, To: p}, &a) },
		)
		require.Len(t, empty(t, p), moved)
		return st
	}
	if lane(size) == vfs.NotSupp {
		t.Skip("needs cachestat: Linux 6.5")
	}
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	slowly(t, dir, size/2, func() error {
		_, _, errno := unix.Syscall(unix.SYS_READAHEAD, f.Fd(), 0, size)
		if errno != 0 {
			return errno
		}
		return nil
	})
	// How much the kernel has begun to read, and whether the end of that is there.
	there, page := uint64(0), uint64(unix.Getpagesize())
	for there < size && cached(t, int(f.Fd()), there, page) == 1 {
		there += page
	}
	require.NotZero(t, there)
	_, err = unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, int64(there-1), unix.RWF_NOWAIT)
	missing := err == unix.EAGAIN
	if !missing {
		t.Skipf("needs a disc that is slower: all of %d bytes were there", there)
	}
	require.Equal(t, vfs.Again, lane(int(there)))
	require.Eventually(
		t,
		func() bool { return lane(int(there)) == vfs.OK },
		2*time.Minute,
		10*time.Millisecond,
	)
}

// A client that reads a file from its beginning finds the next part already read, in both ways.
func TestTheKernelReadsAheadOfASequentialReader(t *testing.T) {
	const size, piece = 4 << 20, 128 << 10
	for _, way := range []string{"read", "splice"} {
		t.Run(way, func(t *testing.T) {
			dir := loopDir(t, 64, "mkfs.ext4", "-q", "-b", "4096")
			s := serve(t, dir, Config{}, options{})
			p := testPipe(t)
			s.write("f", strings.Repeat("abcdefgh", size/8), 0o644)
			h := s.lookup("f")
			f, err := os.Open(filepath.Join(dir, "f"))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			var a vfs.Attr
			b := make([]byte, piece)
			get := func(off uint64) {
				var n int
				var st vfs.Status
				s.w.do(func(v *View) {
					if way == "read" {
						n, _, st = v.Read(s.root(), h, &vfs.ReadArgs{Off: off, Dst: b}, &a)
					} else {
						n, _, st = v.Splice(s.root(), h, &vfs.SpliceArgs{Off: off, N: piece, To: p}, &a)
					}
				})
				require.Equal(t, vfs.OK, st)
				require.Equal(t, piece, n)
				empty(t, p)
			}
			get(0)
			require.NoError(t, f.Sync())
			require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
			there := func(off uint64) bool { return cached(t, int(f.Fd()), off, 1) == 1 }
			require.False(t, there(0))
			for off := uint64(0); off < 8*piece; off += piece {
				get(off)
			}
			require.True(t, there(8*piece), "nothing is read ahead")
		})
	}
}

// slowly calls f on a thread of its own, for which the disc of dir reads at most so many bytes a
// second.
func slowly(t *testing.T, dir string, rate int, f func() error) {
	t.Helper()
	const top = "/sys/fs/cgroup/blkio/"
	group := fmt.Sprintf("%sposixfs-%d-%s", top, os.Getpid(), filepath.Base(filepath.Dir(dir)))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("needs the blkio controller of version 1 control groups: %v", err)
	}
	t.Cleanup(func() {
		require.Eventually(
			t,
			func() bool { return unix.Rmdir(group) == nil },
			2*time.Minute,
			10*time.Millisecond,
		)
	})
	var st unix.Stat_t
	require.NoError(t, unix.Stat(dir, &st))
	limit := fmt.Sprintf("%d:%d %d", unix.Major(st.Dev), unix.Minor(st.Dev), rate)
	if err := tell(group+"/blkio.throttle.read_bps_device", limit); err != nil {
		t.Skipf("needs discs that can be made slow: %v", err)
	}
	elsewhere(func() error {
		runtime.LockOSThread() // never unlocked: the thread ends here, unless it is the process's first
		self := strconv.Itoa(unix.Gettid())
		if err := tell(group+"/tasks", self); err != nil {
			return err
		}
		return errors.Join(f(), tell(top+"tasks", self))
	}, t)
}

// tell writes a word to a file of the kernel's.
func tell(file, word string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(word)
	return errors.Join(err, f.Close())
}

func TestSpliceAsksForTheSameRightsAsRead(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	p := testPipe(t)
	s.write("mine", "0123456789", 0o600)
	chown(t, filepath.Join(s.dir, "mine"), 1000, 1000)
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "d"), 0o755))
	for _, name := range []string{"mine", "d"} {
		h := s.lookup(name)
		for _, uid := range []uint32{0, 1000, 1001} {
			var a vfs.Attr
			var want vfs.Status
			s.w.do(func(v *View) {
				_, _, want = v.Read(s.w.cred(uid, uid), h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 10)}, &a)
			})
			_, _, st := s.splice(p, h, uid, 0, 10, &a)
			require.Equal(t, want, st, "%s by %d", name, uid)
			require.Equal(t, st == vfs.OK, len(empty(t, p)) == 10)
		}
	}
}
