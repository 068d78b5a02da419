package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// advice is an error that says what to do.
type advice struct {
	text string
	err  error
}

func (a *advice) Error() string { return a.text }

// Unwrap returns the error of package client.
func (a *advice) Unwrap() error { return a.err }

// refused says what an accept_stat means, and what to do (RFC 5531, section 9).
func refused(e *client.Refused) error {
	says := "the server refused the call"
	switch e.Stat {
	case client.PROG_UNAVAIL:
		says = "the server has no such program at that port: give the port of NFS in the target, HOST:PORT:/PATH, and that of MOUNT by --mount-port (rpcinfo -p HOST lists them)"
	case client.PROG_MISMATCH:
		says = "the server does not have that version of the program, such as version 3: switch it on there, or say --nfs with another"
		if v := e.Versions; v.High > 0 {
			says = fmt.Sprintf(
				"the server has versions %d to %d of the program: say --nfs with one of them, or switch on there what bench asks for, version 3 unless --nfs says another",
				v.Low,
				v.High,
			)
		}
	case client.PROC_UNAVAIL:
		says = "the server does not have that procedure: leave the workload out"
	case client.GARBAGE_ARGS:
		says = "the server did not understand the arguments: one of the two programs has a fault"
	case client.SYSTEM_ERR:
		says = "the server failed: look into its log"
	default:
	}
	return &advice{fmt.Sprintf("%s (accept_stat %d)", says, e.Stat), e}
}

// denied says why a server would not look at a call (RFC 5531, section 9).
func denied(e *client.Denied) error {
	if e.Stat == client.RPC_MISMATCH {
		return &advice{
			"the server speaks another version of RPC (reject_stat 0): is that the port of NFS?",
			e,
		}
	}
	says := "its credential is not accepted"
	switch e.Why {
	case client.AUTH_BADCRED, client.AUTH_BADVERF:
		says = "it does not believe the caller: a user can only call as that user, so leave --uid and --gid out, or run as root"
	case client.AUTH_TOOWEAK:
		says = "it wants a stronger proof of who calls: leave --uid and --gid out, or run as root, who may be anybody and has a port below 1024; if it wants Kerberos, bench cannot measure it"
	default:
	}
	return &advice{
		fmt.Sprintf("the server denied the call: %s (reject_stat %d, auth_stat %d)", says, e.Stat, e.Why),
		e,
	}
}

// mountRemedy says what to do about a refused mount.
func mountRemedy(st mount3.Mountstat3) string {
	switch st {
	case mount3.MNT3ERR_ACCES, mount3.MNT3ERR_PERM:
		return ": the server does not let this machine or user mount it (ringnfs serve --allow; " +
			"exports(5) of the kernel's); from another machine, run bench as root, who has a port below " +
			"1024, or have the server take any (ringnfs serve --insecure)"
	case mount3.MNT3ERR_NOENT, mount3.MNT3ERR_NOTDIR:
		return ": name a path that the server exports (showmount -e HOST lists them)"
	default:
		return ""
	}
}

// walkRemedy says what to do when version 4 does not find the export.
func walkRemedy(err error) string {
	var failed *client4.StatusError
	if !errors.As(err, &failed) {
		return ""
	}
	switch failed.Status {
	case nfs4.NFS4ERR_NOENT, nfs4.NFS4ERR_NOTDIR:
		return ": name the path that clients of NFSv4 mount, which a server may have below a root of its own"
	case nfs4.NFS4ERR_ACCESS, nfs4.NFS4ERR_PERM:
		return mountRemedy(mount3.MNT3ERR_ACCES)
	default:
		return ""
	}
}

// connectRemedy says what to do if nobody answers.
func connectRemedy(err error) string {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return ": is the server running, and is that its port? HOST:PORT:/PATH names another, --mount-port that of MOUNT"
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return ": there is no way to that machine"
	}
	return ""
}
