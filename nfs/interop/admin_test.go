//go:build interop

package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAdministration does on a client what administrators do by hand: mounts of all kinds,
// showmount, rpcinfo, changes on the server itself.
func TestAdministration(t *testing.T) {
	t.Parallel()
	need(t, "showmount", "rpcinfo")
	guest{fs: "ext4", script: "admin.sh", vers: "none", flags: "--squash none --portmap on"}.run(t).
		steps(t, "banner_line", "version_falls_back", "subdirectory", "no_way_out", "showmount", "rpcinfo", "behind_its_back")
}

// TestDisk fills a small file system, and makes one read-only.
func TestDisk(t *testing.T) {
	t.Parallel()
	need(t, "mkfs.ext4")
	guest{fs: "ext4", script: "disk.sh", size: "40m"}.run(t).steps(t, "full", "full_of_names", "space_comes_back", "read_only")
}

// TestReadOnlyExport tests that --ro refuses every change.
func TestReadOnlyExport(t *testing.T) {
	t.Parallel()
	guest{fs: "tmpfs", script: "readonly.sh", flags: "--squash none --ro"}.run(t).steps(t, "read_only_export")
}

// namespace makes a network of its own, with nothing but loopback. It returns the command that runs
// others in it.
func namespace(t *testing.T) []string {
	t.Helper()
	needRoot(t)
	need(t, "ip")
	name := fmt.Sprintf("ringnfs-%d-%s", os.Getpid(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
	if len(name) > 60 {
		name = name[:60]
	}
	command(t, "ip", "netns", "add", name)
	t.Cleanup(func() {
		if out, err := try("ip", "netns", "del", name); err != nil {
			t.Errorf("ip netns del %s: %v\n%s", name, err, out)
		}
	})
	command(t, "ip", "-n", name, "link", "set", "lo", "up")
	return []string{"ip", "netns", "exec", name}
}

// TestDefaultPorts tests that a server of root's that is given only a directory serves on the usual
// ports of NFS, on loopback only.
func TestDefaultPorts(t *testing.T) {
	t.Parallel()
	need(t, "showmount", "rpcinfo", "nfs-ls")
	in := namespace(t)
	s := serve(t, in)
	run := func(args ...string) string {
		return command(t, in[0], append(append([]string{}, in[1:]...), args...)...)
	}
	assert.Equal(t, "2049", s.port)
	assert.Equal(t, "2049", s.mount)
	assert.Contains(t, s.banner, "portmap on port 111")
	for _, address := range []string{"127.0.0.1", "::1"} {
		assert.Regexp(t, `100003\s+(3,4|4,3)\s+tcp\S*\s.*`, run("rpcinfo", "-s", address))
	}
	assert.Regexp(t, `100003\s+3\s+tcp\s+2049\s`, run("rpcinfo", "-p", "127.0.0.1"))
	assert.Regexp(t, `100003\s+4\s+tcp\s+2049\s`, run("rpcinfo", "-p", "127.0.0.1"))
	assert.Regexp(t, `100005\s+3\s+udp\s+2049\s`, run("rpcinfo", "-p", "127.0.0.1"))
	assert.Contains(t, run("showmount", "-e", "127.0.0.1"), s.dir)
	require.NoError(t, os.WriteFile(s.dir+"/seen", nil, 0o644))
	assert.Contains(t, run("nfs-ls", "nfs://127.0.0.1"+s.dir+"?version=3"), "seen")
	for _, line := range strings.Split(strings.TrimSpace(run("ss", "-Hltun")), "\n") {
		local := strings.Fields(line)[4]
		assert.True(t, strings.HasPrefix(local, "127.0.0.1:") || strings.HasPrefix(local, "[::1]:"), "listens on %s", local)
	}
}
