//go:build interop

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// guest is one run of uml-nfs: a server, a Linux client with a mount, and a
// script on it.
type guest struct {
	fs      string            // what the server exports: tmpfs, ext4, ...
	server  []string          // a server command instead, and its arguments
	port    int               // where that command listens when it is ready
	script  string            // file in testdata
	args    []string          // of the script
	env     map[string]string // of the script
	flags   string            // of ringnfs serve, instead of --squash none
	opts    string            // of the mount
	vers    string            // none: the script makes the mounts
	share   string            // directory that the guest may write to, as $SHARE
	beside  string            // shell command in the guest's network, instead of a server there
	size    string            // of the file system
	restart bool              // the script may kill the server
	clients int               // guests that run the script; 0 is one
	pcap    string            // file for a capture
	filter  string            // what is captured
}

// outcome is the result of a run.
type outcome struct {
	status int    // exit status of the script, or from 122 on the harness's own
	out    string // output of the script
	says   string // what the harness had to say
	logs   string // directory
}

// run boots the guest and waits for it. It fails the test if the harness did not work or the server
// died. The caller judges the script's status.
func (g guest) run(t *testing.T) outcome {
	t.Helper()
	needRoot(t)
	need(t, "linux.uml", "modprobe", "ip", "unshare", "setpriv", "mount.nfs", "python3")
	logs := logDir(t)
	args := []string{"--logs", logs, "-v"}
	if g.beside != "" {
		args = append(args, "--server", "none")
	} else if len(g.server) > 0 {
		words := make([]string, len(g.server))
		for i, w := range g.server {
			words[i] = quote(w)
		}
		args = append(args, "--server-cmd", "exec "+strings.Join(words, " "), "--port", fmt.Sprint(g.port))
	} else {
		args = append(args, "--server", "ringnfs:"+orElse(g.fs, "tmpfs"))
	}
	for flag, value := range map[string]string{
		"--server-flags": g.flags, "--opts": g.opts, "--vers": g.vers, "--size": g.size, "--pcap": g.pcap, "--pcap-filter": g.filter,
		"--share": g.share, "--ns-cmd": g.beside,
	} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	clients := max(g.clients, 1)
	if clients > 1 {
		args = append(args, "--clients", fmt.Sprint(clients))
	}
	if g.restart {
		args = append(args, "--restart")
	}
	if port := os.Getenv("RINGNFS_MOUNT_PORT"); port != "" { // of another server that these tests are tried on
		args = append(args, "--mountport", port)
	}
	// The guest sees this machine's files, except that it has a /tmp of its own.
	var command strings.Builder
	for k, v := range g.env {
		fmt.Fprintf(&command, "export %s=%s; ", k, quote(v))
	}
	fmt.Fprintf(&command, "exec %s", quote("/run/hostroot"+filepath.Join(here, "testdata", g.script)))
	for _, a := range g.args {
		fmt.Fprintf(&command, " %s", quote(a))
	}
	args = append(args, "-c", command.String())

	out, says, err := umlNFS(t, clients, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("uml-nfs: %v\n%s", err, says.String())
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	o := outcome{status: status, out: out.String(), says: says.String(), logs: logs}
	t.Log(strings.TrimSpace(o.says))
	if o.status < 0 || o.status >= 122 && o.status != 127 && o.status != 126 ||
		o.status == 126 && o.out == "" {
		t.Errorf(
			"the guest did not do its work: status %d\n%s\n%s\n%s",
			o.status,
			o.out,
			o.says,
			o.serverLog(),
		)
	}
	return o
}

// steps shows the steps of the script as subtests. It fails if there were none or if the script
// failed outside of a step.
func (o outcome) steps(t *testing.T, wanted ...string) {
	t.Helper()
	seen := map[string]bool{}
	failed := 0
	lines := strings.Split(o.out, "\n")
	for i, line := range lines {
		verdict, rest, _ := strings.Cut(line, " ")
		if verdict != "PASS" && verdict != "FAIL" && verdict != "SKIP" {
			continue
		}
		name, remark, _ := strings.Cut(rest, " ")
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			switch verdict {
			case "PASS":
				t.Log(remark)
			case "SKIP":
				t.Skip(remark)
			default:
				failed++
				end := i + 1
				for end < len(lines) && strings.HasPrefix(lines[end], "  ") {
					end++
				}
				t.Errorf("%s\n%s", remark, strings.Join(lines[i+1:end], "\n"))
			}
		})
	}
	for _, name := range wanted {
		if !seen[name] {
			t.Errorf("step %s has not run; output:\n%s", name, o.out)
		}
	}
	if len(seen) == 0 || o.status != 0 && failed == 0 {
		t.Errorf("status %d; output:\n%s", o.status, o.out)
	}
	if t.Failed() {
		t.Logf("server:\n%s", o.serverLog())
	}
}

// serverLog returns the end of the server's log.
func (o outcome) serverLog() string {
	data, err := os.ReadFile(filepath.Join(o.logs, "server.log"))
	if err != nil {
		return err.Error()
	}
	const most = 4000
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return string(data)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
