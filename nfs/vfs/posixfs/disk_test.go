package posixfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

func (s *served) create(v *View, name string) (vfs.Handle, vfs.Status) {
	var e vfs.Entry
	var w vfs.WCC
	st := v.Create(
		s.root(),
		s.fs.Root(),
		&vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &vfs.SetAttr{HasMode: true, Mode: 0o644}},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	return e.Handle, st
}

func TestAFullDiskIsNeverSuccess(t *testing.T) {
	t.Parallel()
	mnt := loopDir(t, 16, "mkfs.ext4", "-q", "-m", "0", "-N", "512")
	s := serve(t, mnt, Config{}, options{})
	t.Cleanup(s.close)
	data := make([]byte, 256<<10)
	for i := range data {
		data[i] = byte(i * 7)
	}
	s.w.do(func(v *View) {
		for name, how := range map[string]vfs.Stability{"unstable": vfs.Unstable, "datasync": vfs.DataSync, "filesync": vfs.FileSync} {
			h, st := s.create(v, name)
			require.Equal(t, vfs.OK, st)
			var w vfs.WCC
			off := uint64(0)
			for {
				n, _, _, st := v.Write(
					s.root(),
					h,
					&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: how},
					&w,
				)
				if st != vfs.OK {
					require.Equal(t, vfs.NoSpc, st, name)
					require.True(t, w.After.Filled())
					break
				}
				require.Positive(t, n)
				off += uint64(n)
				require.Less(t, off, uint64(16<<20))
			}
			_, st = v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
			require.Equal(t, vfs.OK, st)
			// Data that was acknowledged is there.
			var a vfs.Attr
			b := make([]byte, 4096)
			for at := uint64(0); at < off; at += 1 << 20 {
				n, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: at, Dst: b}, &a)
				require.Equal(t, vfs.OK, st)
				require.Equal(t, data[:n], b[:n])
			}
			require.Equal(t, off, a.Size)
			if name == "filesync" {
				require.Equal(t, vfs.OK, v.Remove(s.root(), s.fs.Root(), []byte(name), &w))
				continue
			}
			require.Equal(t, vfs.OK, v.SetAttr(s.root(), h, &vfs.SetAttr{HasSize: true}, &w))
		}
		// There is no inode, and no block for the directory.
		var st vfs.Status
		for i := 0; st == vfs.OK; i++ {
			require.Less(t, i, 100000)
			var e vfs.Entry
			var w vfs.WCC
			st = v.Mkdir(
				s.root(),
				s.fs.Root(),
				&vfs.MkdirArgs{
					Name: fmt.Appendf(nil, "directory %d", i),
					Set:  &vfs.SetAttr{HasMode: true, Mode: 0o755},
				},
				&vfs.Made{Entry: &e, Dir: &w},
			)
		}
		require.Equal(t, vfs.NoSpc, st)
	})
}

func TestAReadOnlyFileSystemSaysSo(t *testing.T) {
	mnt := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, mnt, Config{}, options{})
	t.Cleanup(s.close)
	s.write("f", "content", 0o666)
	h := s.lookup("f")
	run(t, "mount", "-o", "remount,ro", mnt)
	s.w.do(func(v *View) {
		var w, w2 vfs.WCC
		var a vfs.Attr
		var e vfs.Entry
		c, root := s.root(), s.fs.Root()
		_, st := s.create(v, "new")
		require.Equal(t, vfs.ROFS, st)
		_, _, _, st = v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable}, &w)
		require.Equal(t, vfs.ROFS, st)
		require.True(t, w.After.Filled())
		require.Equal(t, vfs.ROFS, v.SetAttr(c, h, &vfs.SetAttr{HasMode: true, Mode: 0o600}, &w))
		require.Equal(t, vfs.ROFS, v.SetAttr(c, h, &vfs.SetAttr{HasSize: true}, &w))
		require.Equal(
			t,
			vfs.ROFS,
			v.Mkdir(
				c,
				root,
				&vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
		require.Equal(
			t,
			vfs.ROFS,
			v.Symlink(
				c,
				root,
				&vfs.SymlinkArgs{Name: []byte("l"), Target: []byte("t"), Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
		require.Equal(
			t,
			vfs.ROFS,
			v.Mknod(
				c,
				root,
				&vfs.MknodArgs{Name: []byte("p"), Type: vfs.TypeFifo, Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
		require.Equal(t, vfs.ROFS, v.Remove(c, root, []byte("f"), &w))
		require.Equal(
			t,
			vfs.ROFS,
			v.Rename(
				c,
				&vfs.RenameArgs{From: root, FromName: []byte("f"), To: root, ToName: []byte("g")},
				&w,
				&w2,
			),
		)
		require.Equal(t, vfs.ROFS, v.Link(c, &vfs.LinkArgs{Object: h, Dir: root, Name: []byte("g")}, &a, &w))
		p, st := v.Access(c, h, vfs.MayRead|vfs.MayWrite, &a)
		require.Equal(t, vfs.OK, st)
		require.Equal(t, vfs.MayRead, p)
		b := make([]byte, 16)
		n, _, st := v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: b}, &a)
		require.Equal(t, vfs.OK, st)
		require.Equal(t, "content", string(b[:n]))
	})
}

// failingDisk is an ext4 whose image lies on a tmpfs that is too small for it. So writing back
// fails with EIO, although ext4 has found a place.
func failingDisk(t *testing.T) string {
	needRoot(t)
	base := tmpfsDir(t)
	require.NoError(t, unix.Mount("none", base, "tmpfs", 0, "size=6m"))
	disktest.UnmountAtEnd(t, base)
	img, mnt := filepath.Join(base, "img"), filepath.Join(base, "mnt")
	require.NoError(t, os.Mkdir(mnt, 0o755))
	require.NoError(t, os.WriteFile(img, nil, 0o600))
	require.NoError(t, os.Truncate(img, 64<<20))
	run(t, "mkfs.ext4", "-q", "-m", "0", "-J", "size=4", "-E", "lazy_itable_init=1,lazy_journal_init=1", img)
	out, err := exec.Command("mount", "-o", "loop,errors=continue", img, mnt).CombinedOutput()
	if err != nil {
		t.Skipf("needs loop mounts: %s", out)
	}
	disktest.UnmountAtEnd(t, mnt)
	return mnt
}

func TestAFailedFlushIsReportedAndChangesTheVerifier(t *testing.T) {
	s := serve(t, failingDisk(t), Config{}, options{})
	t.Cleanup(s.close)
	s.w.do(func(v *View) {
		h, st := s.create(v, "f")
		require.Equal(t, vfs.OK, st)
		var w vfs.WCC
		data := make([]byte, 1<<20)
		var verf uint64
		for off := uint64(0); off < 16<<20; off += 1 << 20 {
			n, got, vf, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
				&w,
			)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, len(data), n)
			require.Equal(t, vfs.Unstable, got)
			verf = vf
		}
		_, st = v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Contains(t, []vfs.Status{vfs.IO, vfs.NoSpc}, st) // by the loop device
		require.NotEqual(t, verf, s.fs.Verifier())
		// A second COMMIT is no success for data that was written under the old verifier.
		again, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.False(t, st == vfs.OK && again == verf)
	})
}

func TestAFailureIsNoticedWhenADirtyFileIsLetGo(t *testing.T) {
	s := serve(t, failingDisk(t), Config{}, options{})
	t.Cleanup(s.close)
	s.w.do(func(v *View) {
		h, st := s.create(v, "f")
		require.Equal(t, vfs.OK, st)
		var w vfs.WCC
		data := make([]byte, 1<<20)
		var verf uint64
		for off := uint64(0); off < 16<<20; off += 1 << 20 {
			_, _, verf, st = v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
				&w,
			)
			require.Equal(t, vfs.OK, st)
		}
		e, st := v.acquire(&h, useMain)
		require.Equal(t, vfs.OK, st)
		s.fs.tab.Retire(e)
		v.done()
		s.fs.reap(false)
		s.fs.reap(true)
		now, st := v.Commit(
			s.root(),
			h,
			&vfs.CommitArgs{Off: 0, Count: 0},
			&w,
		) // waits for the janitor, if that does it
		require.NotEqual(t, verf, s.fs.Verifier())
		require.False(t, st == vfs.OK && now == verf)
	})
}

func TestAWriteBeyondTheFileSizeLimitIsAnErrorAndNoSignal(t *testing.T) {
	dir := tmpfsDir(t)
	s := serve(t, dir, Config{}, options{})
	s.write("f", "x", 0o666)
	h := s.lookup("f")
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 16, Max: old.Max}))
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old)) }()
	s.w.do(func(v *View) {
		var w vfs.WCC
		_, _, _, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 1 << 20, Src: [][]byte{[]byte("x")}, How: vfs.Unstable},
			&w,
		)
		require.Equal(t, vfs.FBig, st)
		require.Equal(t, vfs.FBig, v.SetAttr(s.root(), h, &vfs.SetAttr{HasSize: true, Size: 1 << 20}, &w))
	})
}
