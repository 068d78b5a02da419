package v4

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// create is CREATE (RFC 8881, section 18.4): of everything but regular files.
func (k *compound) create() nfs4.Nfsstat4 {
	d, w := &k.c.Args, k.w
	kind := nfs4.NfsFtype4(d.Uint32())
	var target []byte
	var major, minor uint32
	if kind == nfs4.NF4LNK {
		target = d.Clipped(targetMax)
	}
	if kind == nfs4.NF4BLK || kind == nfs4.NF4CHR {
		major, minor = d.Uint32(), d.Uint32()
	}
	name := decodeName(d)
	given, st := k.decodeSet(d, &settable[k.minor])
	switch {
	case k.bad():
		return nfs4.NFS4ERR_BADXDR
	case st != nfs4.NFS4_OK:
		return st
	}
	if st = checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	if w.set.HasSize {
		return nfs4.NFS4ERR_INVAL
	}
	o, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if kind != nfs4.NF4LNK {
		if st = k.unmask(&o); st != nfs4.NFS4_OK {
			return st
		}
	}
	var s vfs.Status
	switch kind {
	case nfs4.NF4DIR:
		w.mkdir = vfs.MkdirArgs{Name: name, Set: &w.set}
		s = o.View.Mkdir(o.Cred(k.c), o.Handle, &w.mkdir, &w.made)
	case nfs4.NF4LNK:
		switch {
		case len(target) == 0 || bytes.IndexByte(target, 0) >= 0:
			return nfs4.NFS4ERR_INVAL
		case len(target) > targetMax:
			return nfs4.NFS4ERR_NAMETOOLONG
		}
		w.symlink = vfs.SymlinkArgs{Name: name, Target: target, Set: &w.set}
		s = o.View.Symlink(o.Cred(k.c), o.Handle, &w.symlink, &w.made)
	case nfs4.NF4BLK, nfs4.NF4CHR, nfs4.NF4SOCK, nfs4.NF4FIFO:
		w.mknod = vfs.MknodArgs{Name: name, Type: madeTypes[kind], Major: major, Minor: minor, Set: &w.set}
		s = o.View.Mknod(o.Cred(k.c), o.Handle, &w.mknod, &w.made)
	default:
		return nfs4.NFS4ERR_BADTYPE
	}
	if s != vfs.OK {
		return k.status(s)
	}
	k.at(o.Export, &w.entry.Handle)
	k.learn(&w.entry.Attr)
	k.changeInfo(&w.wcc)
	given.encode(&k.c.Reply)
	return nfs4.NFS4_OK
}

// madeTypes maps what CREATE makes by Mknod.
var madeTypes = map[nfs4.NfsFtype4]vfs.FileType{
	nfs4.NF4BLK:  vfs.TypeBlk,
	nfs4.NF4CHR:  vfs.TypeChr,
	nfs4.NF4SOCK: vfs.TypeSock,
	nfs4.NF4FIFO: vfs.TypeFifo,
}

// changeInfo writes a change_info4 of an object.
func (k *compound) changeInfo(w *vfs.WCC) {
	before, after := k.s.wccChange(w, k.w.values.clock)
	e := &k.c.Reply
	e.Bool(k.s.atomic(w, k.w.values.clock))
	e.Uint64(before)
	e.Uint64(after)
}
