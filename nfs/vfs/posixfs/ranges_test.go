package posixfs

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// What changes with a promise of stable storage is flushed before it is answered, and a flush that
// fails is the answer.
func TestRangesAndExtendedAttributesAreStable(t *testing.T) {
	t.Parallel()
	var flushes, broken atomic.Int32
	s := serve(t, loopDir(t, 320, "mkfs.xfs", "-q"), Config{}, options{fsync: func(fd int) unix.Errno {
		flushes.Add(1)
		if broken.Load() != 0 {
			return unix.EIO
		}
		return kernel.Fsync(fd)
	}})
	s.write("f", "content of a file", 0o666)
	s.write("g", "", 0o666)
	f, g := s.lookup("f"), s.lookup("g")
	block := uint64(s.fs.Limits().CloneBlock)
	if block == 0 {
		t.Skip("needs an XFS that clones")
	}
	for _, fails := range []vfs.Status{vfs.OK, vfs.IO} {
		if fails != vfs.OK {
			broken.Store(1)
		}
		for name, act := range map[string]func(v *View, w *vfs.WCC) vfs.Status{
			"allocate":   func(v *View, w *vfs.WCC) vfs.Status { return v.Allocate(s.root(), f, &vfs.RangeArgs{Len: 100}, w) },
			"deallocate": func(v *View, w *vfs.WCC) vfs.Status { return v.Deallocate(s.root(), f, &vfs.RangeArgs{Len: 1}, w) },
			"clone": func(v *View, w *vfs.WCC) vfs.Status {
				r := &vfs.CopyArgs{From: v, FromCred: s.root(), FromHandle: f}
				return v.Clone(s.root(), g, r, w)
			},
			"set": func(v *View, w *vfs.WCC) vfs.Status {
				return v.SetXattr(s.root(), f, &vfs.XattrArgs{Name: []byte("a"), Value: []byte("1")}, w)
			},
			"remove": func(v *View, w *vfs.WCC) vfs.Status {
				_ = v.SetXattr(s.root(), f, &vfs.XattrArgs{Name: []byte("b")}, w)
				flushes.Store(0)
				return v.RemoveXattr(s.root(), f, []byte("b"), w)
			},
		} {
			s.w.do(func(v *View) {
				flushes.Store(0)
				var w vfs.WCC
				verf := s.fs.Verifier()
				require.Equal(t, fails, act(v, &w), name)
				require.EqualValues(t, 1, flushes.Load(), name)
				require.Equal(t, fails == vfs.OK, verf == s.fs.Verifier(), name)
			})
		}
	}
	broken.Store(0)
	s.w.do(func(v *View) {
		flushes.Store(0)
		r := &vfs.CopyArgs{From: v, FromCred: s.root(), FromHandle: f}
		n, _, st := v.Copy(s.root(), g, r, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
		require.Positive(t, n)
		require.Zero(t, flushes.Load(), "a copy waits for COMMIT")
		_, st = v.Commit(s.root(), g, &vfs.CommitArgs{}, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
		require.EqualValues(t, 1, flushes.Load())
	})
}

func TestLanesLeaveRangesCopiesAndExtendedAttributesToWorkers(t *testing.T) {
	t.Parallel()
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("f", "content", 0o666)
	f := s.lookup("f")
	s.l.do(func(v *View) {
		c := s.l.cred(uint32(os.Geteuid()), uint32(os.Getegid()))
		r := &vfs.CopyArgs{From: v, FromCred: c, FromHandle: f}
		w := vfs.WCC{HasBefore: true, Before: vfs.Before{Size: 99}}
		poison, a := w, vfs.Attr{Mask: vfs.AttrBasic, Size: 99}
		_, _, copied := v.Copy(c, f, r, &w)
		_, sought := v.Seek(c, f, &vfs.SeekArgs{}, &a)
		_, got := v.GetXattr(c, f, []byte("a"), nil)
		for _, st := range []vfs.Status{
			v.Allocate(c, f, &vfs.RangeArgs{Len: 1}, &w), v.Deallocate(c, f, &vfs.RangeArgs{Len: 1}, &w),
			v.WillNeed(c, f, &vfs.RangeArgs{}), v.Clone(c, f, r, &w), copied, sought, got,
			v.Lend(c, f, func(any, uint64) vfs.Status { return vfs.OK }),
			v.SetXattr(c, f, &vfs.XattrArgs{Name: []byte("a")}, &w), v.RemoveXattr(c, f, []byte("a"), &w),
			v.ListXattrs(c, f, func([]byte) bool { return true }),
		} {
			require.Equal(t, vfs.Again, st)
		}
		require.Equal(t, poison, w)
		require.EqualValues(t, 99, a.Size)
	})
}

// Clients see and change what users may set, and nothing of the system's.
func TestExtendedAttributesAreThoseOfUsersOnly(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			if !s.fs.Limits().Xattrs {
				t.Skip("needs a file system with extended attributes")
			}
			s.write("f", "content", 0o666)
			path := filepath.Join(s.dir, "f")
			for _, name := range []string{"user.mine", "trusted.other", "security.other"} {
				require.NoError(t, unix.Setxattr(path, name, []byte("v"), 0), name)
			}
			f := s.lookup("f")
			s.w.do(func(v *View) {
				var names []string
				require.Equal(t, vfs.OK, v.ListXattrs(s.root(), f, func(name []byte) bool {
					names = append(names, string(name))
					return true
				}))
				require.Equal(t, []string{"mine"}, names)
				for _, name := range []string{"other", "trusted.other", "security.other"} {
					_, st := v.GetXattr(s.root(), f, []byte(name), nil)
					require.Equal(t, vfs.NoXattr, st)
				}
				require.Equal(t, vfs.OK, v.SetXattr(s.root(), f,
					&vfs.XattrArgs{Name: []byte("new"), Value: []byte("x")}, new(vfs.WCC)))
			})
			b := make([]byte, 10)
			n, err := unix.Getxattr(path, "user.new", b)
			require.NoError(t, err)
			require.Equal(t, "x", string(b[:n]))
		})
	}
}

// Two exports of one file system copy and clone to each other, those of two do not.
func TestCopiesBetweenExports(t *testing.T) {
	t.Parallel()
	mnt := loopDir(t, 320, "mkfs.xfs", "-q")
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(mnt, name), 0o777))
	}
	a := serve(t, filepath.Join(mnt, "a"), Config{}, options{})
	a.write("f", "from a", 0o644)
	h := a.lookup("f")
	for i, dir := range []string{filepath.Join(mnt, "b"), loopDir(t, 320, "mkfs.xfs", "-q")} {
		b, err := New(Config{Dir: dir})
		require.NoError(t, err)
		a.w.do(func(v *View) {
			x, err := b.View(a.w.th)
			require.NoError(t, err)
			defer x.Close()
			set := &vfs.SetAttr{HasMode: true, Mode: 0o644}
			m := vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)}
			require.Equal(t, vfs.OK, x.Create(a.root(), b.Root(),
				&vfs.CreateArgs{Name: []byte("g"), How: vfs.Guarded, Set: set}, &m))
			r := &vfs.CopyArgs{From: v, FromCred: a.root(), FromHandle: h}
			n, _, st := x.Abilities().Copy.Copy(a.root(), m.Entry.Handle, r, new(vfs.WCC))
			cloned := x.Abilities().Copy.Clone(a.root(), m.Entry.Handle, r, new(vfs.WCC))
			if i == 1 {
				require.Equal(t, vfs.XDev, cloned)
				if st != vfs.XDev { // the kernel may copy between two of a kind
					require.Equal(t, vfs.OK, st)
				}
				return
			}
			require.Equal(t, vfs.OK, st)
			require.EqualValues(t, 6, n)
			require.Equal(t, vfs.OK, cloned)
			got, err := os.ReadFile(filepath.Join(dir, "g"))
			require.NoError(t, err)
			require.Equal(t, "from a", string(got))
		})
		require.NoError(t, b.Close())
	}
}

// As a WRITE does, by whomever but root.
func TestRangesTakeSetIDBitsAway(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("from", "content", 0o600)
	from := s.lookup("from")
	for name, act := range map[string]func(v *View, c *vfs.Cred, h vfs.Handle) vfs.Status{
		"allocate": func(v *View, c *vfs.Cred, h vfs.Handle) vfs.Status {
			return v.Allocate(c, h, &vfs.RangeArgs{Len: 100}, new(vfs.WCC))
		},
		"deallocate": func(v *View, c *vfs.Cred, h vfs.Handle) vfs.Status {
			return v.Deallocate(c, h, &vfs.RangeArgs{Len: 3}, new(vfs.WCC))
		},
		"copy": func(v *View, c *vfs.Cred, h vfs.Handle) vfs.Status {
			r := &vfs.CopyArgs{From: v, FromCred: s.root(), FromHandle: from}
			_, _, st := v.Copy(c, h, r, new(vfs.WCC))
			return st
		},
	} {
		s.write(name, "content", 0o666)
		require.NoError(t, os.Chmod(filepath.Join(s.dir, name), 0o777|os.ModeSetuid))
		h := s.lookup(name)
		s.w.do(func(v *View) { require.Equal(t, vfs.OK, act(v, s.w.cred(4001, 4001), h)) })
		st, err := os.Stat(filepath.Join(s.dir, name))
		require.NoError(t, err)
		require.Zero(t, st.Mode()&os.ModeSetuid, name)
	}
}
