//go:build interop

package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhereIoUringIsRefused tests that the server says so, with the remedy, if a container's
// seccomp profile refuses io_uring, all of it or a part, and that it exits with 1.
func TestWhereIoUringIsRefused(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	const setup, enter, register = "425", "426", "427" // the same on every architecture
	for part, calls := range map[string]string{
		"all": setup + "," + enter + "," + register, "use": enter + "," + register, "enter": enter, "register": register,
	} {
		for name, errno := range map[string]string{"EPERM": "1", "EACCES": "13", "ENOSYS": "38"} {
			t.Run(part+"/"+name, func(t *testing.T) {
				cmd := exec.Command(
					filepath.Join(here, "testdata", "seccomp.py"),
					errno,
					calls,
					program,
					"serve",
					"--port",
					"0",
					"--portmap",
					"off",
					"--state-dir",
					t.TempDir(),
					t.TempDir(),
				)
				var stdout, stderr strings.Builder
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				require.Error(t, cmd.Run())
				assert.Equal(t, 1, cmd.ProcessState.ExitCode(), stderr.String())
				assert.Empty(t, stdout.String())
				assert.Contains(t, stderr.String(), "seccomp")
				assert.NotContains(t, stderr.String(), "lacks")
				assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			})
		}
	}
}

// TestAnOrdinaryUserServes tests that the server needs no rights: it then serves its own user's
// files, on unprivileged ports.
func TestAnOrdinaryUserServes(t *testing.T) {
	t.Parallel()
	needRoot(t) // to become another user
	need(t, "setpriv", "nfs-cp", "nfs-cat")
	in := namespace(t)
	as := append(
		append([]string{}, in...),
		"setpriv",
		"--reuid",
		"1001",
		"--regid",
		"1001",
		"--clear-groups",
		"--bounding-set=-all",
		"--",
	)
	dir := shared(t, 1001)
	s := serveDir(t, as, dir, shared(t, 1001))
	assert.Equal(t, "12049", s.port)
	assert.Contains(t, s.banner, "no portmap: ")
	from := filepath.Join(t.TempDir(), "f")
	randomFile(t, from, 100_000)
	url := "nfs://127.0.0.1" + dir + "/f?version=3&nfsport=12049&mountport=12049&uid=1001&gid=1001"
	command(t, in[0], append(in[1:], "nfs-cp", from, url)...)
	assert.Equal(t, sum(t, from), sum(t, filepath.Join(dir, "f")))
}
