package posixfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestStubsOfSubvolumesInSnapshotsAreDirectoriesOfTheirOwn(t *testing.T) {
	for name, o := range map[string]options{"private": {}, "no handles": {noPrivate: true, noHandles: true}} {
		t.Run(name, func(t *testing.T) {
			dir := loopDir(t, 128, "mkfs.btrfs", "-q")
			require.NoError(t, os.Mkdir(filepath.Join(dir, "dir"), 0o755))
			for _, sub := range []string{"one", "two", "dir/one"} {
				run(t, "btrfs", "subvolume", "create", filepath.Join(dir, sub))
				require.NoError(t, os.WriteFile(filepath.Join(dir, sub, "file"), nil, 0o644))
			}
			for _, snap := range []string{"snap", "other"} {
				run(t, "btrfs", "subvolume", "snapshot", dir, filepath.Join(dir, snap))
			}
			stubs := []string{
				"snap/one",
				"snap/two",
				"snap/dir/one",
				"other/one",
				"other/two",
				"other/dir/one",
			}
			s := serve(t, dir, Config{}, o)
			handles := make(map[vfs.Handle]string)
			ids := make(map[uint64]string)
			attr := func(path string, h vfs.Handle) (a vfs.Attr) {
				t.Helper()
				s.w.do(func(v *View) {
					require.Equal(t, vfs.OK, v.GetAttr(h, &a), path)
					n := 0
					var d vfs.Attr
					_, _, st := v.ReadDir(
						s.root(),
						h,
						&vfs.ReadDirArgs{Yield: func(*vfs.DirEntry) bool { n++; return true }},
						&d,
					)
					require.Equal(t, vfs.OK, st, path)
					require.Equal(t, 2, n, path)
				})
				require.Equal(t, vfs.TypeDir, a.Type)
				return a
			}
			for _, path := range stubs {
				h := s.lookup(path)
				a := attr(path, h)
				require.Empty(t, handles[h], path)
				require.Empty(t, ids[a.FileID], path)
				handles[h], ids[a.FileID] = path, path
			}
			for range 2 { // the second time from memory
				for _, path := range append([]string{"", "snap", "snap/dir", "other", "other/dir"}, stubs...) {
					s.sameIDs(path)
				}
			}
			s.close()
			s = serve(t, dir, Config{}, o) // nothing is open any more
			if s.fs.is.byHandle {
				for h, path := range handles {
					require.Equal(t, path, ids[attr(path, h).FileID])
				}
			}
			for h, path := range handles {
				require.Equal(t, h, s.lookup(path))
			}
			var e vfs.Entry
			s.w.do(func(v *View) { require.Equal(t, vfs.Access, v.Walk(s.root(), "snap/one", &e)) })
			s.close()

			require.NoError(t, os.Remove(filepath.Join(dir, "snap/one")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "other/two.new"), 0o755))
			require.NoError(t, os.Remove(filepath.Join(dir, "other/two")))
			require.NoError(
				t,
				os.Rename(filepath.Join(dir, "other/two.new"), filepath.Join(dir, "other/two")),
			)
			s = serve(t, dir, Config{}, o)
			for h, path := range handles {
				if path != "snap/one" && path != "other/two" {
					continue
				}
				s.w.do(func(v *View) {
					var a vfs.Attr
					require.Equal(t, vfs.Stale, v.GetAttr(h, &a), path)
				})
			}
			s.close()
		})
	}
}
