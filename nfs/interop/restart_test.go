//go:build interop

package interop

import "testing"

// TestRestart kills the server with SIGKILL under a client and starts it again.
func TestRestart(t *testing.T) {
	t.Parallel()
	list := []string{"ext4"}
	if full() {
		list = append(list, "tmpfs")
	}
	for _, fs := range list {
		t.Run(fs, func(t *testing.T) {
			guest{fs: fs, script: "restart.py", restart: true, opts: "write=eager"}.run(t).
				steps(t, "unstable-is-sent-again", "committed-is-kept", "handles-stay", "under-load", "names")
		})
	}
}
