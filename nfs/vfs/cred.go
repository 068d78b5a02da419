package vfs

import "slices"

// Cred is who is asking, after squashing: what the kernel shall use as fsuid,
// fsgid and supplementary groups. A Cred is immutable. Equal credentials of one
// [Creds] table are the same pointer, so that caches compare addresses.
type Cred struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // at most 16 from AUTH_SYS (RFC 5531, appendix A)
}

// credsMax bounds a table; a peer that invents identities only makes the table
// start anew.
const credsMax = 4096

// Creds interns credentials. It belongs to one thread and takes no lock. The
// zero value is ready for use.
type Creds struct {
	m map[credKey][]*Cred
	n int
}

type credKey struct {
	uid, gid uint32
	sum      uint32
}

// Intern returns the table's Cred with these values and makes it when it is new.
// groups is borrowed. Only a new credential allocates.
func (t *Creds) Intern(uid, gid uint32, groups []uint32) *Cred {
	k := credKey{uid: uid, gid: gid, sum: uint32(len(groups))}
	for _, g := range groups {
		k.sum = k.sum*0x9e3779b1 + g
	}
	for _, c := range t.m[k] {
		if slices.Equal(c.Groups, groups) {
			return c
		}
	}
	if t.m == nil || t.n >= credsMax {
		t.m, t.n = make(map[credKey][]*Cred), 0
	}
	c := &Cred{UID: uid, GID: gid, Groups: slices.Clone(groups)}
	t.m[k] = append(t.m[k], c)
	t.n++
	return c
}
