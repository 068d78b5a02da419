package posixfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// sameIDs asserts that two listings of a directory give the file IDs that GETATTR gives, ".."
// included. The second listing may come from memory.
func (s *served) sameIDs(path string) {
	s.t.Helper()
	h := s.fs.Root()
	if path != "" {
		h = s.lookup(path)
	}
	for range 2 {
		for _, plus := range []bool{false, true} {
			listed := make(map[string]uint64)
			s.w.do(func(v *View) {
				var d vfs.Attr
				_, _, st := v.ReadDir(
					s.root(),
					h,
					&vfs.ReadDirArgs{Want: vfstest.Plus(plus), Yield: func(e *vfs.DirEntry) bool {
						listed[string(e.Name)] = e.FileID
						return true
					}},
					&d,
				)
				require.Equal(s.t, vfs.OK, st)
				require.Contains(s.t, listed, "..")
				for name, id := range listed {
					var e vfs.Entry
					require.Equal(
						s.t,
						vfs.OK,
						v.Lookup(s.root(), h, []byte(name), &vfs.Found{Entry: &e, Dir: &d}),
						"%s in %q",
						name,
						path,
					)
					require.Equal(s.t, e.Attr.FileID, id, "%s in %q, plus %v", name, path, plus)
				}
			})
		}
	}
}

func TestListingsOfSubvolumesHaveTheFileIDsOfTheirDirectories(t *testing.T) {
	for _, o := range []options{{}, {noPrivate: true}, {noSubvolume: true}} {
		dir := loopDir(t, 128, "mkfs.btrfs", "-q")
		for _, sub := range []string{"one", "one/two", "one/two/three"} {
			run(t, "btrfs", "subvolume", "create", filepath.Join(dir, sub))
		}
		for _, d := range []string{"dir", "one/dir", "one/two/dir"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, d, "file"), nil, 0o644))
		}
		for _, top := range []string{dir, filepath.Join(dir, "one")} {
			s := serve(t, top, Config{}, o)
			paths := []string{"", "two", "two/three", "two/dir", "dir"}
			if top == dir {
				paths = []string{"", "one", "one/two", "one/two/three", "one/two/dir", "dir"}
			}
			for _, path := range paths {
				s.sameIDs(path)
			}
			s.close()
		}
	}
}

// Before Linux 6.10 only handles tell in which subvolume an object is. A number that is made of the
// device number would be another one after a reboot.
func TestFileIDsInSubvolumesAreTheSameOnAllKernels(t *testing.T) {
	dir := loopDir(t, 128, "mkfs.btrfs", "-q")
	paths := []string{"one", "one/two", "one/file", "one/two/file"}
	for _, sub := range paths[:2] {
		run(t, "btrfs", "subvolume", "create", filepath.Join(dir, sub))
		require.NoError(t, os.WriteFile(filepath.Join(dir, sub, "file"), nil, 0o644))
	}
	ids := func(o options) (list []uint64) {
		s := serve(t, dir, Config{}, o)
		defer s.close()
		for _, path := range paths {
			h := s.lookup(path)
			s.w.do(func(v *View) {
				var a vfs.Attr
				require.Equal(t, vfs.OK, v.GetAttr(h, &a))
				list = append(list, a.FileID)
				if path == "one/two/file" && o.noSubvolume {
					id, ok := s.fs.volumes.find(devOf(&v.st))
					require.True(t, ok)
					require.Equal(t, kernel.Mix(id), s.fs.volume(&v.st))
				}
			})
		}
		return list
	}
	old := ids(options{noSubvolume: true})
	var st unix.Statx_t
	require.NoError(t, unix.Statx(unix.AT_FDCWD, filepath.Join(dir, "one"), 0, kernel.StatxMask, &st))
	if st.Mask&kernel.StatxSubvol == 0 {
		t.Skip("needs STATX_SUBVOL, Linux 6.10, to compare with")
	}
	require.Equal(t, ids(options{}), old)
}

// The layers are on two file systems, so that overlay cannot make their numbers its own.
func TestListingsOfAnOverlayHaveTheFileIDsOfTheirObjects(t *testing.T) {
	needRoot(t)
	base := tmpfsDir(t)
	at := func(name string) string { return filepath.Join(base, name) }
	mount := func(source, to, kind, options string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(to, 0o755))
		if err := unix.Mount(source, to, kind, 0, options); err != nil {
			t.Skipf("needs mounts of %s (%s): %v", kind, options, err)
		}
		disktest.UnmountAtEnd(t, to)
	}
	mount("none", at("lower"), "tmpfs", "size=1m")
	mount("none", at("upper"), "tmpfs", "size=1m")
	for _, d := range []string{"lower/dir/sub", "upper/u/dir", "upper/w"} {
		require.NoError(t, os.MkdirAll(at(d), 0o755))
	}
	for _, f := range []string{"lower/low", "lower/dir/low", "upper/u/up", "upper/u/dir/up"} {
		require.NoError(t, os.WriteFile(at(f), nil, 0o644))
	}
	mount(
		"overlay",
		at("merged"),
		"overlay",
		"nfs_export=on,index=on,xino=off,lowerdir="+at(
			"lower",
		)+",upperdir="+at(
			"upper/u",
		)+",workdir="+at(
			"upper/w",
		),
	)
	s := serve(t, at("merged"), Config{}, options{})
	for _, path := range []string{"", "dir", "dir/sub"} {
		s.sameIDs(path)
	}
	s.close()
}

// The kernel gives out the devices of layers as they come. The file ID by which clients know an
// object stays.
func TestFileIDsInAnOverlayOutliveItsMount(t *testing.T) {
	needRoot(t)
	lower, upper := loopDir(t, 16, "mkfs.ext4", "-q"), loopDir(t, 16, "mkfs.ext4", "-q")
	base := tmpfsDir(t)
	merged, other := filepath.Join(base, "merged"), filepath.Join(base, "other")
	for _, dir := range []string{merged, other, filepath.Join(upper, "u"), filepath.Join(upper, "w")} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	files := []string{filepath.Join(lower, "low"), filepath.Join(upper, "u", "up")}
	for _, f := range files {
		require.NoError(t, os.WriteFile(f, nil, 0o644))
	}
	mount := func() (unmount func()) {
		options := "nfs_export=on,index=on,xino=off,lowerdir=" + lower + ",upperdir=" + filepath.Join(
			upper,
			"u",
		) + ",workdir=" + filepath.Join(
			upper,
			"w",
		)
		if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
			t.Skipf("needs overlay mounts: %v", err)
		}
		return disktest.UnmountAtEnd(t, merged)
	}
	seen := func(list bool) (ids []uint64, devices []uint64) {
		s := serve(t, merged, Config{}, options{})
		defer s.close()
		if list {
			s.sameIDs("")
		}
		for _, f := range files {
			h := s.lookup(filepath.Base(f))
			s.w.do(func(v *View) {
				var a vfs.Attr
				require.Equal(t, vfs.OK, v.GetAttr(h, &a))
				ids, devices = append(ids, a.FileID), append(devices, devOf(&v.st))
			})
		}
		return ids, devices
	}
	unmount := mount()
	ids, devices := seen(false)
	unmount()
	require.NoError(t, unix.Mount("none", other, "tmpfs", 0, "")) // takes a device number
	disktest.UnmountAtEnd(t, other)
	unmount = mount()
	defer unmount()
	again, others := seen(true)
	require.NotEqual(t, devices, others, "the test shows nothing")
	require.Equal(t, ids, again)
	require.NotEqual(t, ids[0], ids[1])
}

// The server asks for the inode numbers that a FUSE process leaves out.
func TestListingsWithoutNumbersHaveTheFileIDsOfTheirObjects(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("file", "", 0o644)
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "dir"), 0o755))
	want := make(map[string]uint64)
	for _, name := range []string{".", "..", "file", "dir"} {
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(s.dir, name), &st))
		want[name] = st.Ino
	}
	for _, unset := range []uint64{0, 1<<32 - 1, 1<<64 - 1} {
		s.w.do(func(v *View) {
			h := s.fs.Root()
			de, st := v.acquire(&h, useMain)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, vfs.OK, v.stat(de, &v.st))
			d := listing.First(s.fs.root)
			seen := 0
			for x := d; len(x) > 0; x = x.Rest() {
				x.SetNumber(unset)
				seen++
			}
			require.Equal(t, len(want), seen)
			listed{v}.FileIDs(s.root(), de, d)
			for ; len(d) > 0; d = d.Rest() {
				if d.DotDot() && s.fs.is.private {
					continue // nothing is above; a listing gives the top's number
				}
				require.Equal(t, want[string(d.Name())], d.Number(), string(d.Name()))
			}
			v.done()
		})
	}
	s.close()
}
