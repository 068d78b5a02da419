//go:build interop

package interop

import "testing"

// TestRestart kills the server with SIGKILL under a client and starts it again.
func TestRestart(t *testing.T) {
	t.Parallel()
	list := []struct{ fs, vers string }{{"ext4", "3"}}
	if full() {
		list = append(list, struct{ fs, vers string }{"tmpfs", "3"}, struct{ fs, vers string }{"ext4", "4.2"})
	}
	for _, c := range list {
		t.Run(c.fs+"/"+c.vers, func(t *testing.T) {
			g := guest{fs: c.fs, vers: c.vers, flags: versions, script: "restart.py", restart: true, opts: "write=eager"}
			g.run(t).
				steps(t, "unstable-is-sent-again", "committed-is-kept", "handles-stay", "under-load", "names")
		})
	}
}
