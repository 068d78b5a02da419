package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// kept is CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SETGID, SETUID, MKNOD and
// LEASE, as the kernel numbers them (linux/capability.h).
const kept = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<6 | 1<<7 | 1<<27 | 1<<28

func TestEveryThreadGivesUpWhatItDoesNotNeed(t *testing.T) {
	dir := t.TempDir()
	p := serve(
		t,
		"--port",
		"0",
		"--portmap",
		"off",
		"--lanes",
		"2",
		"--squash",
		"none",
		"--listen",
		"127.0.0.1",
		dir,
	)
	addr := "127.0.0.1:" + p.port(t)
	c := nfstest.Dial(t, addr)
	root, st := nfstest.Mount(c, dir)
	require.Equal(t, mount3.MNT3_OK, st)
	if os.Geteuid() == 0 {
		work(t, c, root)
	}
	assert.NotContains(t, p.said(), "rights that it does not need")

	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	require.NoError(t, err)
	require.Greater(t, len(tasks), 32, "the workers are missing")
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", p.cmd.Process.Pid, task.Name()))
		if err != nil {
			continue // it has ended
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimSpace(value)
		}
		if strings.HasPrefix(fields["Name"], "iou-") {
			continue // a thread of the kernel's, for the ring
		}
		require.Equal(t, "1", fields["NoNewPrivs"], task.Name())
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"} {
			caps, err := strconv.ParseUint(fields[set], 16, 64)
			require.NoError(t, err)
			if set == "CapBnd" && os.Geteuid() != 0 {
				continue // a process that may not give it up cannot use it either
			}
			require.Zero(
				t,
				caps&^uint64(kept),
				"thread %s (%s): %s %x",
				task.Name(),
				fields["Name"],
				set,
				caps,
			)
		}
	}
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
}

// work does everything for which the server needs rights.
func work(t *testing.T, c *nfstest.Client, root nfstest.FH) {
	t.Helper()
	const user = 61001
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	made := c.Create(root, "file", nfs3.GUARDED, nfstest.Mode(0o600))
	require.Equal(t, nfs3.NFS3_OK, made.Status)
	f := made.Resok.Obj.Handle
	require.Equal(t, nfs3.NFS3_OK, c.Write(f, 0, data, nfs3.FILE_SYNC).Status)
	own := nfstest.Mode(0o600)
	own.Uid, own.Gid = nfs3.SetUid3{SetIt: true, Uid: user}, nfs3.SetGid3{SetIt: true, Gid: user}
	require.Equal(t, nfs3.NFS3_OK, c.Setattr(f, own, nil).Status, "chown")
	his := c.As(user, user)
	require.True(t, bytes.Equal(data, his.Read(f, 0, 1<<20).Resok.Data), "setfsuid, and a pipe of a MiB")
	require.Equal(t, nfs3.NFS3ERR_ACCES, c.As(user+1, user+1).Read(f, 0, 10).Status)
	require.True(t, bytes.Equal(data[:10], c.Read(f, 0, 10).Resok.Data), "root reads everything")
	require.Equal(t, nfs3.NFS3_OK, c.Setattr(f, nfstest.Mode(0o6755), nil).Status, "chmod of another's file")
	require.Equal(t, nfs3.NFS3ERR_ACCES, his.Mkdir(root, "no", nfstest.Mode(0o755)).Status)
	require.Equal(t, nfs3.NFS3_OK, c.Mkdir(root, "yes", nfstest.Mode(0o700)).Status)
	for i := range 64 { // on all workers, as root again after users
		require.Equal(t, nfs3.NFS3_OK, c.Mkdir(root, fmt.Sprint("d", i), nfstest.Mode(0o700)).Status)
		require.Equal(t, nfs3.NFS3ERR_ACCES, his.Mkdir(root, fmt.Sprint("e", i), nfstest.Mode(0o700)).Status)
	}
}
