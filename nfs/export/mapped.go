package export

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Mapped is the users and groups that a process in a user namespace can act for. The kernel refuses
// every other identity. It refuses a whole list of groups if one of them is not mapped.
type Mapped struct {
	Users, Groups vfs.IDs
	// Missing is called once, with the first identity that is not mapped. It is called on a
	// lane, and must not block.
	Missing func(what string, id uint32)

	told atomic.Bool
}

// has reports whether id is among ids. If not, it calls Missing the first time. what names the kind
// of id.
func (m *Mapped) has(ids vfs.IDs, what string, id uint32) bool {
	if ids.Has(id) {
		return true
	}
	if m.Missing != nil && !m.told.Load() && m.told.CompareAndSwap(false, true) {
		m.Missing(what, id)
	}
	return false
}

// mappedCred is Cred in a user namespace.
func (x *Export) mappedCred(th *vfs.Thread, uid, gid uint32, groups []uint32) *vfs.Cred {
	if x.Squash == SquashAll || uid == Nobody && gid == Nobody && len(groups) == 0 {
		return th.Creds.Intern(x.AnonUID, x.AnonGID, nil)
	}
	m := x.Mapped
	if x.anonymous(uid) || !m.has(m.Users, "user", uid) {
		uid = x.AnonUID
	}
	if x.anonymous(gid) || !m.has(m.Groups, "group", gid) {
		gid = x.AnonGID
	}
	var stack [groupsStack]uint32
	kept := stack[:0]
	for _, g := range groups {
		switch {
		case x.anonymous(g):
			kept = append(kept, x.AnonGID)
		case m.has(m.Groups, "group", g):
			kept = append(kept, g)
		}
	}
	return th.Creds.Intern(uid, gid, kept)
}
