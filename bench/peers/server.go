package peers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
)

// Kind is a kind of server.
type Kind struct {
	Name       string
	Durability string // what it does on WRITE and COMMIT
	// command returns the command that serves dir on port and keeps its own files in work.
	command func(p place) ([]string, error)
	version func(p place) string
	// path returns the path that clients mount.
	path func(dir string) string
	// separateMount says that MOUNT has the next port.
	separateMount bool
}

// place is where a server runs.
type place struct {
	programs string // built programs
	dir      string // to serve
	work     string // for the server's own files
	port     int
	flags    []string
}

// Server is a running server.
type Server struct {
	Info   report.Server
	Target load.Target
	PID    int

	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // valid after done
}

const (
	startMax = 30 * time.Second
	stopMax  = 15 * time.Second
)

// ErrMissing is wrapped by the errors of servers that this machine does not have.
var ErrMissing = errors.New("not on this machine")

// Start starts a server of kind k under a name. It serves dir on a port of 127.0.0.1 and keeps
// files of its own in work. Start returns when the server listens. It must be called on a locked
// thread that outlives the server, because the kernel ends the server with the thread.
func Start(k *Kind, name, programs, dir, work string, port int, flags ...string) (*Server, error) {
	for _, d := range []string{dir, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	p := place{programs: programs, dir: dir, work: work, port: port, flags: flags}
	args, err := k.command(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	s := &Server{
		Info:   report.Server{Name: name, Version: k.version(p), Command: shown(args, programs), Durability: k.Durability},
		Target: load.Target{Host: "127.0.0.1", Port: port, MountPort: port, Path: k.path(dir)},
		log:    filepath.Join(work, "log"), done: make(chan struct{}),
	}
	if k.separateMount {
		s.Target.MountPort = port + 1
	}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	s.PID = s.cmd.Process.Pid
	go s.runWaiter()
	if err := s.await(s.Target.Port, s.Target.MountPort); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.Name, err), s.Stop())
	}
	return s, nil
}

// runWaiter waits for the process to end.
func (s *Server) runWaiter() {
	s.err = s.cmd.Wait()
	close(s.done)
}

// await waits until the server takes connections.
func (s *Server) await(ports ...int) error {
	for _, port := range ports {
		addr := net.JoinHostPort(s.Target.Host, strconv.Itoa(port))
		for end := time.Now().Add(startMax); ; {
			nc, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				_ = nc.Close() // the connection only showed that the server is there
				break
			}
			select {
			case <-s.done:
				return fmt.Errorf("it ended at once (%v): %s", s.err, s.lastWords())
			case <-time.After(50 * time.Millisecond):
			}
			if time.Now().After(end) {
				return fmt.Errorf("it does not listen on %s after %v: %s", addr, startMax, s.lastWords())
			}
		}
	}
	return nil
}

// lastWords returns the end of the server's log.
func (s *Server) lastWords() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-600):])
}

// Alive returns an error if the server has ended without Stop.
func (s *Server) Alive() error {
	select {
	case <-s.done:
		return fmt.Errorf("%s has ended by itself (%v): %s", s.Info.Name, s.err, s.lastWords())
	default:
		return nil
	}
}

// Stop ends the server and waits for its end.
func (s *Server) Stop() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(stopMax):
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

// shown returns a command line without the directories of this run.
func shown(args []string, programs string) string {
	return strings.ReplaceAll(strings.Join(args, " "), programs+string(filepath.Separator), "")
}

// firstLine runs a program and returns the first line that it prints.
func firstLine(name string, args ...string) string {
	b, err := exec.Command(name, args...).CombinedOutput()
	if err != nil && len(b) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}
