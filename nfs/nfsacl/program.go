package nfsacl

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// Config is the program's settings. The zero value has the defaults.
type Config struct {
	// Refused, if not nil, is told of each call that an export refuses, on the thread that runs
	// the call.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
}

// server is what the procedures share. It is immutable.
type server struct{ object.Opener }

// New returns the NFSACL program for the exports of t. The places that run it must be attached to t
// before.
func New(t *export.Table, cfg Config) *rpc.Program {
	s := &server{object.Opener{Table: t, Refused: cfg.Refused}}
	return &rpc.Program{
		Name:   "nfs_acl",
		Number: NFS_ACL_PROGRAM,
		Versions: []rpc.Version{{Number: NFS_ACL_V3, Procedures: []rpc.Procedure{
			ACLPROC3_NULL:   {Name: "NULL", Class: rpc.Inline, Handle: s.null},
			ACLPROC3_GETACL: {Name: "GETACL", Class: rpc.Blocking, Reads: true, Handle: s.getacl},
			ACLPROC3_SETACL: {Name: "SETACL", Class: rpc.Blocking, Once: true, Handle: s.setacl, Settled: unpaid},
		}}},
		Target: s.Target,
	}
}

// null does nothing. A caller finds out by it whether the program is there.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }
