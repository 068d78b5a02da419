//go:build interop

package interop

import (
	"fmt"
	"slices"
	"testing"
)

// all are the steps of smoke.sh.
var all = []string{
	"basic",
	"linktimes",
	"excl",
	"dir",
	"big",
	"oddio",
	"mmap",
	"locks",
	"cpinclude",
	"git",
	"sqlite",
	"fallocate",
	"fio",
	"fiojobs",
	"iouring",
	"perm",
}

// short leaves out the steps that say little more on a second combination.
var short = []string{
	"basic",
	"linktimes",
	"excl",
	"dir",
	"big",
	"oddio",
	"mmap",
	"cpinclude",
	"git",
	"sqlite",
	"fio",
	"perm",
}

// less makes the same steps do less.
var less = map[string]string{
	"TREE": "/usr/include/linux/netfilter", "REPO": "/usr/include/asm-generic",
	"FILES": "300", "BIGMB": "16", "FIOMB": "8",
}

// TestWorkload runs what an ordinary user does on a mount. One combination runs all of it. One that
// has none of the first one's values runs the steps that read and write and those that make most
// calls; some of its steps TestTheKernelClientsConversationDecodes runs, and records them. In the
// full matrix both run all, with large files and trees, and the other combinations
// run a part.
func TestWorkload(t *testing.T) {
	type combination struct {
		fs       string
		nconnect int
		size     int // rsize and wsize, in KiB
	}
	one := func(t *testing.T, c combination, how string, steps []string, env map[string]string) {
		t.Run(fmt.Sprintf("%s/nconnect=%d/%dKiB/%s", c.fs, c.nconnect, c.size, how), func(t *testing.T) {
			t.Parallel()
			need(t, "git", "sqlite3", "fio")
			guest{
				fs: c.fs, script: "smoke.sh", args: steps, env: env,
				opts: fmt.Sprintf("nconnect=%d,rsize=%d,wsize=%d", c.nconnect, c.size<<10, c.size<<10),
			}.run(t).steps(t, steps...)
		})
	}
	steps := map[string][]string{
		"ext4":  all,
		"tmpfs": {"big", "git", "fio"},
	}
	sample := []combination{{"ext4", 4, 1024}, {"tmpfs", 1, 64}}
	for _, c := range sample {
		if full() {
			one(t, c, "full", all, nil)
		} else {
			one(t, c, "sample", steps[c.fs], less)
		}
	}
	for _, fs := range []string{"ext4", "tmpfs"} {
		for _, nconnect := range []int{1, 4} {
			for _, size := range []int{64, 1024} {
				c := combination{fs, nconnect, size}
				if full() && !slices.Contains(sample, c) {
					one(t, c, "short", short, less)
				}
			}
		}
	}
}
