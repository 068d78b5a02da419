package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// TestAUserServesHisHomeAndKeepsTheKey: by default the state directory is in the home.
func TestAUserServesHisHomeAndKeepsTheKey(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: several users")
	}
	const mine = 61003
	home := reachable(t, mine)
	as := func(c *exec.Cmd) {
		c.Path = programFor(t)
		c.Env = append(
			slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, "XDG_STATE_HOME=") }),
			"HOME="+home,
		)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: mine, Gid: mine}}
	}
	p := serveBy(t, as, "--port", "0", "--portmap", "off", "--listen", "127.0.0.1", home)
	state := filepath.Join(home, ".local/state/ringnfs")
	require.FileExists(t, filepath.Join(state, "handle.key"))
	assert.Contains(t, p.said(), "the state directory "+state+" lies in the export")
	c := nfstest.DialAs(t, mine, "127.0.0.1:"+p.port(t))
	at, st := nfstest.Mount(c, home)
	require.Equal(t, mount3.MNT3_OK, st)
	for _, name := range []string{".local", "state", "ringnfs"} {
		res := c.Lookup(at, name)
		require.Equal(t, nfs3.NFS3_OK, res.Status)
		at = res.Resok.Object
	}
	assert.Equal(t, nfs3.NFS3ERR_ACCES, c.Lookup(at, "handle.key").Status)
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
}
