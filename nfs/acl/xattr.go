package acl

import (
	"encoding/binary"
	"errors"
)

// The extended attributes in which lists are kept (linux/xattr.h).
const (
	XattrAccess  = "system.posix_acl_access"
	XattrDefault = "system.posix_acl_default"
)

// The layout of their value (linux/posix_acl_xattr.h), little endian: the version in 32 bits; then
// for each entry its tag and its rights in 16 bits each and its id in 32.
const (
	xattrVersion = 2
	headerLen    = 4
	entryLen     = 8
	noID         = 1<<32 - 1 // of entries that have no id
)

// XattrLen returns the length in bytes of the value of a list of n entries.
func XattrLen(n int) int { return headerLen + n*entryLen }

var errXattr = errors.New("acl: not the value of a POSIX ACL's extended attribute")

// ParseXattr reads the value of one of these attributes. It returns nil for a value
// without entries.
func ParseXattr(b []byte) (List, error) {
	le := binary.LittleEndian
	if len(b) < headerLen || (len(b)-headerLen)%entryLen != 0 || le.Uint32(b) != xattrVersion {
		return nil, errXattr
	}
	var l List
	for b = b[headerLen:]; len(b) > 0; b = b[entryLen:] {
		e := Entry{Tag: Tag(le.Uint16(b)), ID: le.Uint32(b[4:])}
		perm := le.Uint16(b[2:])
		if perm > uint16(PermAll) {
			return nil, errXattr
		}
		if e.Perm = Perm(perm); e.Tag != User && e.Tag != Group {
			e.ID = 0
		}
		l = append(l, e)
	}
	return l, nil
}

// AppendXattr appends to b the value for l.
func AppendXattr(b []byte, l List) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, xattrVersion)
	for _, e := range l {
		id := e.ID
		if e.Tag != User && e.Tag != Group {
			id = noID
		}
		b = le.AppendUint16(b, uint16(e.Tag))
		b = le.AppendUint16(b, uint16(e.Perm))
		b = le.AppendUint32(b, id)
	}
	return b
}
