package v4

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// position is a current or saved file handle. The zero value is none. It holds nothing: views
// are looked up anew by each operation, since a compound may go on at another place.
type position struct {
	node   *node // of the pseudo file system, or
	export *export.Export
	handle vfs.Handle // of export's back end
}

// none reports whether there is no file handle.
func (p *position) none() bool { return p.node == nil && p.export == nil }

// object returns the current file handle's object as this place sees it. It is for operations
// on what lies in an export; a node has no object.
func (k *compound) object(p *position) (o object.Object, st nfs4.Nfsstat4) {
	switch {
	case p.export != nil:
		o.Export, o.Handle = p.export, p.handle
		o.View = k.s.Table.View(k.c.Place.Index, p.export)
		return o, nfs4.NFS4_OK
	case p.node != nil:
		return o, nfs4.NFS4ERR_ROFS
	}
	return o, nfs4.NFS4ERR_NOFILEHANDLE
}

// changeable is object for an operation that changes it.
func (k *compound) changeable(p *position) (o object.Object, st nfs4.Nfsstat4) {
	o, st = k.object(p)
	if st == nfs4.NFS4_OK && o.Export.ReadOnly {
		return o, nfs4.NFS4ERR_ROFS
	}
	return o, st
}

// at makes an object of the export x the current file handle.
func (k *compound) at(x *export.Export, h *vfs.Handle) {
	p := &k.current
	p.node, p.export, p.handle = nil, x, *h
	k.stateid = files.Stateid{}
}

// become changes the current file handle: the current stateid is another file's.
func (k *compound) become(p position) {
	k.current, k.stateid = p, files.Stateid{}
}

// sealed returns the current file handle as clients see it, in the place's memory.
func (k *compound) sealed(p *position) []byte {
	if p.node != nil {
		return k.s.Table.SealNode(p.node.id, k.w.fh[:0])
	}
	return k.s.Table.SealAt(k.c.Place.Index, p.export, &p.handle, k.w.fh[:0])
}
