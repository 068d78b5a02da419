//go:build interop

package interop

import "testing"

// TestTheOldestKernelServes runs the server in the guest, whose kernel is Linux
// 6.1: the oldest that is supported, without incremental buffers and bundles.
func TestTheOldestKernelServes(t *testing.T) {
	t.Parallel()
	g := guest{vers: "none", script: "oldest.sh", args: []string{"/run/hostroot" + program}}
	g.run(t).steps(t, "banner", "mounts", "writes", "reads", "names", "ends")
}
