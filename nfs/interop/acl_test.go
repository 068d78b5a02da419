//go:build interop

package interop

import "testing"

// TestAccessControlLists tests that setfacl, getfacl and default lists work over a mount as they do
// locally. Package posixfs also tests the back end on each file system.
func TestAccessControlLists(t *testing.T) {
	t.Parallel()
	need(t, "setfacl", "getfacl")
	list := []string{"ext4"}
	if full() {
		list = []string{"ext4", "xfs", "btrfs", "tmpfs"}
	}
	for _, fs := range list {
		t.Run(fs, func(t *testing.T) {
			guest{fs: fs, script: "acl.sh"}.run(t).
				steps(t, "inherits", "same_on_both_sides", "rights", "owner_only", "many_entries")
		})
	}
}
