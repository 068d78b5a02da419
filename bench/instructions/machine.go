package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// emulator is the program that machines run in.
const emulator = "qemu-system-x86_64"

// commandLine is the kernel's: everything that would differ from run to run is switched off.
const commandLine = "console=ttyS0 quiet nokaslr norandmaps tsc=reliable kfence.sample_interval=0 " +
	"random.trust_cpu=on randomize_kstack_offset=off panic=-1 mitigations=off numa=off"

const (
	// bootMax and runMax are how long a machine may take to boot, and to do its work.
	bootMax = 10 * time.Minute
	runMax  = 30 * time.Minute
)

// machine is an emulated machine that is running.
type machine struct {
	cmd    *exec.Cmd
	dir    string // of its files, removed at the end
	qmp    *bufio.ReadWriter
	conn   net.Conn
	cancel context.CancelFunc
	seen   int64 // bytes of its output that have been read
}

// files are what a machine is started from.
type files struct {
	kernel, initrd string
	payload        string // the input; boot does without
	// memory is a file with the machine's memory, and state one with all else of a machine that
	// was saved. Without a state the machine boots, and what it writes to its memory is in the file.
	memory, state string
	counter       *counter // what the machine counts besides, nil for nothing
}

// newMachine starts a machine, which waits before its first instruction. It must be called on a
// locked thread that outlives the machine: the kernel ends the machine with the thread.
func newMachine(ctx context.Context, f files, limit time.Duration) (_ *machine, err error) {
	m := &machine{}
	if m.dir, err = os.MkdirTemp("", "instructions-"); err != nil {
		return nil, err
	}
	ctx, m.cancel = context.WithTimeout(ctx, limit)
	payload := f.payload
	if payload == "" {
		payload = filepath.Join(m.dir, "nothing") // of its full size, which takes no room
	}
	socket := filepath.Join(m.dir, "qmp")
	// A machine that was saved has the file of its memory to itself: it copies the pages that it
	// writes to, and starting it loads nothing.
	shared := "off"
	if f.state == "" {
		shared = "on"
	}
	args := []string{
		"-object", fmt.Sprintf("memory-backend-file,id=ram,size=%d,mem-path=%s,share=%s", job.Memory,
			f.memory, shared),
		"-object", fmt.Sprintf("memory-backend-file,id=payload,size=%d,mem-path=%s,share=on",
			job.PayloadMax, payload),
		"-numa", "node,memdev=ram", "-numa", "node,memdev=payload",
		"-M", "pc,hpet=off", "-cpu", "max,-erms,-fsrm", "-accel", "tcg,thread=single", "-smp", "1",
		"-m", fmt.Sprintf("%dM", (job.Memory+job.PayloadMax)>>20),
		"-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01T00:00:00,clock=vm",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-action", "panic=pause",
		"-S",
		"-kernel", f.kernel, "-initrd", f.initrd, "-append",
		fmt.Sprintf("%s mem=%dM", commandLine, job.Memory>>20),
		"-serial", "file:" + filepath.Join(m.dir, "console"),
		"-chardev", "file,id=out,path=" + filepath.Join(m.dir, "out"),
		"-device", fmt.Sprintf("isa-debugcon,iobase=%#x,chardev=out", job.OutPort),
		"-device", fmt.Sprintf("pvpanic,ioport=%#x", job.PausePort),
		"-qmp", "unix:" + socket + ",server=on,wait=off",
	}
	if f.state != "" {
		args = append(args, "-incoming", "defer")
	}
	if f.counter != nil {
		args = append(args, "-plugin", strings.Join(f.counter.arguments(m.counts()), ","))
	}
	m.cmd = exec.CommandContext(ctx, emulator, args...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := os.Create(filepath.Join(m.dir, "said"))
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	defer said.Close()
	m.cmd.Stdout, m.cmd.Stderr = said, said
	if err := m.cmd.Start(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if err := m.connect(socket); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if f.state != "" {
		if err := m.load(f.state); err != nil {
			return nil, errors.Join(fmt.Errorf("load the machine's state: %w", err), m.close())
		}
	}
	return m, nil
}

// connect connects to the machine's monitor (QMP).
func (m *machine) connect(socket string) (err error) {
	for range 300 {
		if m.conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("%s does not answer: %w: %s", emulator, err, m.said())
	}
	m.qmp = bufio.NewReadWriter(bufio.NewReader(m.conn), bufio.NewWriter(m.conn))
	_, err = m.command("qmp_capabilities", nil)
	return err
}

// message is what the monitor says.
type message struct {
	Return json.RawMessage
	Error  *struct{ Desc string }
	Event  string
}

func (m *machine) read() (x message, err error) {
	line, err := m.qmp.ReadBytes('\n')
	if err != nil {
		return x, fmt.Errorf("%s has ended: %s", emulator, m.said())
	}
	return x, json.Unmarshal(line, &x)
}

// command gives the monitor a command and returns the answer.
func (m *machine) command(name string, args map[string]any) (json.RawMessage, error) {
	c := map[string]any{"execute": name}
	if args != nil {
		c["arguments"] = args
	}
	if err := errors.Join(json.NewEncoder(m.qmp).Encode(c), m.qmp.Flush()); err != nil {
		return nil, err
	}
	for {
		x, err := m.read()
		switch {
		case err != nil:
			return nil, err
		case x.Error != nil:
			return nil, fmt.Errorf("%s: %s", name, x.Error.Desc)
		case x.Return != nil:
			return x.Return, nil
		}
	}
}

// await waits for an event.
func (m *machine) await(name string) error {
	for {
		x, err := m.read()
		if err != nil {
			return err
		}
		if x.Event == name {
			return nil
		}
	}
}

// boot lets the machine boot until it stops itself, and returns the release of its kernel.
func (m *machine) boot() (string, error) {
	if _, err := m.command("cont", nil); err != nil {
		return "", err
	}
	if err := m.await("GUEST_PANICKED"); err != nil {
		return "", err
	}
	lines, err := m.output()
	if err != nil {
		return "", err
	}
	if len(lines) != 1 || lines[0].Ready == "" {
		return "", fmt.Errorf("the machine did not boot: %s", m.said())
	}
	return lines[0].Ready, nil
}

// migrated waits until a migration has come to its end.
func (m *machine) migrated() error {
	for {
		b, err := m.command("query-migrate", nil)
		if err != nil {
			return err
		}
		var s struct{ Status string }
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		switch s.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("migration %s: %s", s.Status, m.said())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// save writes the stopped machine's state to a file.
func (m *machine) save(path string) error {
	part := path + ".part"
	if err := m.withoutMemory(); err != nil {
		return err
	}
	if _, err := m.command("migrate", map[string]any{"uri": "exec:cat > '" + part + "'"}); err != nil {
		return err
	}
	if err := m.migrated(); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// load takes what save has written.
func (m *machine) load(path string) error {
	if err := m.withoutMemory(); err != nil {
		return err
	}
	if _, err := m.command("migrate-incoming",
		map[string]any{"uri": "exec:cat '" + path + "'"}); err != nil {
		return err
	}
	if err := m.migrated(); err != nil {
		return err
	}
	// The migration is over before the machine can be told to run.
	for {
		b, err := m.command("query-status", nil)
		if err != nil {
			return err
		}
		var s struct{ Status string }
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s.Status != "inmigrate" {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// withoutMemory leaves memory that is a file out of what is saved and loaded.
func (m *machine) withoutMemory() error {
	_, err := m.command("migrate-set-capabilities", map[string]any{
		"capabilities": []map[string]any{{"capability": "x-ignore-shared", "state": true}},
	})
	return err
}

// run lets the stopped machine do its work to the end, and returns what it said.
func (m *machine) run() ([]job.Line, error) {
	if _, err := m.command("cont", nil); err != nil {
		return nil, err
	}
	for {
		if _, err := m.read(); err != nil {
			break // the machine has switched itself off, or was ended
		}
	}
	err := m.cmd.Wait()
	lines, more := m.output()
	if err = errors.Join(err, more); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", emulator, err, m.said())
	}
	if len(lines) > 0 && lines[len(lines)-1].Failed != "" {
		return nil, errors.New(lines[len(lines)-1].Failed)
	}
	if len(lines) == 0 || !lines[len(lines)-1].Done {
		return nil, fmt.Errorf("the machine has ended early: %s", m.said())
	}
	return lines, nil
}

// counts is the file that the machine's plugin writes.
func (m *machine) counts() string { return filepath.Join(m.dir, "counts") }

// output returns what the guest has said since the last time.
func (m *machine) output() (lines []job.Line, err error) {
	f, err := os.Open(filepath.Join(m.dir, "out"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(m.seen, io.SeekStart); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	m.seen += int64(len(b))
	for line := range strings.Lines(string(b)) {
		var l job.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("the guest said %q: %w", line, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// said is the end of what the emulator and the guest's console have said.
func (m *machine) said() string {
	var all []string
	for _, name := range []string{"said", "console", "out"} {
		if b, err := os.ReadFile(filepath.Join(m.dir, name)); err == nil {
			all = append(all, strings.TrimSpace(string(b[max(0, len(b)-1500):])))
		}
	}
	return strings.Join(all, "\n")
}

// close ends the machine and removes its files.
func (m *machine) close() error {
	m.cancel()
	if m.conn != nil {
		_ = m.conn.Close() // the machine ends anyhow
	}
	if m.cmd != nil && m.cmd.Process != nil && m.cmd.ProcessState == nil {
		_ = m.cmd.Wait() // it was killed
	}
	return os.RemoveAll(m.dir)
}
