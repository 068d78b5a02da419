//go:build interop

package interop

import "testing"

// TestCredentials tests that the kernel's permissions decide for every caller, whatever other
// callers use the same connection, and that squashing works as configured.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, squash string
		g            guest
		wanted       []string
	}{
		{"two users on one connection", "none",
			guest{fs: "ext4", script: "credentials.py", flags: "--squash none", opts: "nconnect=1,noac"},
			[]string{"in-turns", "at-once", "supplementary-group", "sixteen-groups", "root-is-root"}},
		{"two users on four connections", "none",
			guest{fs: "tmpfs", script: "credentials.py", flags: "--squash none", opts: "nconnect=4"},
			[]string{"in-turns", "at-once", "supplementary-group", "sixteen-groups", "root-is-root"}},
		{"root squashed", "root",
			guest{fs: "ext4", script: "squash.sh", flags: "--squash root"},
			[]string{"root-is-nobody", "root-may-not-read", "users-are-themselves"}},
		{"everyone squashed", "all",
			guest{fs: "tmpfs", script: "squash.sh", flags: "--squash all --anonuid 1234 --anongid 1235"},
			[]string{"user-0-is-anonymous", "user-1001-is-anonymous", "groups-are-dropped"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.g.args = []string{c.squash}
			if !full() {
				c.g.env = map[string]string{"ROUNDS": "8"}
			}
			c.g.run(t).steps(t, c.wanted...)
		})
	}
}
