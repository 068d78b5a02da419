package v3

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// server is what all procedures share. It is immutable except for the scratches.
type server struct {
	object.Opener
	cfg Config
	// Place i makes and uses works[i], on its thread, and no other place does.
	works []*work
}

// New returns the NFS program that serves the exports of t. The places that run it must be attached
// to t before, and have numbers below cfg.Places.
func New(t *export.Table, cfg Config) *rpc.Program {
	return newServer(t, cfg).program()
}

func newServer(t *export.Table, cfg Config) *server {
	cfg.settle()
	return &server{
		Opener: object.Opener{Table: t, Refused: cfg.Refused},
		cfg:    cfg, works: make([]*work, cfg.Places),
	}
}

// program builds the table of procedures. Procedures that may sleep in any file system are run on
// workers at once. READDIR and READDIRPLUS are the exception: the lane first finds out how much
// memory the reply needs. Procedures that must not run twice for one call, because the second run
// would give another answer, are marked Once.
func (s *server) program() *rpc.Program {
	procedures := []rpc.Procedure{
		nfs3.NFSPROC3_NULL:        {Class: rpc.Inline, Handle: s.null},
		nfs3.NFSPROC3_GETATTR:     {Class: rpc.Inline, Reads: true, Handle: s.getattr},
		nfs3.NFSPROC3_SETATTR:     {Class: rpc.Blocking, Once: true, Handle: s.setattr},
		nfs3.NFSPROC3_LOOKUP:      {Class: rpc.Inline, Reads: true, Handle: s.lookup},
		nfs3.NFSPROC3_ACCESS:      {Class: rpc.Inline, Reads: true, Handle: s.access},
		nfs3.NFSPROC3_READLINK:    {Class: rpc.Inline, Reads: true, Handle: s.readlink},
		nfs3.NFSPROC3_READ:        {Class: rpc.Inline, Reads: true, Handle: s.read},
		nfs3.NFSPROC3_WRITE:       {Class: rpc.Inline, Handle: s.write},
		nfs3.NFSPROC3_CREATE:      {Class: rpc.Blocking, Once: true, Handle: s.create},
		nfs3.NFSPROC3_MKDIR:       {Class: rpc.Blocking, Once: true, Handle: s.mkdir},
		nfs3.NFSPROC3_SYMLINK:     {Class: rpc.Blocking, Once: true, Handle: s.symlink},
		nfs3.NFSPROC3_MKNOD:       {Class: rpc.Blocking, Once: true, Handle: s.mknod},
		nfs3.NFSPROC3_REMOVE:      {Class: rpc.Blocking, Once: true, Handle: s.remove},
		nfs3.NFSPROC3_RMDIR:       {Class: rpc.Blocking, Once: true, Handle: s.rmdir},
		nfs3.NFSPROC3_RENAME:      {Class: rpc.Blocking, Once: true, Handle: s.rename},
		nfs3.NFSPROC3_LINK:        {Class: rpc.Blocking, Once: true, Handle: s.link},
		nfs3.NFSPROC3_READDIR:     {Class: rpc.Inline, Reads: true, Handle: s.readdir},
		nfs3.NFSPROC3_READDIRPLUS: {Class: rpc.Inline, Reads: true, Handle: s.readdirplus},
		nfs3.NFSPROC3_FSSTAT:      {Class: rpc.Inline, Reads: true, Handle: s.fsstat},
		nfs3.NFSPROC3_FSINFO:      {Class: rpc.Inline, Reads: true, Handle: s.fsinfo},
		nfs3.NFSPROC3_PATHCONF:    {Class: rpc.Inline, Reads: true, Handle: s.pathconf},
		nfs3.NFSPROC3_COMMIT:      {Class: rpc.Blocking, Handle: s.commit},
	}
	for proc, attributes := range map[int]int{
		nfs3.NFSPROC3_SETATTR: 2, nfs3.NFSPROC3_WRITE: 2, nfs3.NFSPROC3_CREATE: 2, nfs3.NFSPROC3_MKDIR: 2,
		nfs3.NFSPROC3_SYMLINK: 2, nfs3.NFSPROC3_MKNOD: 2, nfs3.NFSPROC3_REMOVE: 2, nfs3.NFSPROC3_RMDIR: 2,
		nfs3.NFSPROC3_RENAME: 4, nfs3.NFSPROC3_LINK: 3,
	} {
		procedures[proc].Settled = unpaid(proc, attributes)
	}
	for i := range procedures {
		procedures[i].Name = nfs3.NFSV3Names[i]
	}
	return &rpc.Program{
		Name:     "nfs",
		Number:   nfs3.NFS_PROGRAM,
		Versions: []rpc.Version{{Number: nfs3.NFS_V3, Procedures: procedures}},
		Target:   s.target,
	}
}

// target is [object.Opener.Target]. RENAME and LINK have two handles, but of one export only. LINK
// changes the directory, which is its second. A small WRITE that is to be stable shares the flush
// of its file with others, but large ones go to the disc side by side.
func (s *server) target(c *rpc.Call) rpc.Target {
	t := s.Target(c)
	if c.Vers != nfs3.NFS_V3 {
		return t
	}
	switch d := c.Args; c.Proc {
	case nfs3.NFSPROC3_LINK:
		_ = d.Opaque(export.WireMax)
		t.Object = export.ObjectOf(d.Opaque(export.WireMax))
	case nfs3.NFSPROC3_WRITE:
		fh := d.Opaque(export.WireMax)
		d.Skip(8) // the offset
		if n, how := d.Uint32(), d.Uint32(); how != uint32(nfs3.UNSTABLE) && n <= rpc.ObjectDataMax {
			t.Object = export.ObjectOf(fh)
		}
	}
	return t
}
