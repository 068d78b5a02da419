//go:build interop

package interop

import "testing"

// TestRestart kills the server with SIGKILL under a client and starts it again.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, fs := range []string{"ext4", "tmpfs"} {
		t.Run(fs, func(t *testing.T) {
			guest{fs: fs, script: "restart.py", restart: true, opts: "write=eager"}.run(t).
				steps(t, "unstable-is-sent-again", "committed-is-kept", "handles-stay", "under-load", "names")
		})
	}
}
