package iopath

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// HasDirect reports whether direct I/O can read and write the file fd.
func HasDirect(fd int) bool { return directAlign(fd) != noDirect }

// StillPages reports whether the device needs a page unchanged while it writes the page
// (checksums). Writers then wait for the device.
func StillPages(root int) bool {
	var st unix.Statx_t
	if kernel.StatxWait(root, &st) != 0 {
		return true
	}
	b, err := os.ReadFile(
		fmt.Sprintf("/sys/class/bdi/%d:%d/stable_pages_required", st.Dev_major, st.Dev_minor),
	)
	return err == nil && len(b) > 0 && b[0] != '0'
}

// MemoryLimit returns how many bytes of memory there are for this process, page cache included:
// those of the machine, or fewer if a control group limits them. cgroups is the directory where
// control groups are mounted; own is the file that names the process's groups.
func MemoryLimit(cgroups, own string) uint64 {
	limit := uint64(math.MaxInt64)
	var m unix.Sysinfo_t
	if unix.Sysinfo(&m) == nil {
		limit = uint64(m.Totalram) * uint64(m.Unit)
	}
	list, _ := os.ReadFile(own) // without this file there are no groups
	for line := range strings.Lines(string(list)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		base, files := cgroups, []string{"memory.max", "memory.high"}
		if part[0] != "0" {
			if !slices.Contains(strings.Split(part[1], ","), "memory") {
				continue
			}
			base, files = filepath.Join(cgroups, "memory"), []string{"memory.limit_in_bytes"}
		}
		// Every group above also limits the process. Inside a container the path may be the
		// one outside, and only the top may exist.
		for dir := filepath.Clean("/" + part[2]); ; dir = filepath.Dir(dir) {
			for _, name := range files {
				text, err := os.ReadFile(filepath.Join(base, dir, name))
				if err != nil {
					continue
				}
				if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
					limit = min(limit, n)
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit
}
