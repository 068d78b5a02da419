// Command boot is the first program of the guest that bench/instructions measures in. It loads the
// modules that the file /modules names, stops the machine, whose state is then saved, and goes on
// when a measurement lets the machine run again: it unpacks that measurement's input over / and
// becomes the program in it. Nothing here waits for a device, so a machine runs the same
// instructions each time.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

func main() {
	err := run()
	_ = job.Say(job.Line{Failed: "boot: " + err.Error()}) // nobody else can be told
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run returns only when something fails.
func run() error {
	for _, m := range [][2]string{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
		{"tmpfs", "/run"},
	} {
		if err := errors.Join(os.MkdirAll(m[1], 0o755),
			unix.Mount(m[0], m[1], m[0], 0, "")); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	list, err := os.ReadFile("/modules")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		name, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := load(name, parameters); err != nil {
			return err
		}
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	if err := job.Say(job.Line{Ready: strings.TrimSpace(string(release))}); err != nil {
		return err
	}
	if err := job.Out(job.PausePort, []byte{job.Pause}); err != nil {
		return err
	}
	if err := unpack(); err != nil {
		return fmt.Errorf("unpack the input: %w", err)
	}
	return unix.Exec(job.Guest, []string{job.Guest},
		[]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"})
}

// load loads a module.
func load(name, parameters string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("module %s: %w", name, err)
	}
	return nil
}

// loopback switches the network interface lo on.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // holds nothing
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// unpack writes the files of the input, which lies behind the guest's memory.
func unpack() error {
	f, err := os.Open("/dev/mem")
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), job.Memory, job.PayloadMax, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join("/", h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, os.FileMode(h.Mode)&0o777)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, r)
		if err = errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
}
