// Package acl holds access control lists as values: the lists that back ends keep and protocols
// carry. It makes no system call and knows no file.
//
// A [List] is a POSIX ACL (acl(5), withdrawn POSIX 1003.1e draft 17). [FromMode] and [List.Mode]
// convert it from and to permission bits. [ParseXattr] and [AppendXattr] convert it from and to the
// value of the extended attributes system.posix_acl_access and system.posix_acl_default, in the
// kernel's layout.
package acl

import (
	"cmp"
	"slices"
)

// Tag says whom an entry is for, in the kernel's numbers (linux/posix_acl.h).
type Tag uint16

// Whom an entry is for.
const (
	UserObj  Tag = 0x01 // the owner
	User     Tag = 0x02 // the user whose id the entry has
	GroupObj Tag = 0x04 // the owning group
	Group    Tag = 0x08 // the group whose id the entry has
	Mask     Tag = 0x10 // the most that User, GroupObj and Group entries grant
	Other    Tag = 0x20 // everybody else
)

// Perm is a set of rights: 4 to read, 2 to write, 1 to execute or search.
type Perm uint8

// PermAll is all rights.
const PermAll Perm = 7

// Entry is one entry of a list. ID matters for User and Group only.
type Entry struct {
	Tag  Tag
	Perm Perm
	ID   uint32
}

// List is an access control list. nil means that there is none: only the permission bits count.
type List []Entry

// Valid reports whether l can be a list: one entry each for the owner, the owning group and others,
// one User or Group entry for each id, and at most one Mask. There must be a Mask if there are User
// or Group entries. The order does not matter.
func (l List) Valid() bool {
	var once Tag // tags seen that may occur once
	named := false
	ids := make(map[Entry]bool)
	for _, e := range l {
		if e.Perm > PermAll {
			return false
		}
		switch e.Tag {
		case UserObj, GroupObj, Mask, Other:
			if once&e.Tag != 0 {
				return false
			}
			once |= e.Tag
		case User, Group:
			key := Entry{Tag: e.Tag, ID: e.ID}
			if ids[key] {
				return false
			}
			ids[key], named = true, true
		default:
			return false
		}
	}
	return once&^Mask == UserObj|GroupObj|Other && (!named || once&Mask != 0)
}

// Sort puts the entries into the kernel's order: by tag, then by id.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Entry) int {
		if c := cmp.Compare(a.Tag, b.Tag); c != 0 || a.Tag != User && a.Tag != Group {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

// FromMode returns the list that grants the same as permission bits.
func FromMode(mode uint32) List {
	return List{
		{Tag: UserObj, Perm: Perm(mode>>6) & PermAll},
		{Tag: GroupObj, Perm: Perm(mode>>3) & PermAll},
		{Tag: Other, Perm: Perm(mode) & PermAll},
	}
}

// Mode returns the permission bits, at most 0777, of an object with the list l. exact says whether
// they grant the same as l. l must be valid.
func (l List) Mode() (mode uint32, exact bool) {
	exact = true
	group, mask := Perm(0), Perm(0)
	masked := false
	for _, e := range l {
		switch e.Tag {
		case UserObj:
			mode |= uint32(e.Perm) << 6
		case GroupObj:
			group = e.Perm
		case Other:
			mode |= uint32(e.Perm)
		case Mask:
			mask, masked, exact = e.Perm, true, false
		default:
			exact = false
		}
	}
	if masked {
		group = mask
	}
	return mode | uint32(group)<<3, exact
}
