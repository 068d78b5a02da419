package posixfs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// ext4 with inodes of 128 bytes has no room for nanoseconds.
func TestTheResolutionOfTimeStampsIsWhatTheFileSystemKeeps(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			require.Equal(t, vfs.Time{Nsec: 1}, serve(t, k.dir(t), Config{}, options{}).fs.Limits().TimeDelta)
		})
	}
	t.Run("ext4, small inodes", func(t *testing.T) {
		s := serve(t, loopDir(t, 16, "mkfs.ext4", "-q", "-I", "128"), Config{}, options{})
		t.Cleanup(s.close)
		require.Equal(t, vfs.Time{Sec: 1}, s.fs.Limits().TimeDelta)
		require.Equal(t, vfs.OK, s.exclusive("f", 0xfedcba9876543210))
		require.Equal(t, vfs.OK, s.exclusive("f", 0xfedcba9876543210), "the same once more")
		require.Equal(t, vfs.Exist, s.exclusive("f", 0xfedcba9876543214))
		dir := s.dir
		s.close()
		s = serve(t, dir, Config{}, options{})
		require.Equal(t, vfs.OK, s.exclusive("f", 0xfedcba9876543210), "once more, after a restart")
		require.Equal(t, vfs.Exist, s.exclusive("f", 0xfedcba9876543214))
		s.close()
		require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		require.LessOrEqual(
			t,
			int64(1),
			serve(t, dir, Config{}, options{}).fs.Limits().TimeDelta.Sec,
			"nothing can be tried",
		)
	})
	for _, k := range fileSystems {
		t.Run(k.name+", read-only", func(t *testing.T) {
			needRoot(t)
			dir := t.TempDir()
			require.NoError(t, unix.Mount(k.dir(t), dir, "", unix.MS_BIND, ""))
			t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
			require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
			require.Equal(t, vfs.Time{Nsec: 1}, serve(t, dir, Config{}, options{}).fs.Limits().TimeDelta)
		})
	}
}

// exclusive creates name as an EXCLUSIVE CREATE with verf does.
func (s *served) exclusive(name string, verf uint64) (st vfs.Status) {
	s.w.do(func(v *View) {
		st = v.Create(
			s.root(),
			s.fs.Root(),
			&vfs.CreateArgs{Name: []byte(name), How: vfs.Exclusive, Set: &vfs.SetAttr{}, Verf: verf},
			&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)},
		)
	})
	return st
}

func TestAVerifierIsKnownAgainAtEveryResolution(t *testing.T) {
	for _, verf := range []uint64{0, 1, 1 << 31, 1<<63 | 1<<31, ^uint64(0), 0x0123456789abcdef} {
		for _, unit := range []uint32{1, 100, 1000, 10_000_000, 1e9} {
			delta := vfs.Time{Nsec: unit}
			if unit == 1e9 {
				delta = vfs.Time{Sec: 1}
			}
			coarse := vfs.Time{Sec: 2}
			times := stampOf(verf)
			for i := range times {
				times[i].Nsec -= times[i].Nsec % unit
			}
			a := vfs.Attr{Atime: times[0], Mtime: times[1]}
			require.True(t, stamped(&a, verf, delta), "%x, %d", verf, unit)
			require.True(
				t,
				stamped(&a, verf, coarse),
				"what was taken for coarser than it is: %x, %d",
				verf,
				unit,
			)
			require.False(t, stamped(&a, verf^4, delta))
			a.Size = 1
			require.False(t, stamped(&a, verf, delta))
		}
	}
}

// A FUSE file system makes no files without a name, so the server has to judge by its stamps.
func TestAnExclusiveCreateIsKnownAgainAfterARestartOnStampsOf2Seconds(t *testing.T) {
	p := mountProcess(t).be(func(p *process) { p.seconds, p.coarse = 1_700_000_000, 2 })
	s := serve(t, p.dir, Config{}, options{})
	require.Equal(t, vfs.Time{Sec: 2}, s.fs.Limits().TimeDelta)
	const verf = 0x0123456701234567 // both halves are odd seconds
	require.Equal(t, vfs.OK, s.exclusive("new", verf))
	require.Equal(t, vfs.OK, s.exclusive("new", verf), "the same once more")
	require.Equal(t, vfs.Exist, s.exclusive("new", verf+4))
	s.close()
	s = serve(t, p.dir, Config{}, options{})
	t.Cleanup(s.close)
	require.Equal(t, vfs.OK, s.exclusive("new", verf), "once more, after a restart")
	require.Equal(t, vfs.Exist, s.exclusive("new", verf+4))
}

// FAT keeps the day of an access time. The server remembers for a while the part that FAT has lost.
func TestAVerifierThatTheFileSystemCannotKeepIsRemembered(t *testing.T) {
	p := mountProcess(t) // its time stamps never change
	s := serve(t, p.dir, Config{}, options{})
	t.Cleanup(s.close)
	var x exclusives
	h := s.lookup("f")
	require.False(t, x.has(h, 7))
	x.add(h, 7)
	require.True(t, x.has(h, 7))
	require.False(t, x.has(h, 8))
	require.False(t, x.has(s.fs.Root(), 7))
	require.False(t, x.has(vfs.Handle{}, 0))
	for range x.list {
		x.add(s.fs.Root(), 9)
	}
	require.False(t, x.has(h, 7), "it is bounded")
}

func TestADirectoryWhoseNamesAreFoldedSaysSo(t *testing.T) {
	dir := loopDir(t, 16, "mkfs.ext4", "-q", "-O", "casefold")
	sub := dir + "/folded"
	run(t, "mkdir", sub)
	if out, err := exec.Command("chattr", "+F", sub).CombinedOutput(); err != nil {
		t.Skipf("needs case folding: %s", strings.TrimSpace(string(out)))
	}
	require.True(t, serve(t, sub, Config{}, options{}).fs.Limits().CaseInsensitive)
	s := serve(t, dir, Config{}, options{})
	require.False(t, s.fs.Limits().CaseInsensitive || s.fs.Limits().Homogeneous)
	require.True(t, s.pathconf(s.lookup("folded")).CaseInsensitive)
	require.False(t, s.pathconf(s.fs.Root()).CaseInsensitive)
}

// pathconf is PATHCONF of h as the lane answers it, or a worker if the lane does not know.
func (s *served) pathconf(h vfs.Handle) (l vfs.Limits) {
	st := vfs.Again
	s.l.do(func(v *View) { st = v.PathConf(h, &l) })
	if st == vfs.Again {
		s.w.do(func(v *View) { st = v.PathConf(h, &l) })
	}
	require.Equal(s.t, vfs.OK, st)
	return l
}

// The server asks a FUSE file system for the effect of chattr +F as it asks others.
func TestEachDirectorySaysWhetherItFoldsCase(t *testing.T) {
	for top, want := range map[uint64][3]bool{1: {true, false, true}, 4: {false, true, false}} { // the top, d, the file f
		p := mountProcess(t).be(func(p *process) { p.folds = top })
		s := serve(t, p.dir, Config{}, options{})
		t.Cleanup(s.close)
		require.False(t, s.fs.Limits().Homogeneous)
		for i, h := range []vfs.Handle{s.fs.Root(), s.lookup("d"), s.lookup("f")} {
			l := s.pathconf(h)
			require.Equal(t, want[i], l.CaseInsensitive, i)
			l.CaseInsensitive = s.fs.Limits().CaseInsensitive
			require.Equal(t, s.fs.Limits(), l)
		}
	}
	p := mountProcess(t) // it does not know of such a thing
	require.True(t, serve(t, p.dir, Config{}, options{}).fs.Limits().Homogeneous)
}

func TestWhichFileSystemsHaveDirectoriesThatDiffer(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			s := serve(t, k.dir(t), Config{}, options{})
			require.False(t, s.fs.Limits().CaseInsensitive)
			require.Equal(t, k.name == "xfs" || k.name == "btrfs", s.fs.Limits().Homogeneous)
		})
	}
	t.Run("xfs that ignores case", func(t *testing.T) {
		s := serve(t, loopDir(t, 300, "mkfs.xfs", "-q", "-n", "version=ci"), Config{}, options{})
		require.True(t, s.fs.Limits().CaseInsensitive && s.fs.Limits().Homogeneous)
	})
}
