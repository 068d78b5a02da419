package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// lookup is LOOKUP (RFC 8881, section 18.13).
func (k *compound) lookup() nfs4.Nfsstat4 {
	name := decodeName(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	return k.find(name)
}

// find makes what name is in the current directory the current file handle.
func (k *compound) find(name []byte) nfs4.Nfsstat4 {
	if n := k.current.node; n != nil {
		next := n.kid(name)
		if next == nil || k.hides(next) {
			return nfs4.NFS4ERR_NOENT
		}
		k.enter(next)
		return nfs4.NFS4_OK
	}
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if s := o.View.Lookup(o.Cred(k.c), o.Handle, name, &k.w.found); s != vfs.OK {
		if s == vfs.NotDir {
			return k.notDir()
		}
		if s == vfs.Access && k.s.crossings != nil {
			if n := k.mounted(o.Export, &o.Handle, name, nil); n != nil {
				if st = k.passes(&o); st == nfs4.NFS4_OK {
					k.enter(n)
				}
				return st
			}
		}
		return k.status(s)
	}
	if k.s.crossings != nil {
		if n := k.mounted(o.Export, &o.Handle, name, &k.w.entry.Handle); n != nil {
			k.enter(n)
			return nfs4.NFS4_OK
		}
	}
	k.at(o.Export, &k.w.entry.Handle)
	k.learn(&k.w.entry.Attr)
	return nfs4.NFS4_OK
}

// notDir is NOTDIR, or SYMLINK where the current file handle is a symbolic link's.
func (k *compound) notDir() nfs4.Nfsstat4 {
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if s := o.View.GetAttr(o.Handle, &k.w.attr); s != vfs.OK {
		return k.status(s)
	}
	if k.w.attr.Type == vfs.TypeLnk {
		return nfs4.NFS4ERR_SYMLINK
	}
	return nfs4.NFS4ERR_NOTDIR
}

// lookupp is LOOKUPP (section 18.14). Above an export's top directory is the directory that it is
// mounted in, of another export or of the pseudo file system; above the root is nothing.
func (k *compound) lookupp() nfs4.Nfsstat4 {
	n := k.current.node
	if n == nil {
		o, st := k.object(&k.current)
		if st != nfs4.NFS4_OK {
			return st
		}
		if o.Handle != o.Export.FS.Root() {
			if s := o.View.Lookup(o.Cred(k.c), o.Handle, []byte(".."), &k.w.found); s != vfs.OK {
				if s == vfs.NotDir {
					return k.notDir()
				}
				return k.status(s)
			}
			k.at(o.Export, &k.w.entry.Handle)
			k.learn(&k.w.entry.Attr)
			return nfs4.NFS4_OK
		}
		n = k.s.tree.of[o.Export]
	}
	return k.leave(n)
}
