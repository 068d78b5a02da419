//go:build interop

package interop

import (
	"bufio"
	"fmt"
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
)

// recording is a capture of what goes to and from one server.
type recording struct {
	file  string
	ports []string
	stop  func(*testing.T)
}

var captured = regexp.MustCompile(`Packets received/dropped on interface '[^']*': (\d+)/(\d+)`)

// capture begins to record the server's traffic on an interface; prefix is a
// command that runs the recorder elsewhere. check ends it.
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
		// What was sent last has to get through the kernel to the recorder, which
		// looks every 100 ms.
		time.Sleep(500 * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGINT)
		for line := range lines {
			said = append(said, line)
		}
		_ = cmd.Wait() // what it said is looked at
		counts := captured.FindStringSubmatch(strings.Join(said, "\n"))
		if counts == nil || counts[2] != "0" {
			t.Errorf("the recording is not complete: %s", strings.Join(said, "\n"))
		}
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

// procedures are the names of NFS version 3 by number (RFC 1813, section 3).
var procedures = []string{"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK", "MKNOD",
	"REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT"}

// mountProcedures are those of MOUNT version 3 (RFC 1813, section 5).
var mountProcedures = []string{"MNTNULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"}

// check ends the recording and holds what an independent decoder makes of it:
// nothing malformed, an answer to every call, at least as many calls as said and
// of these procedures.
func (r *recording) check(t *testing.T, least int, wanted ...string) {
	t.Helper()
	if t.Failed() {
		return // the capture may be incomplete, and says nothing new
	}
	r.stop(t)
	args := []string{"-n", "-r", r.file}
	for _, port := range r.ports {
		args = append(args, "-d", "tcp.port=="+port+",rpc")
	}
	// Only what the dissectors of RPC and above say: a warning of TCP's is about
	// the load of this machine.
	args = append(args, "-o", "rpc.dissect_unknown_programs:TRUE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=,",
		"-e", "frame.number", "-e", "rpc.msgtyp", "-e", "nfs.procedure_v3", "-e", "mount.procedure_v3", "-e", "rpc.xid",
		"-e", "_ws.malformed", "-e", "_ws.expert.severity", "-e", "_ws.expert.group", "-e", "_ws.expert.message", "-Y", "rpc || _ws.malformed")
	out, err := exec.Command("tshark", args...).Output()
	require.NoError(t, err)

	const severityError, groupMalformed = "8388608", "117440512"
	calls, replies := map[string]int{}, map[string]int{} // by transaction
	count := map[string]int{}                            // by procedure
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "|")
		if len(f) < 9 {
			t.Fatalf("tshark says: %s", line)
		}
		if f[5] != "" || strings.Contains(f[6], severityError) || strings.Contains(f[7], groupMalformed) {
			t.Errorf("packet %s: %s %s", f[0], f[5], strings.Join(f[8:], "|"))
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
		if strings.Contains(f[1], "0") { // numbers in replies are tshark's own memory of the call
			tally(count, f[2], procedures)
			tally(count, f[3], mountProcedures)
		}
	}
	total := 0
	for _, n := range calls {
		total += n
	}
	unanswered := 0
	for xid := range calls {
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

func tally(count map[string]int, numbers string, names []string) {
	for _, text := range strings.Split(numbers, ",") {
		if n, err := strconv.Atoi(text); err == nil && n < len(names) {
			count[names[n]]++
		} else if text != "" {
			count[fmt.Sprintf("procedure %s", text)]++
		}
	}
}
