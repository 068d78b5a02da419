package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func TestWhoeverIsRefusedIsToldWhatHelps(t *testing.T) {
	versions := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 4), 5)
	says := func(s string) error { return errors.New(s) }
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"no program":             {refused(1, nil), []string{"HOST:PORT:/PATH", "--mount-port"}},
		"other versions":         {refused(2, versions), []string{"versions 4 to 5", "version 3"}},
		"other versions, unsaid": {refused(2, versions[:4]), []string{"version 3"}},
		"no procedure":           {refused(3, nil), []string{"leave the workload out"}},
		"an error of the server": {refused(5, nil), []string{"its log"}},
		"another RPC":            {denied(0, 0), []string{"is that the port of NFS?"}},
		"another user":           {denied(1, 1), []string{"--uid", "--gid", "run as root"}},
		"too weak":               {denied(1, 5), []string{"run as root", "port below 1024", "Kerberos"}},
		"a mount": {
			says(mountRemedy(mount.MNT3ERR_ACCES)),
			[]string{"--allow", "run bench as root", "port below 1024", "--insecure"},
		},
		"a mount, by the user": {says(mountRemedy(mount.MNT3ERR_PERM)), []string{"--allow", "--insecure"}},
		"no such path":         {says(mountRemedy(mount.MNT3ERR_NOENT)), []string{"showmount -e"}},
		"nobody listens": {
			says(connectRemedy(fmt.Errorf("connect: %w", unix.ECONNREFUSED))),
			[]string{"is the server running", "--mount-port"},
		},
		"no route": {says(connectRemedy(unix.EHOSTUNREACH)), []string{"no way to that machine"}},
		"its directory": {
			statusError(procMkdir, uint32(nfs3.NFS3ERR_ACCES)),
			[]string{"MKDIR", "root squash", "--squash none", "no_root_squash"},
		},
		"its directory, as owner": {statusError(procMkdir, uint32(nfs3.NFS3ERR_PERM)), []string{"root squash"}},
		"a full disc": {
			statusError(procCreate, uint32(nfs3.NFS3ERR_NOSPC)),
			[]string{"CREATE", "--file-size", "--entries"},
		},
		"a quota": {
			statusError(procWrite, uint32(nfs3.NFS3ERR_DQUOT)),
			[]string{"quota", "--file-size", "--entries", "--uid"},
		},
		"a read-only export": {statusError(procMkdir, uint32(nfs3.NFS3ERR_ROFS)), []string{"read-only"}},
	} {
		for _, word := range c.want {
			require.ErrorContains(t, c.err, word, name)
		}
	}
	require.NotContains(
		t,
		statusError(procRead, uint32(nfs3.NFS3ERR_ACCES)).Error(),
		"squash",
		"that is about making the directory",
	)
	require.Empty(t, mountRemedy(mount.MNT3ERR_IO))
	require.Empty(t, connectRemedy(unix.ETIMEDOUT))
}
