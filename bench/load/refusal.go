package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount"
)

// refusal is a call that the server did not let a program have.
type refusal struct {
	stat uint32 // accept_stat (RFC 5531, section 9)
	says string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (accept_stat %d)", r.says, r.stat) }

// refused says what an accept_stat means, and what to do. rest is what follows it.
func refused(stat uint32, rest []byte) error {
	says := "the server refused the call"
	switch stat {
	case 1: // PROG_UNAVAIL
		says = "the server has no such program at that port: give the port of NFS in the target, HOST:PORT:/PATH, and that of MOUNT by --mount-port (rpcinfo -p HOST lists them)"
	case 2: // PROG_MISMATCH
		says = "the server does not have version 3 of the program: switch it on there"
		if len(rest) >= 8 {
			says = fmt.Sprintf("the server has versions %d to %d of the program, and bench speaks version 3: switch that on there",
				binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:]))
		}
	case 3: // PROC_UNAVAIL
		says = "the server does not have that procedure: leave the workload out"
	case 4: // GARBAGE_ARGS
		says = "the server did not understand the arguments: one of the two programs has a fault"
	case 5: // SYSTEM_ERR
		says = "the server failed: look into its log"
	}
	return &refusal{stat: stat, says: says}
}

// denied says why a server would not look at a call (RFC 5531, section 9).
func denied(reject, auth uint32) error {
	if reject == 0 {
		return errors.New("the server speaks another version of RPC (reject_stat 0): is that the port of NFS?")
	}
	says := "its credential is not accepted"
	switch auth {
	case 1, 3: // BADCRED, BADVERF
		says = "it does not believe the caller: a user can only call as that user, so leave --uid and --gid out, or run as root"
	case 5: // TOOWEAK
		says = "it wants a stronger proof of who calls: leave --uid and --gid out, or run as root, who may be anybody and has a port below 1024; if it wants Kerberos, bench cannot measure it"
	}
	return fmt.Errorf("the server denied the call: %s (reject_stat %d, auth_stat %d)", says, reject, auth)
}

// mountRemedy says what to do about a refused mount.
func mountRemedy(st mount.Mountstat3) string {
	switch st {
	case mount.MNT3ERR_ACCES, mount.MNT3ERR_PERM:
		return ": the server does not let this machine or user mount it (ringnfs serve --allow; " +
			"exports(5) of the kernel's); from another machine, run bench as root, who has a port below " +
			"1024, or have the server take any (ringnfs serve --insecure)"
	case mount.MNT3ERR_NOENT, mount.MNT3ERR_NOTDIR:
		return ": name a path that the server exports (showmount -e HOST lists them)"
	default:
		return ""
	}
}

// connectRemedy says what to do when nobody answers.
func connectRemedy(err error) string {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return ": is the server running, and is that its port? HOST:PORT:/PATH names another, --mount-port that of MOUNT"
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return ": there is no way to that machine"
	}
	return ""
}
