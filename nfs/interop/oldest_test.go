//go:build interop

package interop

import "testing"

// TestTheOldestKernelServes runs the server in the guest, whose kernel is Linux 6.1: the oldest
// that is supported, without incremental buffers and bundles. It mounts all of three exports, of
// which one lies in another, with no option, and one by version 3.
func TestTheOldestKernelServes(t *testing.T) {
	t.Parallel()
	g := guest{vers: "none", script: "oldest.sh", args: []string{"/run/hostroot" + program}}
	g.run(t).steps(t, "banner", "no_option", "mounts", "writes", "reads", "names", "ends")
}
