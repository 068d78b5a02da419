package posixfs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// getfacl returns what the system's own tool prints for an object.
func getfacl(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("getfacl", "-cpnE", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Fields(string(out))
}

func needACLTools(t *testing.T) {
	t.Helper()
	needRoot(t)
	for _, tool := range []string{"getfacl", "setfacl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
}

func (s *served) setACL(c *vfs.Cred, h vfs.Handle, set vfs.ACLSet) (st vfs.Status, a vfs.Attr) {
	s.t.Helper()
	s.w.do(func(v *View) { st = v.SetACL(c, h, &set, &a) })
	return st, a
}

func (s *served) getACL(c *vfs.Cred, h vfs.Handle) (set vfs.ACLSet) {
	s.t.Helper()
	set = vfs.ACLSet{HasAccess: true, HasDefault: true}
	s.w.do(func(v *View) {
		var a vfs.Attr
		require.Equal(s.t, vfs.OK, v.GetACL(c, h, &set, &a))
		require.NotZero(s.t, a.Type)
	})
	return set
}

var (
	named = acl.List{
		{Tag: acl.UserObj, Perm: 6},
		{Tag: acl.User, Perm: 4, ID: 1234},
		{Tag: acl.GroupObj, Perm: 4},
		{Tag: acl.Group, Perm: 2, ID: 4321},
		{Tag: acl.Mask, Perm: 6},
		{Tag: acl.Other},
	}
	namedText = []string{
		"user::rw-",
		"user:1234:r--",
		"group::r--",
		"group:4321:-w-",
		"mask::rw-",
		"other::---",
	}
)

func TestListsAreTheKernelsOnEveryFileSystem(t *testing.T) {
	t.Parallel()
	needACLTools(t)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := k.dir(t)
			s := serve(t, dir, Config{}, options{})
			s.write("f", "x", 0o640)
			file, f := filepath.Join(dir, "f"), s.lookup("f")
			require.Equal(
				t,
				vfs.ACLSet{HasAccess: true, HasDefault: true},
				s.getACL(s.root(), f),
				"nothing but the mode",
			)

			st, a := s.setACL(s.root(), f, vfs.ACLSet{HasAccess: true, Access: named[:0:0]})
			require.Equal(t, vfs.Inval, st, "a list of nothing is none")
			require.EqualValues(t, 0o640, a.Mode)
			mixed := acl.List{named[5], named[3], named[0], named[4], named[1], named[2]}
			st, a = s.setACL(s.root(), f, vfs.ACLSet{HasAccess: true, Access: mixed})
			require.Equal(t, vfs.OK, st)
			require.EqualValues(t, 0o660, a.Mode, "the mask stands where the group does")
			require.Equal(t, namedText, getfacl(t, file))
			require.Equal(
				t,
				vfs.ACLSet{HasAccess: true, HasDefault: true, Access: named},
				s.getACL(s.root(), f),
			)

			run(t, "setfacl", "-m", "u:77:x", file)
			require.Contains(
				t,
				s.getACL(s.root(), f).Access,
				acl.Entry{Tag: acl.User, Perm: 1, ID: 77},
				"what others change is seen",
			)

			st, a = s.setACL(s.root(), f, vfs.ACLSet{HasAccess: true, Access: acl.FromMode(0o604)})
			require.Equal(t, vfs.OK, st)
			require.EqualValues(t, 0o604, a.Mode)
			require.Nil(t, s.getACL(s.root(), f).Access, "a list that says what the mode says is none")
			st, _ = s.setACL(s.root(), f, vfs.ACLSet{HasAccess: true})
			require.Equal(t, vfs.OK, st, "none is taken away")
			st, _ = s.setACL(s.root(), f, vfs.ACLSet{HasDefault: true, Default: acl.FromMode(0o700)})
			require.Equal(t, vfs.Access, st, "files have no default list")
			st, _ = s.setACL(s.root(), f, vfs.ACLSet{HasDefault: true})
			require.Equal(t, vfs.OK, st)

			root := s.fs.Root()
			st, _ = s.setACL(s.root(), root, vfs.ACLSet{HasDefault: true, Default: named})
			require.Equal(t, vfs.OK, st)
			require.Equal(
				t,
				vfs.ACLSet{HasAccess: true, HasDefault: true, Default: named},
				s.getACL(s.root(), root),
			)
			s.w.do(func(v *View) {
				var e vfs.Entry
				var w vfs.WCC
				require.Equal(
					t,
					vfs.OK,
					v.Create(
						s.root(),
						root,
						&vfs.CreateArgs{
							Name: []byte("made"),
							How:  vfs.Guarded,
							Set:  &vfs.SetAttr{HasMode: true, Mode: 0o666},
						},
						&vfs.Made{Entry: &e, Dir: &w},
					),
				)
				require.Equal(
					t,
					vfs.OK,
					v.Mkdir(
						s.root(),
						root,
						&vfs.MkdirArgs{Name: []byte("dir"), Set: &vfs.SetAttr{HasMode: true, Mode: 0o777}},
						&vfs.Made{Entry: &e, Dir: &w},
					),
				)
			})
			require.Equal(
				t,
				[]string{
					"user::rw-",
					"user:1234:r--",
					"group::r--",
					"group:4321:-w-",
					"mask::rw-",
					"other::---",
				},
				getfacl(t, filepath.Join(dir, "made")),
			)
			require.Equal(t, named, s.getACL(s.root(), s.lookup("dir")).Default)
			st, _ = s.setACL(s.root(), root, vfs.ACLSet{HasDefault: true})
			require.Equal(t, vfs.OK, st)
			require.Nil(t, s.getACL(s.root(), root).Default)
		})
	}
}

// A user that may not change the mode may not change a list (CVE-2016-1237), whatever the client
// has looked at.
func TestOnlyTheOwnerChangesAList(t *testing.T) {
	t.Parallel()
	needACLTools(t)
	dir := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, dir, Config{}, options{})
	for name, owner := range map[string]int{"f": 1000, "d": 1000} {
		if name == "f" {
			s.write(name, "x", 0o666)
		} else {
			require.NoError(t, unix.Mkdir(filepath.Join(dir, name), 0o777))
		}
		require.NoError(t, unix.Chown(filepath.Join(dir, name), owner, owner))
	}
	for _, name := range []string{"f", "d"} {
		h := s.lookup(name)
		before := getfacl(t, filepath.Join(dir, name))
		for _, uid := range []uint32{1001, 1234} {
			st, a := s.setACL(s.w.cred(uid, uid, 1000), h, vfs.ACLSet{HasAccess: true, Access: named})
			require.Equal(t, vfs.Perm, st, name)
			require.NotZero(t, a.Type)
			st, _ = s.setACL(s.w.cred(uid, uid), h, vfs.ACLSet{HasAccess: true})
			require.NotEqual(t, vfs.ServerFault, st)
			require.Equal(t, before, getfacl(t, filepath.Join(dir, name)))
		}
		st, _ := s.setACL(s.w.cred(1000, 1000), h, vfs.ACLSet{HasAccess: true, Access: named})
		require.Equal(t, vfs.OK, st)
		require.Equal(t, namedText, getfacl(t, filepath.Join(dir, name)))
	}
	st, _ := s.setACL(s.w.cred(1001, 1001), s.lookup("d"), vfs.ACLSet{HasDefault: true, Default: named})
	require.Equal(t, vfs.Perm, st)
	require.Nil(t, s.getACL(s.root(), s.lookup("d")).Default)
}

func TestListsOfWhatHasNone(t *testing.T) {
	t.Parallel()
	needACLTools(t)
	dir := loopDir(t, 16, "mkfs.ext4", "-q")
	s := serve(t, dir, Config{}, options{})
	require.NoError(t, unix.Symlink("nowhere", filepath.Join(dir, "link")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	require.Nil(t, s.getACL(s.root(), s.lookup("link")).Access)
	st, _ := s.setACL(s.root(), s.lookup("link"), vfs.ACLSet{HasAccess: true, Access: named})
	require.Equal(t, vfs.NotSupp, st)
	st, _ = s.setACL(s.root(), s.lookup("fifo"), vfs.ACLSet{HasAccess: true, Access: named})
	require.Equal(t, vfs.OK, st, "it cannot be opened, and has one all the same")
	require.Equal(t, namedText, getfacl(t, filepath.Join(dir, "fifo")))
	set, a := vfs.ACLSet{HasAccess: true}, vfs.Attr{}
	s.l.do(func(v *View) {
		require.Equal(t, vfs.Again, v.GetACL(s.root(), s.fs.Root(), &set, &a), "a lane does not read lists")
		require.Equal(t, vfs.Again, v.SetACL(s.root(), s.fs.Root(), &set, &a))
	})
}

// A list is on the disc when the call returns: the server fsyncs the file system after it.
func TestAListIsOnStableStorage(t *testing.T) {
	t.Parallel()
	needACLTools(t)
	dir := loopDir(t, 16, "mkfs.ext4", "-q")
	flushes := 0
	s := serve(t, dir, Config{}, options{})
	s.write("f", "x", 0o640)
	h := s.lookup("f")
	s.fs.store.Fsync = func(fd int) unix.Errno { flushes++; return kernel.Fsync(fd) }
	st, _ := s.setACL(s.root(), h, vfs.ACLSet{HasAccess: true, Access: named})
	require.Equal(t, vfs.OK, st)
	require.Equal(t, 1, flushes)
	s.fs.store.Fsync = func(int) unix.Errno { return unix.EIO }
	st, _ = s.setACL(s.root(), h, vfs.ACLSet{HasAccess: true, Access: acl.FromMode(0o600)})
	require.Equal(t, vfs.IO, st)
	s.fs.store.Fsync = kernel.Fsync
}

func TestUsersOutsideTheNamespaceAreShownAsTheirFilesOwnersAre(t *testing.T) {
	const nobodys = 1<<32 - 1
	fs := FS{ns: kernel.Namespace{Overflow: 65534}}
	l := acl.List{
		{Tag: acl.UserObj, ID: nobodys}, {Tag: acl.User, ID: 7}, {Tag: acl.User, ID: nobodys},
		{Tag: acl.GroupObj, ID: nobodys}, {Tag: acl.Group, ID: nobodys}, {Tag: acl.Mask}, {Tag: acl.Other},
	}
	fs.showOverflow(l)
	for i, id := range []uint32{nobodys, 7, 65534, nobodys, 65534, 0, 0} {
		require.EqualValues(t, id, l[i].ID, "entry %d", i)
	}
}
