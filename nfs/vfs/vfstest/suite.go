package vfstest

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Env is one fresh, empty file system and what the suite may expect of it. Its maker also closes
// the FS, by t.Cleanup, which runs after all Views are closed.
type Env struct {
	FS vfs.FS
	// UID, GID and Groups are the suite's own identity, for tests in which identity does not
	// matter: that of the root directory's owner. The zero value is the superuser.
	UID, GID uint32
	Groups   []uint32
	// HasPermissions: the FS can act as any user, and UID is the superuser.
	HasPermissions bool
	// HasDevices: the suite's user can make devices.
	HasDevices bool
	// Unprivileged: the FS has an ordinary user's rights. Writing and truncating remove set-id
	// bits, and a mode that forbids an operation stops the owner, too.
	Unprivileged bool
	// SymlinkMax is the longest target of a symbolic link in bytes. 0 means what the interface
	// allows, or one or two bytes less.
	SymlinkMax int
	// DeviceMajorMax and DeviceMinorMax are the largest device numbers. 0 means Linux's own: 12
	// and 20 bits.
	DeviceMajorMax, DeviceMinorMax uint32
	// RealDisk: changes cost disc writes, so random tests do fewer.
	RealDisk bool
	// Reopen closes the FS and opens it again, as a restart of the server does. All Views have
	// been closed before. nil means that it is not possible. The suite no longer uses the
	// former FS, and the maker's Cleanup closes the new one.
	Reopen func() vfs.FS
	// Fill makes empty files with these names in the root directory without the FS. If it is
	// nil, the suite makes them one by one through a View.
	Fill func(names []string)
}

// T is one running test: the test, its Env, and a View on the test's thread.
type T struct {
	*testing.T
	Env *Env
	// V is the View under test, and C the suite's own credential for it.
	V vfs.View
	C *vfs.Cred
	// Worker is a View that may wait, for tests in which lane or worker does not matter.
	Worker vfs.View
	// Root is the root directory.
	Root vfs.Handle

	thread *vfs.Thread
	lane   *lane // nil in worker mode
}

// testCase tests one behaviour.
type testCase struct {
	name string
	run  func(*T)
}

// groups are all tests, by subject.
var groups = []struct {
	name  string
	cases []testCase
}{
	{"objects", objectTests},
	{"handles", handleTests},
	{"holds", holdTests},
	{"locks", lockTests},
	{"files", fileTests},
	{"create", createTests},
	{"names", nameTests},
	{"rename", renameTests},
	{"readdir", readDirTests},
	{"permissions", permissionTests},
	{"ranges", rangeTests},
	{"copy", copyTests},
	{"xattrs", xattrTests},
	{"debts", debtTests},
	{"walk", walkTests},
	{"threads", threadTests},
	{"restart", restartTests},
	{"model", modelTests},
}

// Run runs the whole suite. It calls fresh for each test, on the test's goroutine; fresh makes the
// file system for that test alone.
func Run(t *testing.T, fresh func(t *testing.T) *Env) {
	for _, way := range []string{"worker", "lane"} {
		t.Run(way, func(t *testing.T) {
			for _, g := range groups {
				t.Run(g.name, func(t *testing.T) {
					for _, c := range g.cases {
						t.Run(c.name, func(t *testing.T) {
							c.run(start(t, fresh(t), way == "lane"))
						})
					}
				})
			}
		})
	}
}

// start makes the Views for one test. The goroutine stays locked to its thread to its end, so the
// thread ends with it, whatever a back end did to the thread.
func start(t *testing.T, env *Env, viaLane bool) *T {
	runtime.LockOSThread()
	s := &T{T: t, Env: env, thread: &vfs.Thread{MayWait: true}}
	s.C = s.cred(env.UID, env.GID, env.Groups...)
	s.open(env.FS, viaLane)
	t.Cleanup(func() { s.close() })
	return s
}

// open makes the Views of fs.
func (t *T) open(fs vfs.FS, viaLane bool) {
	var err error
	t.Worker, err = fs.View(t.thread)
	require.NoError(t, err)
	t.V, t.Root = t.Worker, fs.Root()
	if viaLane {
		t.lane = startLane(t.T, fs)
		t.V = &laneFirst{t: t, lane: t.lane, worker: t.Worker}
	}
}

// close closes the Views. It may be called again.
func (t *T) close() {
	if t.lane != nil {
		t.lane.stop()
		t.lane = nil
	}
	if t.Worker != nil {
		t.Worker.Close()
		t.Worker = nil
	}
}

// cred returns a credential for t.V.
func (t *T) cred(uid, gid uint32, groups ...uint32) *vfs.Cred {
	return t.thread.Creds.Intern(uid, gid, groups)
}

// peer runs do on a thread of its own with a View that may wait. The channel gives do's result. do
// must return failures, because only the test's goroutine may end the test.
func (t *T) peer(do func(v vfs.View, th *vfs.Thread) error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		th := &vfs.Thread{MayWait: true}
		v, err := t.Env.FS.View(th)
		if err == nil {
			err = do(v, th)
			v.Close()
		}
		done <- err
	}()
	return done
}
