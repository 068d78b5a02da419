package posixfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// cached returns how many pages of a range of fd are in the page cache.
func cached(t *testing.T, fd int, off, n uint64) int64 {
	t.Helper()
	var got kernel.CachePages
	if errno := kernel.Cachestat(fd, &kernel.CacheRange{Off: off, Len: n}, &got); errno != 0 {
		t.Skipf("needs cachestat (Linux 6.5): %v", errno)
	}
	return int64(got.Cached)
}

// inCache returns how many bytes of a file are in the page cache.
func inCache(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	require.NoError(t, err)
	return cached(t, int(f.Fd()), 0, uint64(st.Size())) * int64(unix.Getpagesize())
}

// most is how many of n bytes must be in the page cache to count as having stayed there. The kernel
// may take pages away at any time. A kernel that reclaims pages which seem cold before memory is
// short (DAMON) has been seen to take a sixth of a file within seconds.
func most(n int64) int64 { return n / 2 }

// cold writes a file to the disc and takes it out of the page cache.
func cold(t *testing.T, path string, size int) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	b := make([]byte, 1<<20)
	for off := 0; off < size; off += len(b) {
		for i := range b {
			b[i] = byte(i*7 + off>>20)
		}
		_, err = f.Write(b[:min(len(b), size-off)])
		require.NoError(t, err)
	}
	require.NoError(t, f.Chmod(0o666))
	require.NoError(t, f.Sync())
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	require.Less(t, inCache(t, path), int64(size/8), "the test's own file stays in the page cache")
}

// client makes calls as a server does: on the lane, and on the worker if they would have to wait.
type client struct{ *served }

func (c client) read(h vfs.Handle, off uint64, dst []byte) int {
	var n int
	st := vfs.Again
	for _, r := range []*runner{c.l, c.w} {
		if st == vfs.Again {
			r.do(
				func(v *View) { n, _, st = v.Read(r.cred(0, 0), h, &vfs.ReadArgs{Off: off, Dst: dst}, new(vfs.Attr)) },
			)
		}
	}
	require.Equal(c.t, vfs.OK, st)
	return n
}

func (c client) write(h vfs.Handle, off uint64, src []byte) {
	for n, m := 0, 0; n < len(src); n += m {
		st := vfs.Again
		for _, r := range []*runner{c.l, c.w} {
			if st == vfs.Again {
				r.do(func(v *View) {
					m, _, _, st = v.Write(
						r.cred(0, 0),
						h,
						&vfs.WriteArgs{Off: off + uint64(n), Src: [][]byte{src[n:]}, How: vfs.Unstable},
						new(vfs.WCC),
					)
				})
			}
		}
		require.Equal(c.t, vfs.OK, st)
	}
}

func (c client) stream(name string, size, n int) {
	h, dst := c.lookup(name), make([]byte, n+4)[4:]
	for off := 0; off < size; off += n {
		require.Equal(c.t, n, c.read(h, uint64(off), dst))
		require.Equal(c.t, byte(1234*7+off>>20), dst[1234], "at %d", off)
	}
}

func (c client) commit(h vfs.Handle) {
	c.w.do(func(v *View) {
		_, st := v.Commit(c.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(c.t, vfs.OK, st)
	})
}

// In a machine of 128 MiB a file of 32 MiB is large, and 4 MiB in sequence are a stream.
const smallMachine = 128 << 20

func TestAStreamLeavesNothingInThePageCache(t *testing.T) {
	t.Parallel()
	for _, place := range fileSystems[1:3] { // ext4 and XFS
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			dir := place.dir(t)
			const size = 48 << 20
			for mode := range IOAuto + 1 {
				needMode(t, dir, mode)
				s := serve(t, dir, Config{IO: mode}, options{memory: smallMachine})
				c := client{s}
				// The data that passes before a stream counts as one, and readahead
				// for the next stream.
				rest := map[IOMode]int64{IOBuffered: size, IODontCache: 4 << 20, IODirect: 64 << 10,
					IOAuto: 12 << 20}[mode]
				check := func(name, what string) {
					t.Helper()
					got := inCache(t, filepath.Join(dir, name))
					if mode == IOBuffered {
						require.GreaterOrEqual(t, got, most(size), what)
					}
					require.LessOrEqual(t, got, rest, "%s, %v", what, mode)
				}
				for _, n := range []int{1 << 20, 256 << 10} {
					cold(t, filepath.Join(dir, "f"), size)
					c.stream("f", size, n)
					check("f", fmt.Sprintf("READs of %d", n))
				}

				// WRITEs: a new file is large once it has grown to that size.
				s.write("new", "", 0o666)
				data := make([]byte, 1<<20)
				for i := range data {
					data[i] = byte(i)
				}
				for _, name := range []string{"f", "new"} {
					cold(t, filepath.Join(dir, "f"), size)
					h := s.lookup(name)
					for off := 0; off < size; off += len(data) {
						c.write(h, uint64(off), data)
					}
					c.commit(h)
					if mode == IOAuto && name == "new" {
						rest = int64(s.fs.data.Policy.Big()) + 4<<20
					}
					check(name, "WRITEs")
				}
				s.close()
				require.NoError(t, os.Remove(filepath.Join(dir, "new")))
			}
		})
	}
}

func TestAutoKeepsWhatIsNoStream(t *testing.T) {
	dir := loopDir(t, 256, "mkfs.ext4", "-q")
	needMode(t, dir, IOAuto)
	s := serve(t, dir, Config{IO: IOAuto}, options{memory: 256 << 20})
	c := client{s}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	large, small := filepath.Join(dir, "large"), filepath.Join(dir, "small")
	cold(t, large, 96<<20)
	cold(t, small, 31<<20)
	c.stream("small", 31<<20, 1<<20)
	require.GreaterOrEqual(t, inCache(t, small), most(31<<20), "a file that is not large")
	h, dst := s.lookup("large"), make([]byte, 256<<10)
	seen := map[int]bool{}
	for range 120 { // in places that are far from each other
		k := rng.IntN(384)
		c.read(h, uint64(k)*uint64(len(dst)), dst)
		seen[k] = true
	}
	require.GreaterOrEqual(t, inCache(t, large), most(int64(len(seen)*len(dst))), "READs here and there")
	cold(t, large, 96<<20)
	h = s.lookup("large")
	for off := uint64(0); off < 96<<20; off += 64 << 10 {
		c.read(h, off, dst[:64<<10])
	}
	require.GreaterOrEqual(t, inCache(t, large), most(96<<20), "small READs")
}

// Pages that were in the page cache before are used, and stay there.
func TestUncachedStreamsLeaveWhatIsInThePageCache(t *testing.T) {
	dir := loopDir(t, 128, "mkfs.ext4", "-q")
	for _, mode := range uncached[:2] {
		t.Run(mode.String(), func(t *testing.T) {
			needMode(t, dir, mode)
			s := serve(t, dir, Config{IO: mode}, options{})
			c, path := client{s}, filepath.Join(dir, "f")
			cold(t, path, 16<<20)
			_, err := os.ReadFile(path)
			require.NoError(t, err)
			require.GreaterOrEqual(t, inCache(t, path), most(16<<20))
			c.stream("f", 16<<20, 1<<20)
			require.GreaterOrEqual(t, inCache(t, path), most(16<<20))
			h, dst := s.lookup("f"), make([]byte, 1<<20)
			s.l.do(func(v *View) {
				n, _, st := v.Read(s.l.cred(0, 0), h, &vfs.ReadArgs{Off: 1 << 20, Dst: dst}, new(vfs.Attr))
				require.Equal(t, vfs.OK, st, "a lane answers what is in memory")
				require.Equal(t, len(dst), n)
			})
			require.NoError(t, unix.Fadvise(openIt(t, path), 0, 0, unix.FADV_DONTNEED))
			left := inCache(t, path) // next to nothing
			require.Less(t, left, int64(1<<20))
			s.l.do(func(v *View) {
				_, _, st := v.Read(s.l.cred(0, 0), h, &vfs.ReadArgs{Off: 1 << 20, Dst: dst}, new(vfs.Attr))
				require.Equal(t, vfs.Again, st)
			})
			require.LessOrEqual(t, inCache(t, path), left, "and starts nothing for what is not")
			p := testPipe(t)
			s.w.do(func(v *View) {
				_, _, st := v.Splice(s.root(), h, &vfs.SpliceArgs{Off: 0, N: 1 << 20, To: p}, new(vfs.Attr))
				require.Equal(t, vfs.NotSupp, st, "spliced pages would stay")
			})
			require.Empty(t, empty(t, p))
		})
	}
}

func openIt(t *testing.T, path string) int {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func TestDescriptorsOfDirectIOAreCountedAndClosed(t *testing.T) {
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	needMode(t, dir, IODirect)
	before := openFDs(t)
	s := serve(t, dir, Config{IO: IODirect}, options{})
	s.write("f", strings.Repeat("x", 1<<20), 0o666)
	h, b := s.lookup("f"), make([]byte, 1<<20)
	none := openFDs(t)
	open := s.fs.tab.Open()
	s.w.do(func(v *View) {
		_, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: b}, new(vfs.Attr))
		require.Equal(t, vfs.OK, st)
		_, _, _, st = v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 4, Src: [][]byte{b}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
	})
	require.Equal(t, none+4, openFDs(t))
	require.Equal(t, open+4, s.fs.tab.Open())
	s.close()
	require.Equal(t, before, openFDs(t))
}

const groupEnv = "POSIXFS_TEST_GROUP"

// TestAWorkingSetOutlivesAStreamThroughLittleMemory runs the server in a control group with too
// little memory for both working set and stream.
func TestAWorkingSetOutlivesAStreamThroughLittleMemory(t *testing.T) {
	again.Long(t)
	needRoot(t)
	again.Skip(t)
	if group := os.Getenv(groupEnv); group != "" {
		streamInGroup(t, group)
		return
	}
	dir, err := os.MkdirTemp("", "posixfs") // on a disc: the bytes of a tmpfs would count
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	needMode(t, dir, IODontCache)
	needMode(t, dir, IODirect)
	for mode := range IOAuto + 1 {
		name := mode.String()
		for _, what := range []string{"READs", "WRITEs"} {
			cold(t, filepath.Join(dir, "set"), 24<<20)
			cold(t, filepath.Join(dir, "stream"), 192<<20)
			group := controlGroup(t, smallMachine)
			c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
			c.Env = append(os.Environ(), groupEnv+"="+strings.Join([]string{group, dir, name, what}, ":"))
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", out)
			_, after, _ := strings.Cut(string(out), "left of the working set: ")
			left, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
			require.NoError(t, err, "%s", out)
			t.Logf("%s, %s: %d KiB of 24 MiB", name, what, left>>10)
			if mode == IOBuffered {
				require.Less(t, left, 18<<20, "there was enough memory: the test shows nothing")
			} else {
				require.Greater(t, left, 23<<20)
			}
		}
	}
}

func streamInGroup(t *testing.T, order string) {
	part := strings.Split(order, ":")
	group, dir, what := part[0], part[1], part[3]
	require.NoError(
		t,
		os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0),
	)
	mode, err := ParseIOMode(part[2])
	require.NoError(t, err)
	s := serve(t, dir, Config{IO: mode}, options{})
	c := client{s}
	if mode == IOAuto {
		require.EqualValues(t, smallMachine/4, s.fs.data.Policy.Big(),
			"it has seen how little memory there is")
	}
	const set, size = 24 << 20, 192 << 20
	c.stream("set", set, 64<<10)
	require.Greater(t, inCache(t, filepath.Join(dir, "set")), int64(23<<20))
	if what == "READs" {
		c.stream("stream", size, 1<<20)
	} else {
		h, data := s.lookup("stream"), make([]byte, 1<<20)
		for off := uint64(0); off < size; off += 1 << 20 {
			c.write(h, off, data)
		}
		c.commit(h)
	}
	fmt.Printf("left of the working set: %d\n", inCache(t, filepath.Join(dir, "set")))
}

// controlGroup makes a control group that may use limit bytes, below the process's own.
func controlGroup(t *testing.T, limit int) string {
	t.Helper()
	var why error
	for _, try := range [][2]string{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir, err := os.MkdirTemp(try[0], "posixfs")
		if err != nil {
			why = errors.Join(why, err)
			continue
		}
		t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
		err = os.WriteFile(filepath.Join(dir, try[1]), []byte(strconv.Itoa(limit)), 0)
		if err == nil {
			return dir
		}
		why = errors.Join(why, err)
	}
	t.Skipf("needs a control group with a limit on memory: %v", why)
	return ""
}
