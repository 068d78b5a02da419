package v3

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// create is CREATE (RFC 1813, section 3.3.8). The numbers of createmode3 are those of
// [vfs.CreateHow].
func (s *server) create(c *rpc.Call) rpc.Outcome {
	var a nfs3.CREATE3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	w.set = translate.SetAttr(&a.How.ObjAttributes)
	var dir object.Object
	st := s.openChange(c, a.Where.Dir.Data, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.Where.Name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_CREATE, st, &dir, &w.wcc)
	}
	w.create = vfs.CreateArgs{
		Name: a.Where.Name, How: vfs.CreateHow(a.How.Mode), Set: &w.set, Verf: binary.BigEndian.Uint64(a.How.Verf[:]),
	}
	st = dir.View.Create(dir.Cred(c), dir.Handle, &w.create, &w.made)
	return s.finishMade(c, nfs3.NFSPROC3_CREATE, st, &dir, w)
}
