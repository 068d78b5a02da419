//go:build interop

package interop

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// recording is a capture of one server's traffic.
type recording struct {
	file  string
	ports []string
	stop  func(*testing.T)
}

var captured = regexp.MustCompile(`Packets received/dropped on interface '[^']*': (\d+)/(\d+)`)

// capture begins to record the server's traffic on an interface. prefix is a command that runs the
// recorder elsewhere. check ends the recording.
func capture(t *testing.T, prefix []string, iface string, s *server) *recording {
	t.Helper()
	need(t, "dumpcap", "tshark")
	r := &recording{file: filepath.Join(logDir(t), "capture.pcapng"), ports: []string{s.port}}
	if s.mount != s.port {
		r.ports = append(r.ports, s.mount)
	}
	filter := "tcp port " + strings.Join(r.ports, " or tcp port ")
	args := append(append([]string{}, prefix...), "dumpcap", "-i", iface, "-B", "256", "-f", filter, "-w", r.file)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	says, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(says); in.Scan(); {
			lines <- in.Text()
		}
	}()
	var said []string
	r.stop = func(t *testing.T) {
		r.stop = func(*testing.T) {}
		// The last packets must get through the kernel to the recorder, which looks every
		// 100 ms.
		time.Sleep(500 * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGINT)
		for line := range lines {
			said = append(said, line)
		}
		_ = cmd.Wait() // what it said is looked at
		complete(t, strings.Join(said, "\n"))
	}
	t.Cleanup(func() { r.stop(t) })
	for line := range lines {
		said = append(said, line)
		if strings.HasPrefix(line, "File: ") { // it records from now on
			return r
		}
	}
	t.Fatalf("dumpcap does not record: %s", strings.Join(said, "\n"))
	return nil
}

// complete fails the test if dumpcap says that it has lost packets, which a
// decoder could take for damaged ones.
func complete(t *testing.T, says string) {
	t.Helper()
	if counts := captured.FindStringSubmatch(says); counts == nil || counts[2] != "0" {
		t.Errorf("the recording is not complete: %s", says)
	}
}

// procedures are the names of NFS version 3 by number (RFC 1813, section 3).
var procedures = []string{"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK", "MKNOD",
	"REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT"}

// mountProcedures are those of MOUNT version 3 (RFC 1813, section 5).
var mountProcedures = []string{"MNTNULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"}

// check ends the recording and checks what an independent decoder makes of it: nothing malformed,
// an answer to every call, at least as many calls as given, of these procedures.
func (r *recording) check(t *testing.T, least int, wanted ...string) {
	t.Helper()
	if t.Failed() {
		return // the capture may be incomplete, and says nothing new
	}
	r.stop(t)
	faults, calls, replies, count := r.decode(t)
	for _, f := range faults {
		t.Error(f)
	}
	total, unanswered := 0, 0
	for xid, n := range calls {
		total += n
		if replies[xid] == 0 {
			unanswered++
		}
	}
	t.Logf("%d calls: %v", total, count)
	assert.GreaterOrEqual(t, total, least, "calls that were decoded")
	assert.Zero(t, unanswered, "calls without an answer")
	for _, name := range wanted {
		assert.NotZero(t, count[name], "calls of %s", name)
	}
}

// decode makes tshark read the recording. It returns the faults that tshark finds, the numbers of
// calls and of replies by transaction, and the number of calls by procedure, or of operations.
func (r *recording) decode(t *testing.T) (faults []string, calls, replies, count map[string]int) {
	t.Helper()
	args := []string{"-n", "-r", r.file}
	for _, port := range r.ports {
		args = append(args, "-d", "tcp.port=="+port+",rpc", "-d", "udp.port=="+port+",rpc")
	}
	// Take only what the dissectors from RPC upwards say: a warning of TCP's is about the load
	// of this machine.
	args = append(args, "-o", "tcp.reassemble_out_of_order:TRUE", // several processors record loopback as it comes
		"-o", "rpc.dissect_unknown_programs:TRUE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=,",
		"-e", "frame.number", "-e", "rpc.msgtyp", "-e", "nfs.procedure_v3", "-e", "mount.procedure_v3", "-e", "rpc.xid",
		"-e", "_ws.malformed", "-e", "_ws.expert.severity", "-e", "_ws.expert.group", "-e", "nfs.opcode",
		"-e", "_ws.expert.message", "-Y", "rpc || _ws.malformed")
	out, err := exec.Command("tshark", args...).Output()
	require.NoError(t, err)

	const severityError, groupMalformed = "8388608", "117440512"
	calls, replies, count = map[string]int{}, map[string]int{}, map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "|")
		if len(f) < 10 {
			t.Fatalf("tshark says: %s", line)
		}
		if f[5] != "" || strings.Contains(f[6], severityError) || strings.Contains(f[7], groupMalformed) {
			faults = append(faults, fmt.Sprintf("packet %s: %s %s", f[0], f[5], strings.Join(f[9:], "|")))
		}
		if f[1] == "" {
			continue // a fragment of a record
		}
		types, xids := strings.Split(f[1], ","), strings.Split(f[4], ",")
		for i, typ := range types {
			if i >= len(xids) {
				break
			}
			if typ == "0" {
				calls[xids[i]]++
			} else {
				replies[xids[i]]++
			}
		}
		if strings.Contains(f[1], "0") { // a reply has numbers that tshark kept from the call
			tally(count, f[2], procedures)
			tally(count, f[3], mountProcedures)
			for _, text := range strings.Split(f[8], ",") {
				if n, err := strconv.Atoi(text); err == nil {
					count[strings.TrimPrefix(nfs4.NfsOpnum4(n).String(), "OP_")]++
				}
			}
		}
	}
	return faults, calls, replies, count
}

func tally(count map[string]int, numbers string, names []string) {
	for _, text := range strings.Split(numbers, ",") {
		if n, err := strconv.Atoi(text); err == nil && n < len(names) {
			count[names[n]]++
		} else if text != "" {
			count[fmt.Sprintf("procedure %s", text)]++
		}
	}
}

// recorded runs the workload in a guest and records its traffic.
func (g guest) recorded(t *testing.T) *recording {
	t.Helper()
	need(t, "dumpcap", "tshark")
	r := &recording{file: filepath.Join(logDir(t), "capture.pcapng"), ports: []string{"2049"}, stop: func(*testing.T) {}}
	g.pcap, g.filter = r.file, "port 2049"
	o := g.run(t)
	o.steps(t, g.args...)
	says, err := os.ReadFile(filepath.Join(o.logs, "pcap.log"))
	require.NoError(t, err)
	complete(t, string(says))
	return r
}

// TestTheKernelClientsConversationDecodes records a Linux client at work, and decodes the
// recording. Its combination is the second one of TestWorkload, which runs the other steps.
func TestTheKernelClientsConversationDecodes(t *testing.T) {
	t.Parallel()
	steps := []string{"basic", "linktimes", "excl", "dir", "oddio", "mmap", "perm"}
	r := guest{
		fs: "tmpfs", script: "smoke.sh", args: steps, env: less, opts: "nconnect=1,rsize=65536,wsize=65536",
	}.recorded(t)
	r.check(t, 2000, "NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK", "MKNOD",
		"REMOVE", "RMDIR", "RENAME", "LINK", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT", "MNT")
}

// TestTheDecoderFindsFaults tests the tests with recordings: a server that cuts an answer short
// does not pass them.
func TestTheDecoderFindsFaults(t *testing.T) {
	t.Parallel()
	needRoot(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	r := capture(t, nil, "lo", &server{port: port, mount: port})
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 56))
		}
		if err == nil { // accepted, NFS3_OK, and only a part of the attributes
			_, err = c.Write(append([]byte{0x80, 0, 0, 40, 0, 0, 0, 9, 0, 0, 0, 1}, make([]byte, 32)...))
		}
		if err == nil {
			err = c.Close()
		}
		served <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	var call [56]byte // GETATTR of a handle of eight bytes
	for i, word := range []uint32{0x80000000 | 52, 9, 0, 2, 100003, 3, 1, 0, 0, 0, 0, 8, 1, 1} {
		binary.BigEndian.PutUint32(call[4*i:], word)
	}
	_, err = c.Write(call[:])
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, c)
	require.NoError(t, err)
	require.NoError(t, <-served)
	r.stop(t)
	faults, calls, _, _ := r.decode(t)
	assert.NotEmpty(t, faults)
	assert.NotEmpty(t, calls)
}
