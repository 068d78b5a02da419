package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// servers are all that can be compared, in the order of the report.
var servers = []string{job.Ringnfs, job.Knfsd, job.Ganesha, job.GoNFS, job.Floor}

// programs are the files that a server needs in the guest. own is the program of ringnfs.
func (l *lab) programsOf(server, own string) (*image, error) {
	m := &image{}
	var built string
	switch server {
	case job.Ringnfs:
		built = own
	case job.Floor:
		built = filepath.Join(l.programs, "floor")
		cmd := exec.Command("gcc", "-O2", "-pthread", "-static", "-o", built,
			filepath.Join("bench", "floor", "floor.c"))
		cmd.Dir = l.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: the floor (gcc, libc6-dev): %w: %s", errMissing, err,
				lastLines(out))
		}
	case job.GoNFS:
		built = filepath.Join(l.programs, "gonfs")
		cmd := exec.Command("go", "build", "-o", built, ".")
		cmd.Dir = filepath.Join(l.root, "bench", "peers", "gonfs")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: go-nfs: %w: %s", errMissing, err, lastLines(out))
		}
	case job.Knfsd:
		return m, m.all("nfs-kernel-server", "/usr/sbin/rpcbind", "/usr/sbin/rpc.nfsd",
			"/usr/sbin/exportfs", "/usr/sbin/rpc.mountd") //nolint:misspell // a program
	case job.Ganesha:
		return m, m.all("nfs-ganesha nfs-ganesha-vfs", "/usr/sbin/rpcbind", "/usr/bin/ganesha.nfsd",
			"/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so",
			"/usr/lib/x86_64-linux-gnu/libnfsidmap/nsswitch.so",
			"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "/etc/idmapd.conf")
	default:
		return nil, fmt.Errorf("there is no server %q", server)
	}
	b, err := os.ReadFile(built)
	if err != nil {
		return nil, err
	}
	m.add("/run/"+filepath.Base(built), 0o755, b)
	if server == job.Ringnfs {
		m.entries[len(m.entries)-1].name = "run/ringnfs"
	}
	return m, nil
}

// all adds the programs of Debian packages, and what all such programs read.
func (m *image) all(packages string, paths ...string) error {
	for _, path := range append(paths, "/etc/netconfig", "/etc/protocols", "/etc/services", "/etc/rpc") {
		ok, err := m.program(path)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: %s (Debian's packages %s)", errMissing, path, packages)
		}
	}
	return nil
}

// missing reports whether an error says that something is not on this machine.
func missing(err error) bool { return errors.Is(err, errMissing) }
