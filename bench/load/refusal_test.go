package load

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

func TestWhoeverIsRefusedIsToldWhatHelps(t *testing.T) {
	refuse := func(stat client.AcceptStat, low, high uint32) error {
		return advise(&client.Refused{Stat: stat, Versions: client.Versions{Low: low, High: high}})
	}
	deny := func(stat client.RejectStat, why client.AuthStat) error {
		return advise(&client.Denied{Stat: stat, Why: why})
	}
	status4 := func(op nfs4.NfsOpnum4, st nfs4.Nfsstat4) error {
		return advise(&client4.StatusError{Op: op, Status: st})
	}
	says := func(s string) error { return errors.New(s) }
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"no program":             {refuse(client.PROG_UNAVAIL, 0, 0), []string{"HOST:PORT:/PATH", "--mount-port"}},
		"other versions":         {refuse(client.PROG_MISMATCH, 4, 5), []string{"versions 4 to 5", "version 3", "--nfs"}},
		"other versions, unsaid": {refuse(client.PROG_MISMATCH, 0, 0), []string{"version 3", "--nfs"}},
		"no procedure":           {refuse(client.PROC_UNAVAIL, 0, 0), []string{"leave the workload out"}},
		"an error of the server": {refuse(client.SYSTEM_ERR, 0, 0), []string{"its log"}},
		"another RPC":            {deny(client.RPC_MISMATCH, 0), []string{"is that the port of NFS?"}},
		"another user":           {deny(client.AUTH_ERROR, client.AUTH_BADCRED), []string{"--uid", "--gid", "run as root"}},
		"too weak":               {deny(client.AUTH_ERROR, client.AUTH_TOOWEAK), []string{"run as root", "port below 1024", "Kerberos"}},
		"a mount": {
			says(mountRemedy(mount3.MNT3ERR_ACCES)),
			[]string{"--allow", "run bench as root", "port below 1024", "--insecure"},
		},
		"a mount, by the user": {says(mountRemedy(mount3.MNT3ERR_PERM)), []string{"--allow", "--insecure"}},
		"no such path":         {says(mountRemedy(mount3.MNT3ERR_NOENT)), []string{"showmount -e"}},
		"nobody listens": {
			says(connectRemedy(fmt.Errorf("connect: %w", unix.ECONNREFUSED))),
			[]string{"is the server running", "--mount-port"},
		},
		"no route": {says(connectRemedy(unix.EHOSTUNREACH)), []string{"no way to that machine"}},
		"its directory": {
			statusError(nfs3.NFSPROC3_MKDIR, uint32(nfs3.NFS3ERR_ACCES)),
			[]string{"MKDIR", "root squash", "--squash none", "no_root_squash"},
		},
		"its directory, as owner": {statusError(nfs3.NFSPROC3_MKDIR, uint32(nfs3.NFS3ERR_PERM)), []string{"root squash"}},
		"a full disc": {
			statusError(nfs3.NFSPROC3_CREATE, uint32(nfs3.NFS3ERR_NOSPC)),
			[]string{"CREATE", "--file-size", "--entries"},
		},
		"a quota": {
			statusError(nfs3.NFSPROC3_WRITE, uint32(nfs3.NFS3ERR_DQUOT)),
			[]string{"quota", "--file-size", "--entries", "--uid"},
		},
		"a directory by version 4": {
			status4(nfs4.OP_CREATE, nfs4.NFS4ERR_ACCESS), []string{"CREATE", "root squash", "--squash none"},
		},
		"a full disc by version 4": {status4(nfs4.OP_WRITE, nfs4.NFS4ERR_NOSPC), []string{"WRITE", "--file-size"}},
		"no such minor version":    {status4(nfs4.OP_EXCHANGE_ID, nfs4.NFS4ERR_MINOR_VERS_MISMATCH), []string{"--nfs"}},
		"another flavor":           {status4(nfs4.OP_LOOKUP, nfs4.NFS4ERR_WRONGSEC), []string{"sec=sys"}},
		"no such path by version 4": {
			says(walkRemedy(status4(nfs4.OP_LOOKUP, nfs4.NFS4ERR_NOENT))), []string{"below a root of its own"},
		},
		"an export by version 4": {
			says(walkRemedy(status4(nfs4.OP_LOOKUP, nfs4.NFS4ERR_ACCESS))), []string{"--allow"},
		},
		"a read-only export": {statusError(nfs3.NFSPROC3_MKDIR, uint32(nfs3.NFS3ERR_ROFS)), []string{"read-only"}},
	} {
		for _, word := range c.want {
			require.ErrorContains(t, c.err, word, name)
		}
	}
	require.NotContains(
		t,
		statusError(nfs3.NFSPROC3_READ, uint32(nfs3.NFS3ERR_ACCES)).Error(),
		"squash",
		"that is about making the directory",
	)
	require.Empty(t, mountRemedy(mount3.MNT3ERR_IO))
	require.Empty(t, walkRemedy(errors.New("other")))
	require.Empty(t, walkRemedy(status4(nfs4.OP_LOOKUP, nfs4.NFS4ERR_IO)))
	require.Empty(t, connectRemedy(unix.ETIMEDOUT))
}
