//go:build interop

package interop

import "testing"

// versions is the flag of a server that answers all versions.
const versions = "--squash none --versions 3,4.0,4.1,4.2"

// TestVersion4 has the kernel's client mount each minor version of NFS version 4, and work as an
// ordinary user does. One boot each.
func TestVersion4(t *testing.T) {
	steps := []string{"basic", "excl", "dir", "oddio", "mmap", "locks", "perm"}
	for _, c := range []struct{ vers, fs, opts string }{
		{"4.0", "tmpfs", ""}, {"4.1", "ext4", "nconnect=4"}, {"4.2", "ext4", "nconnect=4"},
	} {
		if c.vers != "4.2" && !full() {
			continue // they share most of it
		}
		t.Run(c.vers, func(t *testing.T) {
			t.Parallel()
			guest{
				fs: c.fs, vers: c.vers, opts: c.opts, flags: versions, script: "smoke.sh",
				args: steps, env: less,
			}.run(t).steps(t, steps...)
		})
	}
}
