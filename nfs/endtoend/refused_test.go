package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/syscalls"
)

// TestEachSystemCallRefused refuses the server one system call after the other, once as a filter
// does and once as an old kernel does. The server must either say so at the start, with the name of
// the call and what to do, or serve as always.
func TestEachSystemCallRefused(t *testing.T) {
	t.Parallel()
	again.Skip(t)
	needRing(t)
	for i := range syscalls.Calls {
		c := &syscalls.Calls[i]
		if c.Need == syscalls.Runtime {
			continue
		}
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
			t.Run(c.Name+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				t.Parallel()
				twoAtOnce(t)
				p := serveApart(
					t,
					exportDir(t),
					refuseEnv+strconv.Itoa(int(c.Nr))+","+strconv.Itoa(int(errno)),
				)
				switch {
				case p.refused == "":
					assert.NotEqual(t, syscalls.Must, c.Need, "it is needed, and its refusal was not noticed")
					p.converse(t)
				case c.Need == syscalls.May:
					t.Fatal("it could do without: " + p.refused)
				default:
					assert.Contains(t, p.refused, c.Name)
					assert.Regexp(t, "allow|give the process|run Linux", p.refused, "no remedy")
				}
			})
		}
	}
}

// TestSystemdsRestrictions tests that the server works behind the filter that systemd makes for
// RestrictSUIDSGID=. That filter refuses openat2 altogether.
func TestSystemdsRestrictions(t *testing.T) {
	t.Parallel()
	needRing(t)
	p := serveApart(
		t,
		exportDir(t),
		refuseEnv+fmt.Sprintf("%d,%d,%d", unix.SYS_OPENAT2, unix.SYS_FCHMODAT2, unix.ENOSYS),
	)
	require.Empty(t, p.refused)
	assert.Contains(t, p.notes, "openat2")
	p.converse(t)
}

// TestWhyHandlesAreNotOpenedIsTold tests that the server does not take a filter for the lack of a
// capability, nor the lack of a capability for a filter.
func TestWhyHandlesAreNotOpenedIsTold(t *testing.T) {
	t.Parallel()
	needRing(t)
	needRoot(t)
	const call, filter = "open_by_handle_at is refused", "SystemCallFilter="
	const capability = "no CAP_DAC_READ_SEARCH"
	refuse := func(e unix.Errno) string {
		return refuseEnv + fmt.Sprintf("%d,%d", unix.SYS_OPEN_BY_HANDLE_AT, e)
	}
	without := []string{"setpriv", "--bounding-set=-dac_read_search"}
	p := serveApart(t, exportDir(t), "GODEBUG=")
	require.Empty(t, p.refused)
	if strings.Contains(p.notes, capability) {
		t.Skip("the tests have no CAP_DAC_READ_SEARCH themselves")
	}
	require.NotContains(t, p.notes, call)
	for _, tt := range []struct {
		name, env     string
		wrap          []string
		says, saysNot []string
	}{
		{"a filter", refuse(unix.EPERM), nil, []string{call, filter}, []string{capability}},
		{"a filter that hides the call", refuse(unix.ENOSYS), nil, []string{call}, []string{capability}},
		{"no capability", "GODEBUG=", without, []string{capability}, []string{call}},
		{"neither", refuse(unix.EPERM), without, []string{capability}, []string{call}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			twoAtOnce(t)
			p := serveApart(t, exportDir(t), tt.env, tt.wrap...)
			require.Empty(t, p.refused)
			for _, word := range tt.says {
				assert.Contains(t, p.notes, word)
			}
			for _, word := range tt.saysNot {
				assert.NotContains(t, p.notes, word)
			}
		})
	}
}

// TestSystemsThatLackWhatOthersHave tests that the server either serves as always or says what is
// missing and what to do.
func TestSystemsThatLackWhatOthersHave(t *testing.T) {
	t.Parallel()
	needRing(t)
	for _, tt := range []struct {
		name, shell string
		refused     []string // nil: it serves
	}{
		{"no /proc", `umount -l /proc && exec "$0"`, []string{"/proc is not mounted", "mount -t proc"}},
		{"a /proc with processes only", `umount -l /proc && mount -t proc -o subset=pid,hidepid=2 proc /proc && exec "$0"`, nil},
		{"no /sys", `mount -t tmpfs none /sys && exec "$0"`, nil},
		{"no locked memory, as a user", `exec prlimit --memlock=0 setpriv --reuid 1001 --regid 1001 --clear-groups --bounding-set=-all "$0"`, []string{"RLIMIT_MEMLOCK"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			needRoot(t)
			twoAtOnce(t)
			p := serveApart(t, exportDir(t), "GODEBUG=", "unshare", "--mount", "sh", "-c", tt.shell)
			if tt.refused == nil {
				require.Empty(t, p.refused)
				p.converse(t)
				return
			}
			for _, word := range tt.refused {
				assert.Contains(t, p.refused, word)
			}
		})
	}
}

var atOnce = make(chan struct{}, 2)

// twoAtOnce waits until fewer than two tests that called it run.
func twoAtOnce(t *testing.T) {
	atOnce <- struct{}{}
	t.Cleanup(func() { <-atOnce })
}

const (
	apartEnv  = "RINGNFS_SERVE_APART=" // what to serve, as in PATH; makes the test program a server
	refuseEnv = "RINGNFS_REFUSE="      // numbers of system calls and, last, an errno
	stateEnv  = "RINGNFS_STATE="       // the state directory
	readyWord = "ready "               // and the port
	failWord  = "refused: "            // and the error of nfs.New or Serve
	notesWord = "note: "
)

// apart is a server in a process of its own.
type apart struct {
	dir     string // the first, if there are several
	addr    string
	refused string // why it did not start
	notes   string
	log     *bytes.Buffer // read it only after the server has ended
	end     func()
}

// serveApart starts this program as a server of dir until the test ends. If wrap is not empty, it
// is the command that starts the program.
func serveApart(t *testing.T, dir string, env string, wrap ...string) *apart {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if len(wrap) > 0 {
		self = sharedSelf(t) // it may run as another user
	}
	argv := append(append([]string{}, wrap...), self)
	return startApart(t, exec.Command(argv[0], argv[1:]...), dir, stateDir(t, 0), env)
}

// stateDir makes a directory that only its owner can use, in one that all can reach.
func stateDir(t *testing.T, owner int) string {
	t.Helper()
	dir := filepath.Join(exportDir(t), "state")
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Mkdir(dir, 0o700))
	if owner != 0 {
		require.NoError(t, os.Chown(dir, owner, owner))
	}
	return dir
}

// startApart is serveApart with a command that runs this program, and with more directories if
// there are any.
func startApart(t *testing.T, cmd *exec.Cmd, dir, state, env string, more ...string) *apart {
	t.Helper()
	dirs := append([]string{dir}, more...)
	cmd.Env = append(
		os.Environ(),
		apartEnv+strings.Join(dirs, string(os.PathListSeparator)),
		stateEnv+state,
		env,
	)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &apart{dir: dir, log: &stderr}
	in := bufio.NewScanner(stdout)
	for p.addr == "" && p.refused == "" && in.Scan() {
		line := in.Text()
		if port, ok := strings.CutPrefix(line, readyWord); ok {
			p.addr = net.JoinHostPort("127.0.0.1", port)
		}
		if note, ok := strings.CutPrefix(line, notesWord); ok {
			p.notes += note + "\n"
		}
		if why, ok := strings.CutPrefix(line, failWord); ok {
			p.refused = why
		}
	}
	p.end = sync.OnceFunc(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait(), "%s", &stderr)
	})
	t.Cleanup(p.end)
	require.True(t, p.addr != "" || p.refused != "", "it said nothing: %s", &stderr)
	return p
}

// serverApart is the server that serveApart starts. It serves until its standard input ends.
func serverApart(dirs string) {
	fail := func(err error) {
		fmt.Println(failWord + strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(0)
	}
	if list := os.Getenv(strings.TrimSuffix(refuseEnv, "=")); list != "" {
		if err := refuse(strings.Split(list, ",")); err != nil {
			panic(err)
		}
	}
	var exports []nfs.Export
	for _, dir := range filepath.SplitList(dirs) {
		exports = append(exports, nfs.Export{Dir: dir, Squash: export.SquashNone})
	}
	s, err := nfs.New(nfs.Config{
		Exports:  exports,
		Listen:   []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap:  nfs.PortmapOff,
		Lanes:    1,
		Workers:  4,
		Memory:   40 << 20,
		StateDir: os.Getenv(strings.TrimSuffix(stateEnv, "=")),
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fail(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	select {
	case <-s.Ready():
	case err := <-served:
		fail(err)
	}
	for _, n := range s.Info().Notes {
		fmt.Println(notesWord + n)
	}
	fmt.Println(readyWord + strconv.Itoa(s.Info().Port))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Drain(context.Background()); err != nil {
		panic(err)
	}
	if err := <-served; err != nil {
		panic(err)
	}
	os.Exit(0)
}

// refuse makes the kernel refuse system calls to this process. words are the numbers, and last the
// errno.
func refuse(list []string) error {
	var n []uint32
	for _, s := range list {
		i, err := strconv.Atoi(s)
		if err != nil {
			return err
		}
		n = append(n, uint32(i))
	}
	errno, n := n[len(n)-1], n[:len(n)-1]
	code := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	for i, nr := range n {
		code = append(
			code,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(n) - i), K: nr},
		)
	}
	const allow, withErrno = 0x7fff0000, 0x00050000 // SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
	code = append(code, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: allow},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: withErrno | errno})
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const setModeFilter, tsync = 1, 1
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, setModeFilter, tsync, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return e
	}
	return nil
}

// converse makes some calls to the server, as an ordinary user if the server can act for others.
// Then it checks the results in the directory from outside.
func (p *apart) converse(t *testing.T) {
	t.Helper()
	c := nfstest.Dial(t, p.addr)
	root := mnt(t, c, p.dir)
	if os.Geteuid() == 0 {
		c = c.As(1001, 1001, 1002)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	f := create(t, c, root, "f", 0o600)
	w := c.Write(f, 0, data, nfs3.UNSTABLE)
	ok(t, w.Status)
	require.EqualValues(t, len(data), w.Resok.Count)
	ok(t, c.Commit(f, 0, 0).Status)
	ok(t, c.Write(f, uint64(len(data)), []byte("end"), nfs3.FILE_SYNC).Status)
	for range 2 { // by a worker, and perhaps by a lane
		r := c.Read(f, 0, uint32(len(data)))
		ok(t, r.Status)
		require.True(t, bytes.Equal(data, r.Resok.Data))
		require.Equal(t, f, lookup(t, c, root, "f"))
	}
	ok(t, c.Setattr(f, nfstest.Mode(0o640), nil).Status)
	require.EqualValues(t, 0o640, getattr(t, c, f).Mode&0o7777)
	ok(t, c.Setattr(f, nfstest.Size(100), nil).Status)
	d := mkdir(t, c, root, "d", 0o777) // the mode that was asked for, whatever the umask
	require.EqualValues(t, 0o777, getattr(t, c, d).Mode&0o7777)
	ok(t, c.Symlink(root, "l", "to/there").Status)
	link := c.Readlink(lookup(t, c, root, "l"))
	ok(t, link.Status)
	require.Equal(t, "to/there", string(link.Resok.Data))
	ok(t, c.Mknod(root, "p", nfs3.NF3FIFO, 0, 0, nfstest.Mode(0o600)).Status)
	ok(t, c.Link(f, d, "g").Status)
	require.EqualValues(t, 2, getattr(t, c, f).Nlink)
	var names []string
	for _, e := range c.List(root, true, 4096, nil) {
		names = append(names, string(e.Name))
	}
	require.Subset(t, names, []string{"d", "f", "l", "p"})
	ok(t, c.Rename(root, "f", d, "h").Status)
	require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(root, "f").Status)
	require.Equal(t, f, lookup(t, c, d, "h"))
	up := c.Lookup(d, "..")
	ok(t, up.Status)
	require.Equal(t, root, up.Resok.Object)
	ok(t, c.Remove(d, "h").Status)
	ok(t, c.Remove(d, "g").Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(f).Status)
	ok(t, c.Rmdir(root, "d").Status)
	ok(t, c.Remove(root, "p").Status)
	ok(t, c.Remove(root, "l").Status)
	ok(t, c.Fsstat(root).Status)
	left, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
