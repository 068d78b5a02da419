package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// memorySize is the size of the tmpfs for files.
const memorySize = "size=6g"

// furnish prepares the new namespaces for servers: loopback, a /run and a /var/lib/nfs of their
// own, a tmpfs for files, a port mapper. end ends the port mapper; the mounts go with the
// namespace.
func furnish(run string) (end func() error, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	memory := filepath.Join(run, "memory")
	if err := os.MkdirAll(memory, 0o755); err != nil {
		return nil, err
	}
	mounts := []struct{ dir, options string }{{"/run", "mode=755"}, {"/var/lib/nfs", "mode=755"}, {memory, memorySize}}
	for _, m := range mounts {
		if _, err := os.Stat(m.dir); err != nil {
			continue // without the directory nobody needs the mount
		}
		if err := unix.Mount("tmpfs", m.dir, "tmpfs", 0, m.options); err != nil {
			return nil, fmt.Errorf("mount a tmpfs on %s: %w", m.dir, err)
		}
	}
	for _, dir := range []string{"/run/rpcbind", "/run/ganesha", "/run/lock", "/var/lib/nfs/ganesha", "/var/lib/nfs/v4recovery"} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	return portMapper()
}

// loopbackUp does what `ip link set lo up` does.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written through it
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// portMapper starts rpcbind, if there is one. Ganesha does not start without it.
func portMapper() (end func() error, err error) {
	program, err := exec.LookPath("rpcbind")
	if err != nil {
		if program = "/usr/sbin/rpcbind"; !exists(program) {
			return func() error { return nil }, nil
		}
	}
	cmd := exec.Command(program, "-f")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("rpcbind: %w", err)
	}
	for start := time.Now(); !exists("/run/rpcbind.sock") && time.Since(start) < 10*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("rpcbind: %w", err)
		}
		_ = cmd.Wait() // the error only says that the signal has ended it
		return nil
	}, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
