package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// ramDisc is a disc in memory that neither waits nor has anything to flush; slowDisc takes 100 us
// for each request, and has a cache that must be flushed.
const (
	ramDisc  = "/dev/ram0"
	slowDisc = "/dev/nullb0"
)

// makeFS makes a file system of a kind and mounts it where the exports are.
func makeFS(kind string) error {
	if err := os.MkdirAll("/srv", 0o755); err != nil {
		return err
	}
	ext4 := []string{"mkfs.ext4", "-q", "-F", "-b", "4096", "-E",
		"lazy_itable_init=0,lazy_journal_init=0,nodiscard"}
	var (
		device, fs = ramDisc, kind
		mkfs       []string
		options    string
	)
	switch kind {
	case "ext4":
		mkfs = append(ext4, device, "600M")
	case "ext4-flush":
		device, fs = slowDisc, "ext4"
		mkfs = append(ext4, device, "600M")
	case "xfs":
		mkfs = []string{"mkfs.xfs", "-q", "-K", "-f", device}
	case "tmpfs":
		device, options = "tmpfs", "size=1g"
	default:
		return fmt.Errorf("there is no file system %q", kind)
	}
	if mkfs != nil {
		if out, err := exec.Command(mkfs[0], mkfs[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", mkfs[0], err, out)
		}
	}
	if err := unix.Mount(device, "/srv", fs, 0, options); err != nil {
		return fmt.Errorf("mount %s: %w", kind, err)
	}
	return errors.Join(os.MkdirAll(job.Export, 0o777))
}
