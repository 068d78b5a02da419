package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// having starts a process as root with these capabilities and no others.
func having(t *testing.T, caps ...string) func(*exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skipf("needs setpriv: %v", err)
	}
	return func(cmd *exec.Cmd) {
		cmd.Args = append(
			[]string{setpriv, "--inh-caps=-all", "--bounding-set=-all,+" + strings.Join(caps, ",+"), cmd.Path},
			cmd.Args[1:]...)
		cmd.Path = setpriv
	}
}

// These are the capabilities that README and operations.md say a container needs.
func TestUsersFilesAreServedWithFewCapabilities(t *testing.T) {
	const user = 61001
	for name, caps := range map[string][]string{
		"all that are named":      {"setuid", "setgid", "dac_override", "dac_read_search", "fowner"},
		"without FOWNER":          {"setuid", "setgid", "dac_override", "dac_read_search"},
		"without DAC_READ_SEARCH": {"setuid", "setgid", "dac_override", "fowner"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := having(t, caps...)
			dir := t.TempDir() // on a disk, where access times are noted
			for _, name := range []string{"own", "shared"} {
				p := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(p, []byte("content"), 0o600))
				require.NoError(t, os.Chown(p, user, user))
			}
			require.NoError(t, os.Chmod(filepath.Join(dir, "shared"), 0o666))
			p := serveBy(t, by, "--portmap", "off", "--port", "0", "--listen", "127.0.0.1",
				"--state-dir", t.TempDir(), dir)
			c, root := p.mounted(t, dir)
			his, others := c.As(user, user), c.As(user+1, user+1)
			for _, c := range []*nfstest.Client{his, others} {
				for _, name := range []string{"own", "shared"} {
					res := c.Lookup(root, name)
					require.Equal(t, nfs3.NFS3_OK, res.Status)
					want := nfs3.NFS3_OK
					if c == others && name == "own" {
						want = nfs3.NFS3ERR_ACCES
					}
					require.Equal(t, want, c.Read(res.Resok.Object, 0, 100).Status, name)
					require.Equal(t, want, c.Write(res.Resok.Object, 0, []byte("C"), nfs3.UNSTABLE).Status, name)
				}
			}
			// A client does this for open(O_TRUNC) by a user who may write.
			empty := nfs3.Sattr3{
				Size:  nfs3.SetSize3{SetIt: true},
				Mtime: nfs3.SetMtime{SetIt: nfs3.SET_TO_SERVER_TIME},
			}
			require.Equal(
				t,
				nfs3.NFS3_OK,
				others.Setattr(others.Lookup(root, "shared").Resok.Object, empty, nil).Status,
			)
			require.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
			var st unix.Stat_t
			require.NoError(t, unix.Stat(filepath.Join(dir, "shared"), &st))
			require.Zero(t, st.Size)
		})
	}
}

func TestTooFewCapabilitiesAreRefusedWithTheRemedy(t *testing.T) {
	for missing, caps := range map[string][]string{
		"CAP_DAC_OVERRIDE":          {"setuid", "setgid", "dac_read_search", "fowner"},
		"CAP_SETUID and CAP_SETGID": {"dac_override", "dac_read_search", "fowner"},
	} {
		by := having(t, caps...)
		needRing(t)
		cmd := command(t, "serve", "--portmap", "off", "--port", "0", "--state-dir", t.TempDir(), t.TempDir())
		by(cmd)
		require.Contains(t, refused(t, cmd), "give the process "+missing)
	}
}
