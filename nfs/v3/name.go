package v3

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

const (
	// nameMax is the longest name that goes to a back end (see [vfs.Names]). Of a longer name,
	// nameMax+1 bytes are decoded (see [nfs3.Filename3]).
	nameMax = 255
	// targetMax is the longest target of a symbolic link: PATH_MAX of Linux without the NUL. Of
	// a longer target, targetMax+1 bytes are decoded (see [nfs3.Nfspath3]).
	targetMax = 4095
)

// checkName judges a name by RFC 1813, section 3.2: an empty name, and characters that cannot be in
// a name, are ACCES.
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

// checkEntry judges the name of an entry to be made or removed. dot and dotdot are the statuses for
// "." and "..", which differ between procedures.
func checkEntry(name []byte, dot, dotdot vfs.Status) vfs.Status {
	switch string(name) {
	case ".":
		return dot
	case "..":
		return dotdot
	}
	return checkName(name)
}

// checkNew judges the name and the attributes of an object to be made. "." and ".." exist already.
func checkNew(name []byte, set *vfs.SetAttr) vfs.Status {
	if st := checkEntry(name, vfs.Exist, vfs.Exist); st != vfs.OK {
		return st
	}
	return checkSattr(set)
}

// checkTarget judges the target of a new symbolic link, which may be any text that can be a path.
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
