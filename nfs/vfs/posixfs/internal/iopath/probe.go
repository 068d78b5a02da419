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

// HasDirect reports whether the file fd can be read and written past the page cache.
func HasDirect(fd int) bool { return directAlign(fd) != noDirect }

// StillPages reports whether the device wants pages to stay as they are while it
// writes them (checksums): then writers wait for it.
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

// MemoryLimit returns how much memory there is for this process, page cache
// included: the machine's, or less where a control group bounds it. cgroups is where
// they are mounted, own names the process's.
func MemoryLimit(cgroups, own string) uint64 {
	limit := uint64(math.MaxInt64)
	var m unix.Sysinfo_t
	if unix.Sysinfo(&m) == nil {
		limit = uint64(m.Totalram) * uint64(m.Unit)
	}
	list, _ := os.ReadFile(own) // without it there are no groups
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
		// Every group above bounds it, too. Inside a container the path may be
		// that of the outside, and only the top be there.
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
