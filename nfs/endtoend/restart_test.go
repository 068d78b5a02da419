package endtoend

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// survivor is what a client keeps from before a restart.
type survivor struct {
	dir, file, link, deep fh
	verf                  nfs3.Writeverf3
	cookie                nfs3.Cookie3
	cookieVerf            nfs3.Cookieverf3
}

// settle makes the objects and writes to one of them.
func settle(t *testing.T, c *nfstest.Client, root fh) (v survivor) {
	t.Helper()
	v.dir = mkdir(t, c, root, "dir", 0o755)
	v.file = put(t, c, v.dir, "file", []byte("committed "))
	v.link = c.Symlink(v.dir, "link", "target").Resok.Obj.Handle
	v.deep = mkdir(t, c, mkdir(t, c, v.dir, "a", 0o755), "b", 0o755)
	w := c.Write(v.file, 10, []byte("unstable"), nfs3.UNSTABLE)
	ok(t, w.Status)
	v.verf = w.Resok.Verf
	ok(t, c.CreateExclusive(v.dir, "exclusive", nfs3.Createverf3{1, 2, 3, 4, 5, 6, 7, 8}).Status)
	ok(t, c.Rename(v.dir, "file", root, "moved").Status)
	p := c.Page(v.dir, false, 0, nfs3.Cookieverf3{}, 180)
	ok(t, p.Status)
	require.False(t, p.EOF)
	v.cookie, v.cookieVerf = p.Entries[0].Cookie, p.Verf
	return v
}

// check uses the handles after the restart as a client does that goes on.
func (v survivor) check(t *testing.T, c *nfstest.Client, root fh) {
	t.Helper()
	require.Equal(t, "committed unstable", string(c.Read(v.file, 0, 100).Resok.Data))
	require.Equal(t, v.file, lookup(t, c, root, "moved"))
	require.Equal(t, "target", string(c.Readlink(v.link).Resok.Data))
	create(t, c, v.deep, "new", 0o644)
	require.Equal(t, v.deep, lookup(t, c, lookup(t, c, v.dir, "a"), "b"))
	com := c.Commit(v.file, 0, 0)
	ok(t, com.Status)
	require.NotEqual(t, v.verf, com.Resok.Verf, "what was unstable is sent again")
	w := c.Write(v.file, 10, []byte("unstable"), nfs3.UNSTABLE)
	ok(t, w.Status)
	require.Equal(t, com.Resok.Verf, w.Resok.Verf)
	ok(
		t,
		c.CreateExclusive(v.dir, "exclusive", nfs3.Createverf3{1, 2, 3, 4, 5, 6, 7, 8}).Status,
		"the same CREATE",
	)
	require.Equal(
		t,
		nfs3.NFS3ERR_EXIST,
		c.CreateExclusive(v.dir, "exclusive", nfs3.Createverf3{8, 7, 6}).Status,
		"another's CREATE",
	)
	p := c.Page(v.dir, true, v.cookie, v.cookieVerf, 4096)
	ok(t, p.Status, "a directory is read on")
	require.NotEmpty(t, p.Entries)
}

func TestClientsGoOnAfterTheServerWasClosed(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	v := settle(t, c, root)
	for range 3 {
		s.kill()
		<-c.Done()
		s = s.again()
		c = s.dial()
		require.Equal(t, root, mnt(t, c, s.cfg.Exports[0].Dir))
		v.check(t, c, root)
		require.NoError(t, os.Remove(filepath.Join(s.cfg.Exports[0].Dir, "dir/a/b/new")))
	}
	s.stop()
	s.cfg.StateDir = keyDir(t)
	s = s.again()
	c = s.dial()
	for _, h := range []fh{root, v.dir, v.file, v.link, v.deep} {
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(h).Status, "another state directory")
	}
}

func TestObjectsThatWentAwayDuringARestartAreStale(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	v := settle(t, c, root)
	s.kill()
	require.NoError(t, os.Remove(filepath.Join(dir, "moved")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "moved"), []byte("another"), 0o644))
	require.NoError(t, os.Rename(filepath.Join(dir, "dir"), filepath.Join(dir, "renamed")))
	s = s.again()
	c = s.dial()
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(v.file).Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Commit(v.file, 0, 0).Status)
	require.Equal(t, v.dir, lookup(t, c, root, "renamed"))
	create(t, c, v.deep, "new", 0o644)
	up := c.Lookup(v.dir, "..")
	ok(t, up.Status)
	require.Equal(t, root, up.Resok.Object)
}

// The program itself is killed while it writes and is started again. No byte that it called stable
// is lost, and the handles still work.
func TestAServerThatIsKilledLosesNothingStable(t *testing.T) {
	needRing(t)
	noLeaks(t)
	exe := buildProgram(t)
	dir, state := exportDir(t), keyDir(t)
	addr := freeAddr(t)
	p := startProcess(t, exe, addr, state, dir)
	c := nfstest.Dial(t, addr)
	root := mnt(t, c, dir)
	v := settle(t, c, root)

	f := create(t, c, root, "stable", 0o644)
	const block = 8 << 10
	pattern := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%07d,", i)), block/8) }
	acknowledged, verf := 0, nfs3.Writeverf3{}
	var window []*nfstest.Pending
	for i := range 400 {
		// Calls after the kill may find the connection gone.
		window = append(
			window,
			c.Start(nfs3.NFSPROC3_WRITE, nfstest.WriteArgs(f, uint64(i)*block, pattern(i), nfs3.FILE_SYNC)),
		)
		if i == 200 {
			require.NoError(t, p.cmd.Process.Kill())
		}
		if i >= 16 && i < 200 {
			var res nfs3.WRITE3res
			window[acknowledged].Into(&res)
			ok(t, res.Status)
			require.EqualValues(t, block, res.Resok.Count)
			require.Equal(t, nfs3.FILE_SYNC, res.Resok.Committed)
			verf = res.Resok.Verf
			acknowledged++
		}
	}
	for _, w := range window[acknowledged:] {
		var res nfs3.WRITE3res
		if err := w.TryInto(&res); err != nil {
			require.ErrorIs(t, err, nfstest.ErrNoReply)
			break
		}
		acknowledged++
	}
	<-p.ended
	require.GreaterOrEqual(t, acknowledged, 180)
	require.Less(t, acknowledged, 400)

	startProcess(t, exe, addr, state, dir)
	c = nfstest.Dial(t, addr)
	v.check(t, c, root)
	for i := range acknowledged {
		res := c.Read(f, uint64(i)*block, block)
		ok(t, res.Status)
		require.True(t, bytes.Equal(pattern(i), res.Resok.Data), "block %d of %d", i, acknowledged)
	}
	com := c.Commit(f, 0, 0)
	ok(t, com.Status)
	require.NotEqual(t, verf, com.Resok.Verf)
}

// buildProgram builds ringnfs.
func buildProgram(t *testing.T) (exe string) {
	t.Helper()
	again.Skip(t) // the program has neither race detector nor assertions
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("needs the go command to build ringnfs: %v", err)
	}
	exe = filepath.Join(t.TempDir(), "ringnfs")
	if out, err := exec.Command(goTool, "build", "-o", exe,
		"github.com/ringnfs/ringnfs/cmd/ringnfs").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// process is a running ringnfs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startProcess starts the program and waits until it answers. The end of the test kills it.
func startProcess(t *testing.T, exe, addr, state, dir string) *process {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	var log bytes.Buffer
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(
		exe,
		"serve",
		"--listen",
		"127.0.0.1",
		"--port",
		port,
		"--portmap",
		"off",
		"--squash",
		"none",
		"--memory",
		"80M",
		"--state-dir",
		state,
		dir,
	)
	p.cmd.Stdout, p.cmd.Stderr = &log, &log
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error says that it has ended
		<-p.ended
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if answers(addr) {
			return p
		}
		select {
		case <-p.ended:
			t.Fatalf("ringnfs ended: %s", log.String())
		default:
		}
	}
	t.Fatal("ringnfs does not answer")
	return nil
}

// answers reports whether a server answers at addr. A connection alone is no answer: the socket of
// a killed server lives on, and accepts, until the kernel has taken its ring apart.
func answers(addr string) bool {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Second)) // no answer then
	if _, err := nc.Write(rpctest.NewCall(1, nfs3.NFS_PROGRAM, 3, 0, nil).Record()); err != nil {
		return false
	}
	_, err = nc.Read(make([]byte, 4))
	return err == nil
}

// freeAddr returns an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
