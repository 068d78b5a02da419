//go:build interop

package interop

import (
	"fmt"
	"testing"
	"time"
)

// all are the steps of smoke.sh.
var all = []string{"basic", "linktimes", "excl", "dir", "big", "oddio", "mmap", "locks", "cpinclude", "git", "sqlite", "fallocate", "fio", "fiojobs", "iouring", "perm"}

// short leaves out what says little more on a second combination.
var short = []string{"basic", "linktimes", "excl", "dir", "big", "oddio", "mmap", "cpinclude", "git", "sqlite", "fio", "perm"}

// less makes the same steps do less.
var less = map[string]string{
	"TREE": "/usr/include/linux/netfilter", "REPO": "/usr/include/asm-generic", "FILES": "500", "BIGMB": "32",
}

// TestWorkload runs what an ordinary user does on a mount, with every
// combination of file system, number of connections and transfer size. One
// combination per file system does all of it, the others a part.
func TestWorkload(t *testing.T) {
	type combination struct {
		fs       string
		nconnect int
		size     int // rsize and wsize, in KiB
	}
	full := map[combination]bool{{"ext4", 4, 1024}: true, {"tmpfs", 1, 64}: true}
	one := func(t *testing.T, c combination) {
		name := fmt.Sprintf("%s/nconnect=%d/%dKiB/%s", c.fs, c.nconnect, c.size, map[bool]string{true: "full", false: "short"}[full[c]])
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, "git", "sqlite3", "fio")
			g := guest{
				fs: c.fs, script: "smoke.sh", args: short, env: less, timeout: 8 * time.Minute,
				opts: fmt.Sprintf("nconnect=%d,rsize=%d,wsize=%d", c.nconnect, c.size<<10, c.size<<10),
			}
			if full[c] {
				g.args, g.env, g.timeout = all, nil, 20*time.Minute
			}
			g.run(t).steps(t, g.args...)
		})
	}
	for c := range full { // the long ones first
		one(t, c)
	}
	for _, fs := range []string{"ext4", "tmpfs"} {
		for _, nconnect := range []int{1, 4} {
			for _, size := range []int{64, 1024} {
				if c := (combination{fs, nconnect, size}); !full[c] {
					one(t, c)
				}
			}
		}
	}
}
