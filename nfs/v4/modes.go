package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	modeBits = 0o7777
	permBits = 0o777
	setIDs   = 0o6000
)

// modes is what a client says of the mode beside the mode itself. Both are 0 if it says nothing.
type modes struct {
	// umask is what the mode of a new object loses, unless the directory has a list that new
	// objects inherit (mode_umask, RFC 8275).
	umask uint32
	// kept are the bits that SETATTR leaves as they are (mode_set_masked, RFC 8881, section 6.2.5).
	kept uint32
}

// decodeModes reads mode_set_masked and mode_umask, as far as they are given. Only one attribute
// may give the mode.
func decodeModes(v *xdr.Decoder, given *bitmap, w *work, st nfs4.Nfsstat4) nfs4.Nfsstat4 {
	w.modes = modes{}
	bad := func(no bool) {
		if no && st == nfs4.NFS4_OK {
			st = nfs4.NFS4ERR_INVAL
		}
	}
	take := func(second uint32) (mode, with uint32) {
		mode, with = v.Uint32(), v.Uint32()
		bad(w.set.HasMode || mode > modeBits || with > second)
		w.set.HasMode = true
		return mode, with
	}
	if given.has(nfs4.FATTR4_MODE_SET_MASKED) {
		mode, mask := take(modeBits)
		w.set.Mode, w.modes.kept = mode&mask, modeBits&^mask
	}
	if given.has(nfs4.FATTR4_MODE_UMASK) {
		w.set.Mode, w.modes.umask = take(permBits)
	}
	return st
}

// unmask has the umask applied to the mode of an object that is to be made in dir, as the kernel
// does for its own processes.
func (k *compound) unmask(dir *object.Object) nfs4.Nfsstat4 {
	w := k.w
	if w.set.Mode&w.modes.umask == 0 {
		return nfs4.NFS4_OK
	}
	if x := dir.View.Abilities().ACLs; x != nil {
		lists := vfs.ACLSet{HasDefault: true}
		var a vfs.Attr
		if s := x.GetACL(dir.Cred(k.c), dir.Handle, &lists, &a); s != vfs.OK {
			return k.status(s)
		}
		if lists.Default != nil {
			return nfs4.NFS4_OK
		}
	}
	w.set.Mode &^= w.modes.umask
	return nfs4.NFS4_OK
}

// changeTriesMax is how often a SETATTR that keeps a part of the mode is tried while others change
// the object.
const changeTriesMax = 8

// setKept is SetAttr for a set that keeps a part of the mode. The object's ctime guards it.
func (k *compound) setKept(o *object.Object) vfs.Status {
	w := k.w
	bits := w.set.Mode
	for range changeTriesMax {
		if s := o.View.GetAttr(o.Handle, &w.attr); s != vfs.OK {
			return s
		}
		w.set.Mode = bits | w.attr.Mode&w.modes.kept
		w.set.Guard = &w.attr.Ctime
		s := o.View.SetAttr(o.Cred(k.c), o.Handle, &w.set, &w.wcc)
		if s != vfs.NotSync {
			return s
		}
	}
	return vfs.Delay
}
