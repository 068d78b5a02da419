package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring"
)

// TestMain turns this binary into ringnfs itself when a test starts it as that.
func TestMain(m *testing.M) {
	if os.Getenv("RINGNFS_TEST_AS_PROGRAM") == "1" {
		main()
		return
	}
	// If the tests themselves run under nohup, the programs that they start must still get
	// signals. A signal with a handler here has the default action there.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	os.Exit(m.Run())
}

func needRing(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // the ring is this thread's
	defer runtime.UnlockOSThread()
	r, err := uring.New(uring.Config{})
	if err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	require.NoError(t, r.Close())
}

// process is a running ringnfs.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}

	mu     sync.Mutex
	banner []string // guarded by mu
}

// command returns ringnfs with a state directory of its own and these arguments.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(exe, args...)
	c.Env = append(os.Environ(), "RINGNFS_TEST_AS_PROGRAM=1", "XDG_STATE_HOME="+t.TempDir())
	return c
}

// serve starts ringnfs and waits for the whole banner.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	return serveBy(t, func(*exec.Cmd) {}, append([]string{"--state-dir", t.TempDir()}, args...)...)
}

// serveBy is serve with a process that prepare changes before it is started.
func serveBy(t *testing.T, prepare func(*exec.Cmd), args ...string) *process {
	t.Helper()
	needRing(t)
	p := &process{ended: make(chan struct{})}
	p.cmd = command(t, append([]string{"serve"}, args...)...)
	p.cmd.Stderr = &p.stderr
	prepare(p.cmd)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error says that it has ended
		<-p.ended
	})
	complete := make(chan struct{})
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for macOS, seen := false, false; lines.Scan(); {
			p.say(lines.Text())
			macOS = macOS || strings.HasPrefix(lines.Text(), "mount on macOS")
			if last := macOS && strings.Contains(lines.Text(), "mount_nfs"); last && !seen {
				seen = true
				close(complete)
			}
		}
		_ = p.cmd.Wait() // the tests look at ProcessState
	}()
	select {
	case <-complete:
	case <-p.ended:
		t.Fatalf("ringnfs ended: %s", p.stderr.String())
	}
	return p
}

// refused runs a server that does not start, and returns what it says about that.
func refused(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // it serves, so the test fails
	err := cmd.Run()
	timer.Stop()
	require.Error(t, err)
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Empty(t, stdout.String(), "nothing was started")
	return stderr.String()
}

func (p *process) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.banner = append(p.banner, line)
}

// said returns what the process has printed so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.banner, "\n")
}

func (p *process) end(t *testing.T, signals ...os.Signal) int {
	t.Helper()
	for _, s := range signals {
		require.NoError(t, p.cmd.Process.Signal(s))
	}
	hung := time.AfterFunc(2*time.Minute, func() { _ = p.cmd.Process.Kill() })
	<-p.ended
	if !hung.Stop() {
		t.Errorf("the server did not end within two minutes of %v:\n%s", signals, p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

var portInBanner = regexp.MustCompile(`port=(\d+),mountport=(\d+)`)

func (p *process) port(t *testing.T) string {
	t.Helper()
	m := portInBanner.FindStringSubmatch(p.said())
	require.NotNil(t, m, "no mount line")
	return m[1]
}

// answers makes a call on a connection and returns the connection.
func (p *process) answers(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+p.port(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	// NULL of NFS version 3, as one record (RFC 5531, sections 9 and 11).
	call := []byte{
		0x80,
		0,
		0,
		40,
		0,
		0,
		0,
		7,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		2,
		0,
		1,
		0x86,
		0xa3,
		0,
		0,
		0,
		3,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
	}
	_, err = c.Write(call)
	require.NoError(t, err)
	reply := make([]byte, 28)
	_, err = c.Read(reply)
	require.NoError(t, err)
	assert.Equal(
		t,
		[]byte{0x80, 0, 0, 24, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		reply,
	)
	return c
}

func TestServeAnswersUntilASignalDrainsIt(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			p := serve(t, "--port", "0", "--portmap", "off", t.TempDir())
			c := p.answers(t)
			assert.Zero(t, p.end(t, sig), p.stderr.String())
			n, err := c.Read(make([]byte, 1))
			assert.Zero(t, n)
			assert.Error(t, err, "the connection is closed")
			assert.Contains(t, p.stderr.String(), "drained")
		})
	}
}

func TestSIGUSR1TellsWhatTheLanesHaveDone(t *testing.T) {
	p := serve(t, "--port", "0", "--portmap", "off", "--lanes", "2", t.TempDir())
	require.NoError(t, p.answers(t).Close())
	assert.Zero(t, p.end(t, syscall.SIGUSR1, syscall.SIGTERM), p.stderr.String())
	assert.Regexp(
		t,
		`(?s)level=INFO msg=lane lane=0 connections=[01] plain=1 .*level=INFO msg=lane lane=1 `,
		p.stderr.String(),
	)
	assert.Contains(t, p.stderr.String(), "drained", "it goes on serving")
}

func TestACPUProfileIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpu")
	p := serve(t, "--cpu-profile", file, "--port", "0", "--portmap", "off", t.TempDir())
	require.NoError(t, p.answers(t).Close())
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(b, []byte{0x1f, 0x8b}), "a profile is compressed by gzip")
}

func TestBannerNamesWhatIsServed(t *testing.T) {
	dir := t.TempDir()
	p := serve(
		t,
		"--port",
		"0",
		"--portmap",
		"off",
		"--ro",
		"--squash",
		"all",
		"--anonuid",
		"1000",
		"--anongid",
		"100",
		dir,
	)
	text := p.said()
	assert.Regexp(t, `^ringnfs \d+\.\d+\.\d+\S* \(go`, text)
	var name syscall.Utsname
	require.NoError(t, syscall.Uname(&name))
	assert.Contains(t, text, "kernel ")
	who, whom := "everyone is 1000:100", "this machine"
	if uid := os.Geteuid(); uid != 0 {
		who, whom = fmt.Sprintf(
			"everyone acts as user %d",
			uid,
		), fmt.Sprintf(
			"root and user %d of this machine",
			uid,
		)
	}
	assert.Contains(t, text, "export "+dir+": read-only, "+who+", for "+whom)
	assert.Contains(t, text, "NFS and MOUNT on port "+p.port(t))
	assert.Contains(t, text, "mount -t nfs -o port="+p.port(t)+" 127.0.0.1:/ /mnt")
	assert.Contains(
		t,
		text,
		fmt.Sprintf(
			"mount -t nfs -o vers=3,nolock,proto=tcp,port=%[1]s,mountport=%[1]s,mountproto=tcp 127.0.0.1:%[2]s /mnt",
			p.port(t),
			dir,
		),
	)
}

func TestAFeatureThatIsSwitchedOffIsNamed(t *testing.T) {
	p := serve(t, "--port", "0", "--portmap", "off", "--without", "SEND_ZC", t.TempDir())
	assert.Regexp(t, `(?m)^  without SEND_ZC: \S`, p.said())
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
}

func TestAPortOfItsOwnForMount(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, mount, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	p := serve(
		t,
		"--listen",
		"127.0.0.1",
		"--port",
		"0",
		"--mount-port",
		mount,
		"--portmap",
		"off",
		t.TempDir(),
	)
	assert.NotEqual(t, mount, p.port(t))
	assert.Contains(t, p.said(), "mountport="+mount+",")
}

func TestWhatCannotBeServedIsOneLineAndExitCode1(t *testing.T) {
	needRing(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, taken, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no such directory", []string{filepath.Join(dir, "none")}, filepath.Join(dir, "none")},
		{"not a directory", []string{file}, file},
		{"twice the same", []string{dir, dir}, "twice"},
		{"without handles", []string{"/proc"}, "/proc"},
		{"port taken", []string{"--listen", "127.0.0.1", "--port", taken, dir}, taken},
		{"address of another machine", []string{"--listen", "192.0.2.1", dir}, "192.0.2.1"},
		{"too little memory", []string{"--memory", "1K", dir}, "memory"},
		{"more memory than there is", []string{"--memory", "1024T", dir}, "memory"},
		{"state in a file", []string{"--state-dir", file, dir}, file},
		{"profile where there is no directory", []string{"--cpu-profile",
			filepath.Join(dir, "none", "cpu"), dir}, "CPU profile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(
				t,
				append([]string{"serve", "--portmap", "off", "--state-dir", t.TempDir()}, c.args...)...)
			says := refused(t, cmd)
			assert.Contains(t, says, c.says)
			assert.True(t, strings.HasPrefix(says, "ringnfs: "), says)
			assert.Equal(t, 1, strings.Count(says, "\n"), says)
		})
	}
}

func TestAPortThatIsOnlyPreferredIsReplaced(t *testing.T) {
	preferred := "12049"
	if os.Geteuid() == 0 {
		preferred = "2049"
	}
	// This test, or an NFS server of this machine, has taken the port.
	if l, err := net.Listen("tcp", "127.0.0.1:"+preferred); err == nil {
		defer l.Close()
	}
	p := serve(t, "--listen", "127.0.0.1", "--portmap", "off", t.TempDir())
	assert.NotEqual(t, preferred, p.port(t))
	assert.Contains(t, p.said(), "port "+preferred+" is taken")
}

func TestHandlesAndPortsSurviveARestart(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	first := serve(t, "--port", "0", "--portmap", "off", "--state-dir", state, dir)
	port := first.port(t)
	before, err := os.ReadDir(state)
	require.NoError(t, err)
	require.NotEmpty(t, before)
	require.NoError(t, first.cmd.Process.Kill())
	<-first.ended
	second := serve(t, "--port", port, "--portmap", "off", "--state-dir", state, dir)
	assert.Equal(t, port, second.port(t))
	assert.Zero(t, second.end(t, syscall.SIGTERM), second.stderr.String())
	after, err := os.ReadDir(state)
	require.NoError(t, err)
	assert.Len(t, after, len(before))
}

func TestListeningOnAllOfIPv6IsListeningOnAllOfIPv4Too(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("needs IPv6: %v", err)
	}
	require.NoError(t, l.Close())
	p := serve(
		t,
		"--listen",
		"::",
		"--allow",
		"127.0.0.1,::1",
		"--port",
		"0",
		"--portmap",
		"off",
		t.TempDir(),
	)
	assert.Contains(t, p.said(), "listening on ::, 0.0.0.0: ")
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, p.port(t)))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
	only := serve(
		t,
		"--listen",
		"::,127.0.0.1",
		"--allow",
		"127.0.0.1,::1",
		"--port",
		"0",
		"--portmap",
		"off",
		t.TempDir(),
	)
	assert.Contains(
		t,
		only.said(),
		"listening on ::, 127.0.0.1: ",
		"an address of IPv4 that is named is the only one",
	)
	assert.Zero(t, only.end(t, syscall.SIGTERM), only.stderr.String())
}

// TestASignalEndsABenchAndNothingStaysInTheExport: this holds also while the bench fills its data
// files, which takes longest, and for every signal.
func TestASignalEndsABenchAndNothingStaysInTheExport(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, "--port", "0", "--portmap", "off", "--squash", "none", dir)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			cmd := command(
				t,
				"bench",
				"-w",
				"read-1m",
				"--seconds",
				"100000",
				"--file-size",
				"512M",
				"127.0.0.1:"+p.port(t)+":"+dir,
			)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() }) // an error says that it has ended
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for files := []string(nil); len(files) == 0; time.Sleep(time.Millisecond) {
				select {
				case err := <-ended:
					t.Fatalf("it has ended: %v: %s", err, stderr.String())
				default:
				}
				files, _ = filepath.Glob(filepath.Join(dir, ".ringnfs-bench-*", "data-*"))
			}
			require.NoError(t, cmd.Process.Signal(s))
			require.Error(t, <-ended)
			require.Equal(t, 1, cmd.ProcessState.ExitCode(), stderr.String())
			require.Contains(t, stderr.String(), "ended by a signal ("+s.String()+")")
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestNohupKeepsABenchFromTheHangup(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, "--port", "0", "--portmap", "off", "--squash", "none", dir)
	cmd := command(t, "bench", "-w", "null", "--seconds", "100000", "127.0.0.1:"+p.port(t)+":"+dir)
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	var err error
	cmd.Path, err = exec.LookPath("sh")
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // an error says that it has ended
	require.True(t, bufio.NewScanner(out).Scan(), "it says what it measures: %s", &stderr)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, cmd.Wait())
	assert.Contains(t, stderr.String(), "ended by a signal ("+syscall.SIGTERM.String()+")")
}
