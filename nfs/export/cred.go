package export

import "github.com/ringnfs/ringnfs/nfs/vfs"

// invalidID is (uid_t)-1. No process can have it. To setfsuid(2) it means "change nothing", so it
// must never reach a back end.
const invalidID = 1<<32 - 1

// groupsStack is how many groups are mapped without allocating. AUTH_SYS has at most 16 (RFC 5531,
// appendix A).
const groupsStack = 16

// Cred returns the credential with which a caller who claims to be uid, gid and groups acts on x.
// It is interned in th.Creds. Cred is called on th's thread, and borrows groups. It allocates only
// for a credential that the thread has not seen yet.
//
// With root squashed, user 0 becomes AnonUID, and group 0 becomes AnonGID, as the primary and as a
// supplementary group. A user or primary group that x.Mapped does not have becomes anonymous; a
// supplementary group that it does not have is left out. A caller without a credential ([Nobody]
// for both and no groups) becomes anonymous with every Squash, and so does each identity of 2^32-1,
// which POSIX does not allow.
func (x *Export) Cred(th *vfs.Thread, uid, gid uint32, groups []uint32) *vfs.Cred {
	if x.Mapped != nil {
		return x.mappedCred(th, uid, gid, groups)
	}
	if x.Squash == SquashAll || uid == Nobody && gid == Nobody && len(groups) == 0 {
		return th.Creds.Intern(x.AnonUID, x.AnonGID, nil)
	}
	if x.anonymous(uid) {
		uid = x.AnonUID
	}
	if x.anonymous(gid) {
		gid = x.AnonGID
	}
	for i, g := range groups {
		if x.anonymous(g) {
			var stack [groupsStack]uint32
			return th.Creds.Intern(uid, gid, x.mapGroups(stack[:0], groups, i))
		}
	}
	return th.Creds.Intern(uid, gid, groups)
}

// mapGroups appends groups to dst. The first i of them need no mapping.
func (x *Export) mapGroups(dst, groups []uint32, i int) []uint32 {
	dst = append(dst, groups[:i]...)
	for _, g := range groups[i:] {
		if x.anonymous(g) {
			g = x.AnonGID
		}
		dst = append(dst, g)
	}
	return dst
}

// anonymous reports whether the user or group id loses its identity. It leaves SquashAll to the
// caller.
func (x *Export) anonymous(id uint32) bool {
	return id == invalidID || id == 0 && x.Squash == SquashRoot
}
