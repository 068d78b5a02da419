package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// Number is the program number of NFS (RFC 1813, section 2).
const Number = 100003

// The procedure numbers (RFC 1813, section 3).
const (
	procNull = iota
	procGetattr
	procSetattr
	procLookup
	procAccess
	procReadlink
	procRead
	procWrite
	procCreate
	procMkdir
	procSymlink
	procMknod
	procRemove
	procRmdir
	procRename
	procLink
	procReaddir
	procReaddirplus
	procFsstat
	procFsinfo
	procPathconf
	procCommit
	procCount
)

// server is what all procedures share. It is immutable but for the scratches.
type server struct {
	table *export.Table
	cfg   Config
	// works[i] is made and used by place i only, on its thread.
	works []*work
}

// New returns the NFS program serving the exports of t. The places that run it
// have been attached to t and have numbers below cfg.Places.
func New(t *export.Table, cfg Config) *rpc.Program {
	return newServer(t, cfg).program()
}

func newServer(t *export.Table, cfg Config) *server {
	cfg.settle()
	return &server{table: t, cfg: cfg, works: make([]*work, cfg.Places)}
}

// program builds the table of procedures. Those that may sleep in any file
// system are run on workers at once, but for READDIR and READDIRPLUS: the lane
// finds out first how much memory the reply needs. Those that may not be run
// twice for one call, because the second run would give another answer, are
// marked Once.
func (s *server) program() *rpc.Program {
	procedures := []rpc.Procedure{
		procNull:        {Name: "NULL", Class: rpc.Inline, Handle: s.null},
		procGetattr:     {Name: "GETATTR", Class: rpc.Inline, Reads: true, Handle: s.getattr},
		procSetattr:     {Name: "SETATTR", Class: rpc.Blocking, Once: true, Handle: s.setattr},
		procLookup:      {Name: "LOOKUP", Class: rpc.Inline, Reads: true, Handle: s.lookup},
		procAccess:      {Name: "ACCESS", Class: rpc.Inline, Reads: true, Handle: s.access},
		procReadlink:    {Name: "READLINK", Class: rpc.Inline, Reads: true, Handle: s.readlink},
		procRead:        {Name: "READ", Class: rpc.Inline, Reads: true, Handle: s.read},
		procWrite:       {Name: "WRITE", Class: rpc.Inline, Handle: s.write},
		procCreate:      {Name: "CREATE", Class: rpc.Blocking, Once: true, Handle: s.create},
		procMkdir:       {Name: "MKDIR", Class: rpc.Blocking, Once: true, Handle: s.mkdir},
		procSymlink:     {Name: "SYMLINK", Class: rpc.Blocking, Once: true, Handle: s.symlink},
		procMknod:       {Name: "MKNOD", Class: rpc.Blocking, Once: true, Handle: s.mknod},
		procRemove:      {Name: "REMOVE", Class: rpc.Blocking, Once: true, Handle: s.remove},
		procRmdir:       {Name: "RMDIR", Class: rpc.Blocking, Once: true, Handle: s.rmdir},
		procRename:      {Name: "RENAME", Class: rpc.Blocking, Once: true, Handle: s.rename},
		procLink:        {Name: "LINK", Class: rpc.Blocking, Once: true, Handle: s.link},
		procReaddir:     {Name: "READDIR", Class: rpc.Inline, Reads: true, Handle: s.readdir},
		procReaddirplus: {Name: "READDIRPLUS", Class: rpc.Inline, Reads: true, Handle: s.readdirplus},
		procFsstat:      {Name: "FSSTAT", Class: rpc.Inline, Reads: true, Handle: s.fsstat},
		procFsinfo:      {Name: "FSINFO", Class: rpc.Inline, Reads: true, Handle: s.fsinfo},
		procPathconf:    {Name: "PATHCONF", Class: rpc.Inline, Reads: true, Handle: s.pathconf},
		procCommit:      {Name: "COMMIT", Class: rpc.Blocking, Handle: s.commit},
	}
	return &rpc.Program{
		Name:     "nfs",
		Number:   Number,
		Versions: []rpc.Version{{Number: 3, Procedures: procedures}},
		Volume:   s.volume,
	}
}

// volume returns the volume of the call's first handle, with which all arguments
// begin. RENAME and LINK have two, but of one export only.
func (s *server) volume(c *rpc.Call) int {
	d := c.Args
	return s.table.Volume(decodeHandle(&d))
}
