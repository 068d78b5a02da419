package posixfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// everything makes every request a large one, and nearly every file too large to keep. So the modes
// apply to all that the tests do.
func everything(mode IOMode) (Config, options) {
	return Config{IO: mode}, options{ioLeast: 1, memory: 64 << 10}
}

// needMode skips the test if dir's file system cannot do mode.
// TestAnIOModeThatTheFileSystemLacksIsRefused checks which file system can do which mode.
func needMode(t *testing.T, dir string, mode IOMode) {
	t.Helper()
	fs, err := newFS(Config{Dir: dir, IO: mode}, options{})
	if err != nil {
		t.Skip(err)
	}
	defer func() { require.NoError(t, fs.Close()) }()
	if fs.data.Policy.Mode != mode {
		t.Skip(fs.ioWhy)
	}
}

var uncached = []IOMode{IODontCache, IODirect, IOAuto}

// A run takes one mode for each file system, in turn. make soak takes all.
func TestConformanceInEveryIOMode(t *testing.T) {
	t.Parallel()
	later := map[string][]IOMode{"ext4": {IODontCache}, "xfs": {IODirect, IOAuto}}
	if again.Now() {
		later = map[string][]IOMode{"ext4": {IODontCache, IOAuto}, "xfs": {IODirect, IOAuto},
			"btrfs": {IODontCache, IODirect}}
	}
	if os.Getenv("RINGNFS_MATRIX") == "full" {
		later = nil
	}
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			base := k.dir(t)
			for _, mode := range uncached {
				if slices.Contains(later[k.name], mode) {
					continue
				}
				t.Run(mode.String(), func(t *testing.T) {
					t.Parallel()
					needMode(t, base, mode)
					cfg, o := everything(mode)
					vfstest.Run(
						t,
						func(t *testing.T) *vfstest.Env { return newEnvWith(t, cfg, base, k.name, o) },
					)
				})
			}
		})
	}
}

func TestAnIOModeThatTheFileSystemLacksIsRefused(t *testing.T) {
	t.Parallel()
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := k.dir(t)
			f, err := os.Create(filepath.Join(dir, "f"))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			_, err = f.Write(make([]byte, 8192))
			require.NoError(t, err)
			v := unix.Iovec{Base: new(byte), Len: 1}
			_, errno := kernel.Call(
				unix.SYS_PREADV2,
				f.Fd(),
				uintptr(unsafe.Pointer(&v)),
				1,
				0,
				0,
				unix.RWF_DONTCACHE,
			)
			var st unix.Statx_t
			require.NoError(t, unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st))
			can := map[IOMode]bool{
				IOBuffered:  true,
				IOAuto:      true,
				IODontCache: errno == 0,
				IODirect:    st.Dio_offset_align != 0,
			}
			for mode, possible := range can {
				fs, err := New(Config{Dir: dir, IO: mode})
				if !possible {
					require.ErrorContains(t, err, mode.String())
					require.ErrorContains(t, err, dir)
					require.NotContains(t, err.Error(), "\n")
					continue
				}
				require.NoError(t, err, mode)
				_, without := fs.Features()
				noted := strings.Contains(strings.Join(without, "\n"), "I/O mode auto is buffered")
				require.Equal(t, mode == IOAuto && errno != 0, noted, without)
				require.NoError(t, fs.Close())
			}
			if k.name == "tmpfs" {
				require.False(t, can[IODontCache] || can[IODirect])
			}
		})
	}
	_, err := New(Config{Dir: t.TempDir(), IO: 77})
	require.ErrorContains(t, err, "77")
}

func TestAFileIsFoundToTryAModeWithWhereNoneCanBeMade(t *testing.T) {
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	fs := &FS{}
	probe := func() int {
		var err error
		fs.root, err = unix.Open(mnt, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer func() { require.NoError(t, unix.Close(fs.root)) }()
		return fs.anyFile()
	}
	run(t, "mount", "-o", "remount,ro", mnt)
	require.Equal(t, -1, probe(), "there is none")
	run(t, "mount", "-o", "remount,rw", mnt)
	require.NoError(t, os.MkdirAll(filepath.Join(mnt, "a/b/c"), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(mnt, "a/link")))
	require.NoError(t, os.WriteFile(filepath.Join(mnt, "a/b/c/file"), []byte("it"), 0o644))
	run(t, "mount", "-o", "remount,ro", mnt)
	fd := probe()
	require.GreaterOrEqual(t, fd, 0)
	b := make([]byte, 10)
	n, err := unix.Read(fd, b)
	require.NoError(t, err)
	require.Equal(t, "it", string(b[:n]))
	require.NoError(t, unix.Close(fd))
}

// pile is a file that is read and written in all ways at once, and the bytes that must be in it.
type pile struct {
	t     *testing.T
	rng   *rand.Rand
	model []byte
	views []*served
	h     []vfs.Handle
}

const pileMax = 1 << 20

func (p *pile) some() (k int, off, n int) {
	off, n = p.rng.IntN(pileMax), 1+p.rng.IntN([]int{100, 10_000, 300_000}[p.rng.IntN(3)])
	switch p.rng.IntN(4) {
	case 0:
		off, n = off&^4095, (n+4095)&^4095
	case 1:
		off &^= 511
	}
	return p.rng.IntN(len(p.views)), off, min(n, pileMax-off)
}

// segments returns data in pieces at odd addresses, as the server receives it.
func (p *pile) segments(data []byte) (src [][]byte) {
	for len(data) > 0 {
		n := len(data)
		if p.rng.IntN(2) == 0 {
			n = 1 + p.rng.IntN(n)
		}
		at := p.rng.IntN(5) * 4
		src = append(src, append(make([]byte, at, at+n), data[:n]...)[at:])
		data = data[n:]
	}
	return src
}

// on runs f on a lane, and on a worker if the lane returns Again.
func (p *pile) on(s *served, f func(r *runner) vfs.Status) {
	p.t.Helper()
	st := vfs.Again
	if p.rng.IntN(2) == 0 {
		s.l.do(func(*View) { st = f(s.l) })
	}
	if st == vfs.Again {
		s.w.do(func(*View) { st = f(s.w) })
	}
	require.Equal(p.t, vfs.OK, st)
}

func (p *pile) write() {
	k, off, n := p.some()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(p.rng.Uint32())
	}
	src, how := p.segments(data), vfs.Stability(p.rng.IntN(8)/6)
	for done := 0; done < n; {
		var m int
		p.on(p.views[k], func(r *runner) (st vfs.Status) {
			var w vfs.WCC
			m, _, _, st = r.v.Write(
				r.cred(0, 0),
				p.h[k],
				&vfs.WriteArgs{Off: uint64(off + done), Src: rest(src, done), How: how},
				&w,
			)
			if st == vfs.OK {
				require.EqualValues(p.t, max(len(p.model), off+done+m), w.After.Size)
			}
			return st
		})
		require.Positive(p.t, m)
		if end := off + done + m; end > len(p.model) {
			p.model = append(p.model, make([]byte, end-len(p.model))...)
		}
		copy(p.model[off+done:], data[done:done+m])
		done += m
	}
}

// rest returns src without its first n bytes.
func rest(src [][]byte, n int) (dst [][]byte) {
	for _, b := range src {
		if n < len(b) {
			dst = append(dst, b[n:])
		}
		n = max(n-len(b), 0)
	}
	return dst
}

func (p *pile) read() {
	k, off, n := p.some()
	at := p.rng.IntN(3) * 4
	dst := make([]byte, at+n)[at:]
	p.on(p.views[k], func(r *runner) vfs.Status {
		var a vfs.Attr
		m, eof, st := r.v.Read(r.cred(0, 0), p.h[k], &vfs.ReadArgs{Off: uint64(off), Dst: dst}, &a)
		if st == vfs.OK {
			want := p.model[min(off, len(p.model)):min(off+n, len(p.model))]
			require.Equal(
				p.t,
				len(want),
				m,
				"%d at %d of %d by %v",
				n,
				off,
				len(p.model),
				p.views[k].fs.data.Policy.Mode,
			)
			require.True(p.t, bytes.Equal(want, dst[:m]), "%d at %d by %v", n, off,
				p.views[k].fs.data.Policy.Mode)
			require.Equal(p.t, off+n >= len(p.model), eof)
		}
		return st
	})
}

func (p *pile) resize() {
	k, size := p.rng.IntN(len(p.views)), p.rng.IntN(pileMax)
	var w vfs.WCC
	s := p.views[k]
	s.w.do(func(v *View) {
		require.Equal(
			p.t,
			vfs.OK,
			v.SetAttr(s.root(), p.h[k], &vfs.SetAttr{HasSize: true, Size: uint64(size)}, &w),
		)
	})
	if size > len(p.model) {
		p.model = append(p.model, make([]byte, size-len(p.model))...)
	}
	p.model = p.model[:size:size]
}

func (p *pile) commit() {
	k := p.rng.IntN(len(p.views))
	s := p.views[k]
	s.w.do(func(v *View) {
		verf, st := v.Commit(s.root(), p.h[k], &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(p.t, vfs.OK, st)
		require.Equal(p.t, s.fs.Verifier(), verf)
	})
}

// One file is served in all modes at once. So every mode meets what the others have done, also
// within one page.
func TestAllIOModesSeeOneFile(t *testing.T) {
	t.Parallel()
	for _, place := range fileSystems {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			dir, seed := place.dir(t), rand.Uint64()
			t.Logf("seed %d", seed)
			p := &pile{t: t, rng: rand.New(rand.NewPCG(seed, 7))}
			for mode := range IOAuto + 1 {
				cfg, o := everything(mode)
				fs, err := New(Config{Dir: dir, IO: cfg.IO})
				if err != nil {
					t.Logf("without %v", cfg.IO)
					continue
				}
				require.NoError(t, fs.Close())
				s := serve(t, dir, cfg, o)
				t.Cleanup(s.close)
				if mode == 0 {
					s.write("f", "", 0o666)
				}
				p.views, p.h = append(p.views, s), append(p.h, s.lookup("f"))
			}
			for range 600 {
				switch x := p.rng.IntN(20); {
				case x < 8:
					p.write()
				case x < 18:
					p.read()
				case x < 19:
					p.resize()
				default:
					p.commit()
				}
			}
			b, err := os.ReadFile(filepath.Join(dir, "f"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(p.model, b))
		})
	}
}

// Writers of one file whose ranges meet within pages, some through the page cache and some past it,
// do not lose each other's bytes.
func TestNeighboursWriteAtOnceInAllModes(t *testing.T) {
	t.Parallel()
	for _, place := range fileSystems[1:3] { // ext4 and XFS
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			dir, seed := place.dir(t), rand.Uint64()
			t.Logf("seed %d", seed)
			needMode(t, dir, IODirect)
			needMode(t, dir, IODontCache)
			rng := rand.New(rand.NewPCG(seed, 9))
			const size, parts = 1 << 20, 24
			for round := range 6 {
				var edges []int
				for range parts {
					edges = append(edges, rng.IntN(size))
				}
				edges = append(edges, 0, size)
				slices.Sort(edges)
				want := make([]byte, size)
				for i := range want {
					want[i] = byte(rng.Uint32())
				}
				require.NoError(
					t,
					os.WriteFile(filepath.Join(dir, "f"), make([]byte, rng.IntN(2)*size), 0o666),
				)
				var wg sync.WaitGroup
				var all []*served
				for i, mode := range []IOMode{IODirect, IOBuffered, IODontCache} {
					cfg, o := everything(mode)
					s := serve(t, dir, cfg, o)
					all = append(all, s)
					h := s.lookup("f")
					wg.Go(func() {
						s.w.do(func(v *View) {
							for j := i; j+1 < len(edges); j += 3 {
								for at := edges[j]; at < edges[j+1]; {
									n, _, _, st := v.Write(
										s.root(),
										h,
										&vfs.WriteArgs{
											Off: uint64(at),
											Src: [][]byte{want[at:edges[j+1]]},
											How: vfs.Unstable,
										},
										new(vfs.WCC),
									)
									require.Equal(t, vfs.OK, st)
									at += n
								}
							}
							_, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
							require.Equal(t, vfs.OK, st)
						})
					})
				}
				wg.Wait()
				for _, s := range all {
					h := s.lookup("f")
					got := make([]byte, size)
					s.w.do(func(v *View) {
						n, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: got}, new(vfs.Attr))
						require.Equal(t, vfs.OK, st)
						require.Equal(t, size, n)
					})
					require.True(t, bytes.Equal(want, got), "round %d", round)
					s.close()
				}
			}
		})
	}
}

func TestAnUncachedWriteThatFailsIsNoSuccess(t *testing.T) {
	for _, mode := range uncached[:2] {
		t.Run(mode.String(), func(t *testing.T) {
			mnt := failingDisk(t)
			needMode(t, mnt, mode)
			s := serve(t, mnt, Config{IO: mode}, options{})
			t.Cleanup(s.close)
			s.w.do(func(v *View) {
				h, st := s.create(v, "f")
				require.Equal(t, vfs.OK, st)
				before, data := s.fs.Verifier(), make([]byte, 1<<20)
				failed := false
				for off := uint64(0); off < 16<<20; off += 1 << 20 {
					n, _, _, st := v.Write(
						s.root(),
						h,
						&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
						new(vfs.WCC),
					)
					failed = failed || st != vfs.OK || n < len(data)
				}
				_, st = v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
				require.True(t, failed || st != vfs.OK, "6 MiB of disc have taken 16")
				if st != vfs.OK {
					require.NotEqual(t, before, s.fs.Verifier())
				}
			})
		})
	}
}
