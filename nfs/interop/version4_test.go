//go:build interop

package interop

import "testing"

// versions is the flag of a server that answers all versions.
const versions = "--squash none --versions 3,4.0,4.1,4.2"

// TestVersion4 has the kernel's client mount each minor version of NFS version 4, and work as an
// ordinary user does. One boot each.
func TestVersion4(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vers, fs, opts string
		steps          []string
	}{
		{"4.0", "tmpfs", "", []string{"basic", "excl", "locks"}},
		{"4.1", "ext4", "nconnect=4", []string{"basic", "oddio", "locks"}},
		{"4.2", "xfs", "nconnect=4", []string{
			"basic", "excl", "dir", "oddio", "mmap", "locks", "fallocate", "clone", "sparse", "xattrs", "perm",
		}},
	} {
		t.Run(c.vers, func(t *testing.T) {
			t.Parallel()
			if full() {
				c.steps = append(c.steps, "cpinclude", "git", "sqlite")
			}
			g := guest{
				fs: c.fs, vers: c.vers, opts: c.opts, flags: versions, script: "smoke.sh",
				args: c.steps, env: less,
			}
			if c.vers != "4.2" {
				g.run(t).steps(t, c.steps...)
				return
			}
			g.recorded(t).check(t, 1000, "EXCHANGE_ID", "CREATE_SESSION", "SEQUENCE", "PUTFH", "LOOKUP", "GETATTR", "ACCESS", "OPEN", "READ",
				"WRITE", "COMMIT", "CLOSE", "LOCK", "LOCKU", "READDIR", "CREATE", "REMOVE", "RENAME", "LINK", "CLONE", "COPY",
				"ALLOCATE", "DEALLOCATE", "SEEK", "GETXATTR", "SETXATTR", "LISTXATTRS", "REMOVEXATTR", "DESTROY_SESSION")
		})
	}
}

// TestTwoClients has two clients share files and locks with each other, with programs of the
// server's machine and with a client of version 3, also while the server is killed.
func TestTwoClients(t *testing.T) {
	t.Parallel()
	list := []string{"4.2"}
	if full() {
		list = append(list, "4.1", "4.0")
	}
	for _, vers := range list {
		t.Run(vers, func(t *testing.T) {
			guest{
				fs: "ext4", vers: vers, flags: versions, script: "two.py", clients: 2, restart: true,
			}.run(t).steps(t, "close-to-open", "conflicts", "read-only", "handed-over", "machine",
				"removed", "old-and-new", "killed", "counted")
		})
	}
}
