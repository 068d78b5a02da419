package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// inNamespace starts a server of dir as root of a user namespace that maps the users
// and groups 0 to 1999 and some others, each to itself.
func inNamespace(t *testing.T, dir string, others ...int) *apart {
	t.Helper()
	needRoot(t)
	self, err := os.Executable()
	require.NoError(t, err)
	ids := []syscall.SysProcIDMap{{Size: 2000}}
	for _, id := range others {
		ids = append(ids, syscall.SysProcIDMap{ContainerID: id, HostID: id, Size: 1})
	}
	cmd := exec.Command(self)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
	}
	return startApart(t, cmd, dir, stateDir(t, 0), "GODEBUG=")
}

// TestACallerIsServedThoughNotAllOfItIsMapped tests that in a user namespace a caller keeps the
// mapped part of its identity: a user who is not mapped becomes anonymous, a group that is not
// mapped does not count.
func TestACallerIsServedThoughNotAllOfItIsMapped(t *testing.T) {
	t.Parallel()
	needRing(t)
	dir := exportDir(t)
	p := inNamespace(t, dir, 65534)
	require.Empty(t, p.refused)
	assert.Contains(t, p.notes, "users 0-1999, 65534")
	p.converse(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "club"), 0o770))
	require.NoError(t, os.Chown(filepath.Join(dir, "club"), 0, 1002))
	require.NoError(t, os.Chmod(filepath.Join(dir, "club"), 0o770))
	c := nfstest.Dial(t, p.addr)
	root := mnt(t, c, dir)
	club := lookup(t, c, root, "club")

	for name, tt := range map[string]struct {
		uid, gid uint32
		groups   []uint32
		owner    [2]uint32 // the owner and group of the file that the caller makes
		inClub   bool
	}{
		"all mapped":            {1001, 1001, []uint32{1002}, [2]uint32{1001, 1001}, true},
		"a group is not":        {1001, 1001, []uint32{5000, 1002, 6000}, [2]uint32{1001, 1001}, true},
		"no group is":           {1001, 1001, []uint32{5000}, [2]uint32{1001, 1001}, false},
		"the user is not":       {5000, 1001, []uint32{1002}, [2]uint32{65534, 1001}, true},
		"the first group isn't": {1001, 5000, nil, [2]uint32{1001, 65534}, false},
		"nothing is":            {4294967294, 5000, []uint32{6000}, [2]uint32{65534, 65534}, false},
	} {
		as := c.As(tt.uid, tt.gid, tt.groups...)
		a := getattr(t, as, create(t, as, root, name, 0o600))
		assert.Equal(t, tt.owner, [2]uint32{uint32(a.Uid), uint32(a.Gid)}, name)
		st := as.Mkdir(club, name, nfstest.Mode(0o700)).Status
		assert.Equal(t, tt.inClub, st == nfs3.NFS3_OK, "%s: %v", name, st)
	}

	// Owners: an owner who is not mapped is invalid, as in chown(2).
	f := create(t, c, root, "given", 0o600)
	ok(t, c.Setattr(f, nfstest.Owner(1500, 1501), nil).Status)
	assert.EqualValues(t, 1500, getattr(t, c, f).Uid)
	assert.Equal(t, nfs3.NFS3ERR_INVAL, c.Setattr(f, nfstest.Owner(5000, 1501), nil).Status)
	assert.Equal(
		t,
		nfs3.NFS3ERR_INVAL,
		c.Create(root, "foreign", nfs3.GUARDED, nfstest.Owner(5000, 1501)).Status,
	)
	assert.Equal(
		t,
		nfs3.NFS3ERR_NOENT,
		c.Lookup(root, "foreign").Status,
		"a call that fails has made nothing",
	)

	p.end()
	assert.Equal(t, 1, strings.Count(p.log.String(), "is not mapped"), "it is logged once: %s", p.log)
}

// TestAnOwnerWhoIsNotMappedIsNobody tests objects whose owner is not mapped. The kernel shows them
// as the overflow user's, but they are not that user's.
func TestAnOwnerWhoIsNotMappedIsNobody(t *testing.T) {
	t.Parallel()
	needRing(t)
	dir := exportDir(t)
	p := inNamespace(t, dir, 65534)
	require.Empty(t, p.refused)
	name := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o640))
	require.NoError(t, os.Chown(name, 5000, 0)) // root's group may read it, and so may the server
	c := nfstest.Dial(t, p.addr)
	root := mnt(t, c, dir)
	f := lookup(t, c, root, "secret")
	assert.EqualValues(t, 65534, getattr(t, c, f).Uid)
	ok(t, c.Read(f, 0, 1).Status) // as root, of group 0
	assert.Equal(t, nfs3.NFS3ERR_ACCES, c.As(65534, 65534).Read(f, 0, 1).Status)
	assert.Equal(t, nfs3.NFS3ERR_ACCES, c.As(5000, 5000).Read(f, 0, 1).Status)
}

// TestTheAnonymousUserMustBeMapped tests that the server does not start if it could not act for the
// user that anonymous callers become.
func TestTheAnonymousUserMustBeMapped(t *testing.T) {
	t.Parallel()
	needRing(t)
	p := inNamespace(t, exportDir(t))
	assert.Contains(t, p.refused, "65534")
	assert.Contains(t, p.refused, "--anonuid")
	assert.Contains(t, p.refused, "0-1999")
}

// sharedSelf returns a copy of this program in a place where other users can start it.
func sharedSelf(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	name := filepath.Join(exportDir(t), "nfs.test")
	// If this process copied the program, the copy would be open for writing in programs that
	// other tests start meanwhile.
	out, err := exec.Command("install", "-m", "755", self, name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// dialAs connects by a socket that belongs to user uid.
func dialAs(t *testing.T, addr string, uid int) *nfstest.Client {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, err := unix.SetfsuidRetUid(uid)
	require.NoError(t, err)
	c, err := nfstest.TryDial(t, "", addr)
	_, back := unix.SetfsuidRetUid(0)
	require.NoError(t, back)
	require.NoError(t, err)
	return c
}

// TestAnOrdinaryUsersNamespace tests root of a namespace that an ordinary user has made, without
// other users and without setgroups. The server serves as that user.
func TestAnOrdinaryUsersNamespace(t *testing.T) {
	t.Parallel()
	needRing(t)
	needRoot(t) // to become another user
	as := []string{"setpriv", "--reuid", "1001", "--regid", "1001", "--clear-groups", "--bounding-set=-all"}
	if out, err := exec.Command(as[0], append(as[1:], "unshare", "--user", "--map-root-user", "true")...).CombinedOutput(); err != nil {
		t.Skipf("needs user namespaces for ordinary users: %s", out)
	}
	dir := exportDir(t)
	cmd := exec.Command(as[0], append(as[1:], "unshare", "--user", "--map-root-user", sharedSelf(t))...)
	p := startApart(t, cmd, dir, stateDir(t, 1001), "GODEBUG=")
	require.Empty(t, p.refused)
	assert.Contains(t, p.notes, "without other users")
	c := dialAs(t, p.addr, 1001).As(1001, 1001, 1002)
	root := mnt(t, c, dir)
	f := put(t, c, root, "f", []byte("text"))
	r := c.Read(f, 0, 4)
	ok(t, r.Status)
	assert.Equal(t, "text", string(r.Resok.Data))
	st, err := os.Stat(filepath.Join(dir, "f"))
	require.NoError(t, err)
	assert.EqualValues(t, 1001, st.Sys().(*syscall.Stat_t).Uid)
	// An object that is not that user's is not the server's.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "roots"), []byte("x"), 0o600))
	assert.Equal(t, nfs3.NFS3ERR_ACCES, c.Read(lookup(t, c, root, "roots"), 0, 1).Status)
}
