package nfs

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/notice"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// journal writes the log lines that peers cause, each kind with a limit of its own. Lanes, workers
// and datagram sockets call its methods.
type journal struct {
	log *slog.Logger // immutable
	// one limit for each kind of line
	claims, refusals, mounts, unmounted notice.Limit
}

// Mounts that are granted may be logged more often than failures.
const (
	mountsBurst = 100
	mountsEvery = time.Second
)

func newJournal(log *slog.Logger) *journal {
	j := &journal{log: log}
	j.mounts.Burst, j.mounts.Every = mountsBurst, mountsEvery
	return j
}

// claimed is rpc.Server.OnClaim.
func (j *journal) claimed(c *rpc.Call, claim rpc.Claim, group uint32) {
	j.claims.Log(j.log, slog.LevelWarn, "a process of this machine is refused", func() []any {
		why, remedy := "", ""
		switch claim {
		case rpc.ClaimUser:
			why = fmt.Sprintf("its socket is user %d's and it claims to be user %d", c.Origin.UID, c.Auth.UID)
			remedy = "call as that user, or as root (a tunnel: log in as root)"
		case rpc.ClaimGroup:
			why = fmt.Sprintf("it claims to be in group %d, and user %d is not", group, c.Origin.UID)
			remedy = "call without that group, or make the user a member of it"
			if c.Origin.Unsure {
				why = fmt.Sprintf(
					"it claims to be in group %d, and the system's database of users does not tell the groups of user %d",
					group,
					c.Origin.UID,
				)
				remedy = "see why it does not (getent initgroups of that user); it is asked again within seconds"
			}
		case rpc.ClaimAny:
			why = "nobody knows whose its socket is"
			remedy = "call as root from a port below 1024, or without a credential; the notes at the start say whether the kernel tells whose sockets are"
		case rpc.ClaimService:
			why = fmt.Sprintf("its socket is user %d's", c.Origin.UID)
			remedy = "the server cannot act for other users, and serves root and its own user only; serve as root to have all"
		case rpc.ClaimOK:
		}
		return []any{"peer", c.Peer, "why", why, "remedy", remedy}
	})
}

// refused is Config.Refused of v3 and nfsacl.
func (j *journal) refused(c *rpc.Call, x *export.Export, why export.Refusal) {
	j.refusals.Log(j.log, slog.LevelWarn, "a client is refused", func() []any {
		return []any{"peer", c.Peer, "export", x.Path, "why", why}
	})
}

// mounted is mount.Config.Answered.
func (j *journal) mounted(c *rpc.Call, a mount.Answer) {
	if a.Status == mount3.MNT3_OK {
		j.mounts.Log(j.log, slog.LevelInfo, "mounted", func() []any {
			return []any{"peer", c.Peer, "path", a.Path, "uid", c.Auth.UID}
		})
		return
	}
	j.unmounted.Log(j.log, slog.LevelInfo, "mount refused", func() []any {
		return []any{"peer", c.Peer, "path", a.Path, "uid", c.Auth.UID, "why", a.Why}
	})
}
