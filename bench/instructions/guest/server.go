package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// server is where a server answers, and the path that a client mounts.
type server struct {
	mountPort int
	path      string
}

const port = 2049

// start starts the server of a job, and returns when it takes connections.
func start(j *job.Job) (*server, error) {
	s := &server{mountPort: port, path: job.Export}
	switch j.Server {
	case "ringnfs":
		args := []string{
			"serve", "--listen", "127.0.0.1", "--port", fmt.Sprint(port), "--portmap", "off", "--squash", "none",
			"--state-dir", "/tmp/state",
		}
		if err := background("/run/ringnfs", append(append(args, j.Flags...), job.Export)...); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("there is no server %q", j.Server)
	}
	for _, p := range []int{port, s.mountPort} {
		if err := await(p); err != nil {
			said, _ := os.ReadFile(logFile) // the error says enough
			return nil, fmt.Errorf("%s: %w: %s", j.Server, err, said)
		}
	}
	return s, nil
}

// logFile is where servers write what they have to say.
const logFile = "/tmp/log"

// background starts a program that runs until the machine ends.
func background(name string, args ...string) error {
	f, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	return cmd.Start()
}
