package vfs

import (
	"encoding/binary"
	"slices"
)

// Cred is the user on whose behalf an operation runs, after squashing: what the kernel shall use as
// fsuid, fsgid and supplementary groups. A Cred is immutable. Equal credentials of one [Creds]
// table are the same pointer, so that caches can compare addresses.
type Cred struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // at most 16 from AUTH_SYS (RFC 5531, appendix A)
}

// credsMax bounds a table. When a peer invents identities, the table forgets credentials that have
// not been used since, and only those.
const credsMax = 4096

// Creds interns credentials. It belongs to one thread and takes no lock. The zero value is ready
// for use.
type Creds struct {
	last *Cred // most calls come from the previous call's user
	// A credential is in young, or in old if it has not been used since young was begun. Go's
	// maps hash strings with a key of their own, so nobody can choose credentials that collide.
	young, old map[string]*Cred
	key        []byte
}

// Intern returns the table's Cred with these values, and makes it if it is new. It borrows groups.
// It allocates only for a credential that is new, or that has not been used for long.
func (t *Creds) Intern(uid, gid uint32, groups []uint32) *Cred {
	if c := t.last; c != nil && c.UID == uid && c.GID == gid && slices.Equal(c.Groups, groups) {
		return c
	}
	t.key = binary.LittleEndian.AppendUint32(t.key[:0], uid)
	t.key = binary.LittleEndian.AppendUint32(t.key, gid)
	for _, g := range groups {
		t.key = binary.LittleEndian.AppendUint32(t.key, g)
	}
	c := t.young[string(t.key)]
	if c == nil {
		if c = t.old[string(t.key)]; c == nil {
			c = &Cred{UID: uid, GID: gid, Groups: slices.Clone(groups)}
		}
		if t.young == nil || len(t.young) >= credsMax/2 {
			t.young, t.old = make(map[string]*Cred), t.young
		}
		t.young[string(t.key)] = c
	}
	t.last = c
	return c
}
