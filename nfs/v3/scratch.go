package v3

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// work is a place's scratch: every structure that a View fills in or keeps during one call. A local
// variable would be allocated for each call, because its address goes through an interface.
type work struct {
	attr   vfs.Attr // of the object, or of the directory of a LOOKUP
	entry  vfs.Entry
	found  vfs.Found // entry and attr
	wcc    vfs.WCC
	made   vfs.Made // entry and wcc
	wccTo  vfs.WCC  // of RENAME's target directory
	statfs vfs.Statfs
	limits vfs.Limits

	// Arguments for the View, used by one procedure at a time.
	set     vfs.SetAttr
	guard   vfs.Time
	read    vfs.ReadArgs
	splice  vfs.SpliceArgs
	write   vfs.WriteArgs
	commit  vfs.CommitArgs
	create  vfs.CreateArgs
	mkdir   vfs.MkdirArgs
	symlink vfs.SymlinkArgs
	mknod   vfs.MknodArgs
	rename  vfs.RenameArgs
	link    vfs.LinkArgs
	readdir vfs.ReadDirArgs

	segments [][]byte // of WRITE's data; keeps its capacity between calls
	fh       [export.WireMax]byte
	target   [targetMax + 1]byte // of READLINK
	dir      dirWriter
	served   object.Served
}

// work returns the scratch of the place that c runs on, with nothing filled in.
func (s *server) work(c *rpc.Call) *work {
	w := s.works[c.Place.Index]
	if w == nil {
		w = &work{segments: make([][]byte, 0, segmentsMin)}
		w.dir.yield = w.dir.add // bound once, because each binding allocates
		w.found = vfs.Found{Entry: &w.entry, Dir: &w.attr}
		w.made = vfs.Made{Entry: &w.entry, Dir: &w.wcc}
		s.works[c.Place.Index] = w
	}
	w.attr.Mask = 0
	w.entry.Attr.Mask = 0
	w.wcc.HasBefore, w.wcc.After.Mask = false, 0
	w.wccTo.HasBefore, w.wccTo.After.Mask = false, 0
	return w
}

// open finds the object of a handle, for reading.
func (s *server) open(c *rpc.Call, fh []byte, o *object.Object, w *work) vfs.Status {
	return s.Open(c, fh, o, &w.served)
}

// openChange finds the object of a handle, for changing the object or its content.
func (s *server) openChange(c *rpc.Call, fh []byte, o *object.Object, w *work) vfs.Status {
	return s.OpenChange(c, fh, o, &w.served)
}

// describe opens the object of a handle and gets its attributes.
func (s *server) describe(c *rpc.Call, fh []byte, o *object.Object, w *work) vfs.Status {
	st := s.open(c, fh, o, w)
	if st == vfs.OK {
		if st = o.View.GetAttr(o.Handle, &w.attr); st != vfs.OK {
			w.attr.Mask = 0 // unspecified
		}
	}
	return st
}

// seal returns the wire form of the back end's handle h, in w's memory.
func (s *server) seal(c *rpc.Call, x *export.Export, h *vfs.Handle, w *work) []byte {
	return s.Table.SealAt(c.Place.Index, x, h, w.fh[:0])
}
