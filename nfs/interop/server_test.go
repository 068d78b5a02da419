//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is ringnfs on loopback, or in a network namespace, serving a directory
// of its own.
type server struct {
	dir    string
	port   string
	mount  string // port of MOUNT
	banner string
	pid    int

	cmd    *exec.Cmd
	ended  chan struct{}
	mu     sync.Mutex
	stderr bytes.Buffer // guarded by mu
}

// Write takes the server's log.
func (s *server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.Write(b)
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

var mountLine = regexp.MustCompile(`mount -t nfs -o \S*port=(\d+),mountport=(\d+),\S* \S+ /mnt`)

// serve starts `ringnfs serve FLAGS DIR` and waits for its banner. When the test ends the server
// must drain and exit with 0.
func serve(t *testing.T, prefix []string, flags ...string) *server {
	t.Helper()
	return serveDir(t, prefix, shared(t, 0), t.TempDir(), flags...)
}

// serveDir is serve with a directory and a state directory that the test made.
func serveDir(t *testing.T, prefix []string, dir, state string, flags ...string) *server {
	t.Helper()
	s := &server{dir: dir, ended: make(chan struct{})}
	args := append(append([]string{}, prefix...), program, "serve", "--state-dir", state)
	args = append(append(args, flags...), s.dir)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stderr = s
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	complete := make(chan string, 1)
	go func() {
		defer close(s.ended)
		var banner strings.Builder
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			banner.WriteString(lines.Text() + "\n")
			if mountLine.MatchString(lines.Text()) { // there is one export
				complete <- banner.String()
			}
		}
		_ = s.cmd.Wait() // stop looks at ProcessState
	}()
	t.Cleanup(func() { s.stop(t) })
	select {
	case s.banner = <-complete:
	case <-s.ended:
		t.Fatalf("ringnfs ended: %s", s.log())
	case <-time.After(time.Minute):
		t.Fatalf("ringnfs does not say that it serves: %s", s.log())
	}
	ports := mountLine.FindStringSubmatch(s.banner)
	require.NotNil(t, ports, s.banner)
	s.port, s.mount, s.pid = ports[1], ports[2], s.cmd.Process.Pid
	return s
}

// stop drains the server.
func (s *server) stop(t *testing.T) {
	select {
	case <-s.ended:
		t.Errorf("the server ended by itself: %v\n%s", s.cmd.ProcessState, s.log())
		return
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-s.ended:
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the server drained with exit code %d\n%s", code, s.log())
		}
	case <-time.After(time.Minute):
		t.Errorf("the server does not drain\n%s", s.log())
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	if t.Failed() {
		t.Logf("server:\n%s", s.log())
	}
}

// shared makes a directory that every user can reach, which t.TempDir does not.
func shared(t *testing.T, owner int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ringnfs-shared-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	if owner != 0 {
		require.NoError(t, os.Chown(dir, owner, owner))
	}
	return dir
}

// anyPort are the flags of a server on loopback that is in nobody's way.
var anyPort = []string{"--listen", "127.0.0.1", "--port", "0", "--portmap", "off", "--squash", "none"}

// command runs a program that must succeed, within two minutes, and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// randomFile makes a file of n bytes that no compression or hole can make shorter.
func randomFile(t *testing.T, name string, n int64) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("%s: %d bytes from seed %d", filepath.Base(name), n, seed)
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.CopyN(f, rand.NewChaCha8(key), n)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func sum(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	h := md5.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}
