//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sizes are those at which transfers begin to differ: nothing, less than a word of padding, a page,
// more than one READ or WRITE, many.
var sizes = []int64{0, 1, 1000, 4095, 4096, 1<<20 + 3, 24<<20 + 1}

// TestLibnfs moves files with libnfs's programs, both ways, by version 3 and by version 4.0.
func TestLibnfs(t *testing.T) {
	t.Parallel()
	needRoot(t) // libnfs says that it is root, and so is the files' owner
	need(t, "nfs-cp", "nfs-ls", "nfs-cat")
	for _, version := range []string{"3", "4"} {
		t.Run("version "+version, func(t *testing.T) { libnfs(t, version) })
	}
}

func libnfs(t *testing.T, version string) {
	s := serve(t, nil, append([]string{"--versions", "3,4.0"}, anyPort...)...)
	calls := capture(t, nil, "lo", s)
	local := t.TempDir()
	at := func(path string) string {
		return fmt.Sprintf("nfs://127.0.0.1%s?nfsport=%s&mountport=%s&version=%s", path, s.port, s.mount, version)
	}
	url := func(name string) string { return at(s.dir + "/" + name) }
	for _, n := range sizes {
		t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
			name := fmt.Sprintf("f%d", n)
			from, back := filepath.Join(local, name), filepath.Join(local, name+".back")
			randomFile(t, from, n)
			if version == "4" && n > 1000 {
				// libnfs 4.0 cannot send a longer WRITE of version 4: its buffer of a call is too small.
				require.NoError(t, copyFile(filepath.Join(s.dir, name), from))
			} else {
				command(t, "nfs-cp", from, url(name))
			}
			assert.Equal(t, sum(t, from), sum(t, filepath.Join(s.dir, name)), "what the server has")
			command(t, "nfs-cp", url(name), back)
			assert.Equal(t, sum(t, from), sum(t, back), "what comes back")
			out, err := exec.Command("nfs-cat", url(name)).Output()
			require.NoError(t, err)
			assert.Len(t, out, int(n))
		})
	}
	t.Run("listing", func(t *testing.T) {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, "d"), 0o755))
		for i := range 300 {
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, "d", fmt.Sprintf("a-name-of-some-length-%03d", i)), nil, 0o644))
		}
		list := command(t, "nfs-ls", url("d"))
		assert.Equal(t, 300, strings.Count(list, "a-name-of-some-length-"))
		assert.Contains(t, command(t, "nfs-ls", "-R", url("")), "a-name-of-some-length-299")
	})
	if version == "4" {
		t.Run("above the export", func(t *testing.T) { // its names alone
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(s.dir), "beside"), nil, 0o644))
			out := command(t, "nfs-ls", at(filepath.Dir(s.dir)))
			assert.Contains(t, out, filepath.Base(s.dir))
			assert.NotContains(t, out, "beside")
		})
		calls.check(t, 150, "OPEN", "READ", "WRITE", "CLOSE", "LOOKUP", "READDIR", "SETCLIENTID")
		return
	}
	t.Run("by the short path of the only export", func(t *testing.T) {
		assert.Contains(t, command(t, "nfs-ls", at("/")), "f4096")
	})
	t.Run("outside of the export", func(t *testing.T) {
		out, err := try("nfs-ls", at(filepath.Dir(s.dir)))
		assert.Error(t, err, out)
	})
	calls.check(t, 200, "READ", "WRITE", "LOOKUP", "READDIRPLUS", "MNT")
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// TestGoClient moves files with a client written in Go, both ways.
func TestGoClient(t *testing.T) {
	t.Parallel()
	needRoot(t)
	client := filepath.Join(t.TempDir(), "goclient")
	build := exec.Command("go", "build", "-o", client, ".")
	build.Dir = filepath.Join(here, "goclient")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	s := serve(t, nil, anyPort...)
	calls := capture(t, nil, "lo", s)
	local := t.TempDir()
	do := func(t *testing.T, args ...string) string {
		t.Helper()
		return command(t, client, append([]string{"127.0.0.1:" + s.port, s.dir}, args...)...)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
			name := fmt.Sprintf("f%d", n)
			from, back := filepath.Join(local, name), filepath.Join(local, name+".back")
			randomFile(t, from, n)
			do(t, "put", from, name)
			assert.Equal(t, sum(t, from), sum(t, filepath.Join(s.dir, name)), "what the server has")
			do(t, "get", name, back)
			assert.Equal(t, sum(t, from), sum(t, back), "what comes back")
		})
	}
	t.Run("names", func(t *testing.T) {
		do(t, "mkdir", "d")
		do(t, "mv", "f1", "d/moved")
		list := do(t, "ls", "d")
		assert.Contains(t, list, "moved 1 false")
		assert.NoFileExists(t, filepath.Join(s.dir, "f1"))
		do(t, "rm", "d/moved")
		do(t, "rmdir", "d")
		assert.NoDirExists(t, filepath.Join(s.dir, "d"))
	})
	calls.check(t, 100, "READ", "WRITE", "CREATE", "COMMIT", "READDIRPLUS", "RENAME", "MKDIR", "RMDIR", "REMOVE", "MNT", "UMNT")
}
