package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mknod is MKNOD (RFC 1813, section 3.3.11).
func (s *server) mknod(c *rpc.Call) rpc.Outcome {
	var a nfs3.MKNOD3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	w.mknod = vfs.MknodArgs{Name: a.Where.Name, Set: &w.set}
	var dir object.Object
	st := s.openChange(c, a.Where.Dir.Data, &dir, w)
	if node := node(&a.What, w); st == vfs.OK {
		st = node
	}
	if st == vfs.OK {
		st = checkNew(a.Where.Name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_MKNOD, st, &dir, &w.wcc)
	}
	st = dir.View.Mknod(dir.Cred(c), dir.Handle, &w.mknod, &w.made)
	return s.finishMade(c, nfs3.NFSPROC3_MKNOD, st, &dir, w)
}

// node puts the object to make into w. A type that other procedures make is BADTYPE.
func node(what *nfs3.Mknoddata3, w *work) vfs.Status {
	w.mknod.Type = vfs.FileType(what.Type)
	switch what.Type {
	case nfs3.NF3CHR, nfs3.NF3BLK:
		w.set = translate.SetAttr(&what.Device.DevAttributes)
		w.mknod.Major, w.mknod.Minor = what.Device.Spec.Specdata1, what.Device.Spec.Specdata2
	case nfs3.NF3SOCK, nfs3.NF3FIFO:
		w.set = translate.SetAttr(&what.PipeAttributes)
	default:
		return vfs.BadType
	}
	w.set.HasSize = false // special files have none
	return vfs.OK
}
