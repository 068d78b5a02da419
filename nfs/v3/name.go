package nfs3

import (
	"bytes"
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	// nameMax is the longest name that goes to a back end (see [vfs.Names]).
	nameMax = 255
	// targetMax is the longest target of a symbolic link: PATH_MAX of Linux
	// without the NUL.
	targetMax = 4095
)

// overlong stands for every string that is too long for its use. The protocol
// does not bound names and targets, so they are no garbage, but there is no need
// to bring their bytes together.
var overlong = make([]byte, targetMax+1)

// decodeString reads a name or a target, a view; overlong when it has more than
// max bytes.
func decodeString(d *xdr.Decoder, max uint32) []byte {
	n := d.Uint32()
	if n <= max {
		return d.Fixed(int(n))
	}
	if uint64(n)+3 > uint64(math.MaxInt) {
		d.Fail(xdr.ErrShort)
		return nil
	}
	d.Skip((int(n) + 3) &^ 3)
	return overlong
}

// dirop is diropargs3: an entry of a directory.
type dirop struct {
	dir  []byte
	name []byte
}

func (a *dirop) decode(d *xdr.Decoder) {
	a.dir = decodeHandle(d)
	a.name = decodeString(d, nameMax)
}

// checkName judges a name by RFC 1813, section 3.2: an empty one, and characters
// that cannot be in a name, are ACCES.
func checkName(name []byte) vfs.Status {
	switch {
	case len(name) == 0:
		return vfs.Access
	case len(name) > nameMax:
		return vfs.NameTooLong
	case bytes.IndexByte(name, '/') >= 0 || bytes.IndexByte(name, 0) >= 0:
		return vfs.Access
	}
	return vfs.OK
}

// checkEntry judges the name of an entry to be made or removed. dot and dotdot
// are the statuses for "." and "..", which differ between procedures.
func checkEntry(name []byte, dot, dotdot vfs.Status) vfs.Status {
	switch string(name) {
	case ".":
		return dot
	case "..":
		return dotdot
	}
	return checkName(name)
}

// checkNew judges the name and the attributes of an object to be made. "." and
// ".." exist.
func checkNew(name []byte, set *vfs.SetAttr) vfs.Status {
	if st := checkEntry(name, vfs.Exist, vfs.Exist); st != vfs.OK {
		return st
	}
	return checkSattr(set)
}

// checkTarget judges the target of a new symbolic link, which is any text that a
// path can be.
func checkTarget(target []byte) vfs.Status {
	switch {
	case len(target) == 0:
		return vfs.Inval
	case len(target) > targetMax:
		return vfs.NameTooLong
	case bytes.IndexByte(target, 0) >= 0:
		return vfs.Inval
	}
	return vfs.OK
}
