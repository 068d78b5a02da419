package v4

import (
	"runtime"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// An export may lie in another one. The inner export's node is then mounted on a directory of the
// outer export, as a file system is on a directory: who finds that directory by a name, and is
// served by the inner export, has found the inner export's top directory.
//
// The directory is known by its handle, so what is mounted there stays when the directory gets
// another name, and when the inner export's file system is away. Where the handle cannot be had,
// because the back end sees a mount point of the machine there, it is known by its name: the name
// of a mount point does not change.
//
// A node that leads to an inner export is mounted in the same way where the outer export's own
// directories do not lead on, since a file system is mounted in between.

// cover is a directory of an export on which a node is mounted. It is immutable.
type cover struct {
	outer  *export.Export
	dir    vfs.Handle // the directory itself or, if name is not empty, the one that name is in
	name   string
	fileID uint64 // of the directory
}

// crossing is a cover as the outer export sees it.
type crossing struct {
	cover
	node *node
}

// cross finds out which exports lie in others. It blocks for their file systems. It tells
// cfg.Unreached of those to which an outer export does not lead.
func (s *server) cross() {
	var outer []*export.Export
	for _, x := range s.Table.Exports() {
		if len(s.tree.of[x].kids) > 0 {
			outer = append(outer, x)
		}
	}
	if len(outer) == 0 {
		return
	}
	slices.SortFunc(outer, func(a, b *export.Export) int { return len(b.Path) - len(a.Path) })
	s.crossings = make(map[*export.Export][]crossing, len(outer))
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread may keep the rights of a View
		for _, x := range outer {
			s.crossFrom(x)
		}
	}()
	<-done
}

// crossFrom finds out on which directories of x others are mounted.
func (s *server) crossFrom(x *export.Export) {
	th := &vfs.Thread{MayWait: true}
	v, err := x.FS.View(th)
	if err != nil {
		return // as it will be for the places, which say so
	}
	defer v.Close()
	w := walker{outer: x, view: v, cred: th.Creds.Intern(0, 0, nil)}
	all, isWhole := w.below(s.tree.of[x], "")
	s.crossings[x] = all
	for _, c := range all {
		c.node.covers = append(c.node.covers, c.cover)
	}
	if !isWhole && s.cfg.Unreached != nil {
		s.cfg.Unreached(x)
	}
}

// walker looks for the directories of an export on which nodes are mounted.
type walker struct {
	outer *export.Export
	view  vfs.View
	cred  *vfs.Cred
}

// below returns the crossings to what is below n, whose path in the export is path. isWhole says
// that they lead to each export that begins there.
func (w *walker) below(n *node, path string) (all []crossing, isWhole bool) {
	isWhole = true
	for _, kid := range n.kids {
		c, found := w.find(path, kid.name)
		if !found {
			isWhole = false
			continue
		}
		deeper, leads := w.below(kid, path+kid.name+"/")
		switch {
		case kid.export != nil:
			all = append(append(all, crossing{c, kid}), deeper...)
		case leads:
			all = append(all, deeper...)
		default: // the nodes lead on from here
			all = append(all, crossing{c, kid})
		}
	}
	return all, isWhole
}

// find looks for the directory called name in the directory path, which ends with a slash if it is
// not the export's own.
func (w *walker) find(path, name string) (c cover, found bool) {
	c.outer = w.outer
	var e vfs.Entry
	switch w.view.Walk(w.cred, path+name, &e) {
	case vfs.OK:
		if !e.Attr.Filled() && w.view.GetAttr(e.Handle, &e.Attr) != vfs.OK {
			return c, false
		}
		c.dir, c.fileID = e.Handle, e.Attr.FileID
		return c, e.Attr.Type == vfs.TypeDir && e.Handle != w.outer.FS.Root()
	case vfs.Access:
		// A mount point, which the view does not enter. Its directory lists it.
		if w.view.Walk(w.cred, path, &e) != vfs.OK {
			return c, false
		}
		c.dir, c.name = e.Handle, name
		list := vfs.ReadDirArgs{Yield: func(d *vfs.DirEntry) bool {
			if string(d.Name) == name {
				c.fileID, found = d.FileID, true
			}
			return !found
		}}
		_, _, _ = w.view.ReadDir(w.cred, c.dir, &list, &e.Attr)
		return c, found
	default:
		return c, false
	}
}

// mounted returns the node that is mounted on what name is in the directory dir of the export x:
// the object at found or, if that is nil, a mount point that the back end does not enter. It
// returns nil if there is none that leads the caller anywhere.
func (k *compound) mounted(x *export.Export, dir *vfs.Handle, name []byte, found *vfs.Handle) *node {
	all := k.s.crossings[x]
	for i := range all {
		c := &all[i]
		if c.name == "" && found != nil && c.dir == *found ||
			c.name != "" && c.name == string(name) && c.dir == *dir {
			return c.visible(k)
		}
	}
	return nil
}

func (c *crossing) visible(k *compound) *node {
	if c.node.shows(k.c) {
		return c.node
	}
	return nil
}

// passes reports whether the caller may search a directory.
func (k *compound) passes(o *object.Object) nfs4.Nfsstat4 {
	got, s := o.View.Access(o.Cred(k.c), o.Handle, vfs.MayExec, &k.w.attr)
	if s == vfs.OK && got&vfs.MayExec == 0 {
		s = vfs.Access
	}
	return k.status(s)
}

// isCovered reports whether something is mounted on what name is in the directory o, so that the
// name may not be removed or changed. An operation that can tell better says why it fails.
func (k *compound) isCovered(o *object.Object, name []byte) bool {
	if k.s.crossings[o.Export] == nil {
		return false
	}
	w := k.w
	found := &w.entry.Handle
	if o.View.Lookup(o.Cred(k.c), o.Handle, name, &w.found) != vfs.OK {
		found = nil
	}
	return k.mounted(o.Export, &o.Handle, name, found) != nil
}

// leave makes what is above n the current file handle: the directory that contains the one on
// which n is mounted, or else n's own parent.
func (k *compound) leave(n *node) nfs4.Nfsstat4 {
	for i := range n.covers {
		c := &n.covers[i]
		if !k.served(c.outer) {
			continue
		}
		if c.name != "" {
			k.at(c.outer, &c.dir)
			return nfs4.NFS4_OK
		}
		o := object.Object{Export: c.outer, Handle: c.dir, View: k.s.Table.View(k.c.Place.Index, c.outer)}
		switch s := o.View.Lookup(o.Cred(k.c), o.Handle, []byte(".."), &k.w.found); s {
		case vfs.OK:
			k.at(c.outer, &k.w.entry.Handle)
			return nfs4.NFS4_OK
		case vfs.Stale, vfs.BadHandle: // somebody has removed the directory
		default:
			return k.status(s)
		}
	}
	if n.parent == nil {
		return nfs4.NFS4ERR_NOENT
	}
	k.enter(n.parent)
	return nfs4.NFS4_OK
}

// mountedOn returns the number of the directory on which n is mounted (mounted_on_fileid).
func (k *compound) mountedOn(n *node) uint64 {
	for i := range n.covers {
		if k.served(n.covers[i].outer) {
			return n.covers[i].fileID
		}
	}
	return n.id
}

// served reports whether x serves the caller.
func (k *compound) served(x *export.Export) bool {
	return x.Refuses(k.c.Peer, k.c.Origin.Local()) == export.Served
}
