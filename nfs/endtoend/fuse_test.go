package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/fusetest"
)

// serveFUSE serves a FUSE file system of this process from another one.
func serveFUSE(t *testing.T, o fusetest.Options) (p *apart, c *nfstest.Client, root fh) {
	t.Helper()
	needRing(t)
	needRoot(t)
	dir := exportDir(t)
	fusetest.Mount(t, dir, o)
	p = serveApart(t, dir, "GODEBUG=")
	require.Empty(t, p.refused)
	c = nfstest.Dial(t, p.addr)
	return p, c, mnt(t, c, dir)
}

// TestAFileSystemThatCountsNoLinks tests that the server does not take an object for a removed one
// because its file system does not count links.
func TestAFileSystemThatCountsNoLinks(t *testing.T) {
	t.Parallel()
	p, c, root := serveFUSE(t, fusetest.Options{Names: []string{"a", "b"}})
	assert.EqualValues(t, 1, getattr(t, c, root).Nlink)
	a := lookup(t, c, root, "a")
	attr := getattr(t, c, a)
	assert.EqualValues(t, 1, attr.Nlink, "a client takes 0 for removed")
	r := c.Read(a, 0, 10)
	ok(t, r.Status)
	assert.Equal(t, "a", string(r.Resok.Data))
	names := 0
	for _, e := range c.List(root, true, 4096, nil) {
		if names++; string(e.Name) == "b" {
			require.True(t, e.Attr.AttributesFollow && e.Handle.HandleFollows)
		}
	}
	assert.Equal(t, 4, names)
	rm := c.Remove(root, "a")
	ok(t, rm.Status)
	// As long as the server has the object open the kernel finds it by its handle; the janitor
	// closes it.
	eventually(
		t,
		func() bool { return c.Getattr(a).Status == nfs3.NFS3ERR_STALE },
		"a removed object is stale",
	)
	assert.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(root, "a").Status)
	lookup(t, c, root, "b")
	p.end()
}

// TestPlacesThatDoNotLast tests that every listing ends, and has every name once, whatever places a
// file system gives for the entries of its directories.
func TestPlacesThatDoNotLast(t *testing.T) {
	t.Parallel()
	for name, places := range map[string]fusetest.Places{
		"lasting": fusetest.Lasting, "one open": fusetest.OneOpen, "equal": fusetest.Equal, "position": fusetest.Position,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []string{".", ".."}
			var o fusetest.Options
			for i := range 700 {
				o.Names = append(o.Names, fmt.Sprintf("file-with-a-name-%03d", i))
			}
			want = append(want, o.Names...)
			o.Links, o.Places = 1, places
			p, c, root := serveFUSE(t, o)
			assert.Equal(t, places != fusetest.Lasting, strings.Contains(p.notes, "places"), p.notes)
			for _, plus := range []bool{false, true} {
				var got []string
				for _, e := range c.List(root, plus, 2048, nil) {
					got = append(got, string(e.Name))
				}
				slices.Sort(got)
				require.Equal(t, want, got, "plus=%v", plus)
			}
			// Names that are removed meanwhile take no other names with them.
			var got []string
			pages := 0
			for _, e := range c.List(root, false, 2048, func() {
				ok(t, c.Remove(root, o.Names[pages]).Status)
				pages++
			}) {
				got = append(got, string(e.Name))
			}
			require.Greater(t, pages, 5)
			slices.Sort(got)
			require.Equal(t, slices.Compact(slices.Clone(got)), got, "nothing twice")
			require.Subset(t, got, want[2+pages:])
		})
	}
}

// TestAFileSystemThatForgets tests that the server says so if handles of its export do not last,
// and only then; and that objects in use are not forgotten.
func TestAFileSystemThatForgets(t *testing.T) {
	t.Parallel()
	for _, forgets := range []bool{true, false} {
		t.Run(fmt.Sprint(forgets), func(t *testing.T) {
			t.Parallel()
			p, c, root := serveFUSE(t, fusetest.Options{Names: []string{"a"}, Links: 1, Forgets: forgets})
			assert.Equal(t, forgets, strings.Contains(p.notes, "FUSE_EXPORT_SUPPORT"), p.notes)
			a := lookup(t, c, root, "a")
			fd, err := unix.Fspick(unix.AT_FDCWD, p.dir, unix.FSPICK_CLOEXEC)
			require.NoError(t, err)
			require.NoError(t, unix.FsconfigReconfigure(fd)) // the kernel drops unused objects
			require.NoError(t, unix.Close(fd))
			getattr(t, c, a)
		})
	}
}

// TestListingsOfAFUSEFileSystemHaveItsObjectsFileIDs tests that clients see one number for an
// object, whatever the file system's listings say.
func TestListingsOfAFUSEFileSystemHaveItsObjectsFileIDs(t *testing.T) {
	t.Parallel()
	for name, places := range map[string]fusetest.Places{"lasting": fusetest.Lasting, "equal": fusetest.Equal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c, root := serveFUSE(
				t,
				fusetest.Options{Names: []string{"a", "b", "c"}, Links: 1, Places: places},
			)
			for range 2 { // the second time the kernel knows the names
				for _, plus := range []bool{false, true} {
					listed := c.List(root, plus, 4096, nil)
					require.Len(t, listed, 5)
					for _, e := range listed {
						f := root
						if e.Name[0] != '.' {
							f = lookup(t, c, root, string(e.Name))
						}
						require.EqualValues(t, getattr(t, c, f).Fileid, e.ID, "%s, plus %v", e.Name, plus)
					}
				}
			}
		})
	}
}

// TestFUSEMountsAreToldApart tests that two mounts whose objects have the same numbers and handles
// are two file systems to clients, and that a mount that is made anew is a third one.
func TestFUSEMountsAreToldApart(t *testing.T) {
	t.Parallel()
	needRing(t)
	needRoot(t)
	self, err := os.Executable()
	require.NoError(t, err)
	o := fusetest.Options{Names: []string{"a"}, Links: 1}
	one, two, state := exportDir(t), exportDir(t), stateDir(t, 0)
	unmount := fusetest.Mount(t, one, o)
	fusetest.Mount(t, two, o)
	serve := func() (p *apart, c *nfstest.Client) {
		p = startApart(t, exec.Command(self), one, state, "GODEBUG=", two)
		require.Empty(t, p.refused)
		require.Equal(t, 2, strings.Count(p.notes, "has no UUID"), p.notes)
		return p, nfstest.Dial(t, p.addr)
	}
	// objects returns the top of an export and its file.
	objects := func(c *nfstest.Client, dir string) [2]fh {
		root := mnt(t, c, dir)
		return [2]fh{root, lookup(t, c, root, "a")}
	}
	p, c := serve()
	ones, twos := objects(c, one), objects(c, two)
	for i := range ones {
		a, b := getattr(t, c, ones[i]), getattr(t, c, twos[i])
		require.Equal(t, a.Fileid, b.Fileid, "nothing is told apart by it")
		require.NotEqual(t, a.Fsid, b.Fsid)
	}
	for i := range ones { // the bytes that name the export are the other one's
		forged := fh{Data: bytes.Clone(ones[i].Data)}
		copy(forged.Data[1:5], twos[i].Data[1:5])
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(forged).Status)
	}
	p.end()

	unmount()
	stale := func(what string) {
		t.Helper()
		p, c := serve()
		for i := range ones {
			require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(ones[i]).Status, what)
			getattr(t, c, twos[i])
		}
		require.NotEqual(t, ones, objects(c, one))
		p.end()
	}
	require.NoError(t, unix.Mount(two, one, "", unix.MS_BIND, ""))
	unbind := disktest.UnmountAtEnd(t, one)
	stale("the other is at its path")
	unbind()
	fusetest.Mount(t, one, o)
	stale("it is mounted anew")
}
