package mount

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// server is what the procedures share.
type server struct {
	table *export.Table // immutable
	cfg   Config        // immutable
	list  list          // has its own lock
}

// Config is the program's settings. The zero value has the defaults.
type Config struct {
	// ReplyMax is how many bytes of results the transport has room for, by default 1 MiB. Lists
	// are cut to it.
	ReplyMax int
	// Answered, if not nil, is told of each MNT of version 3 and of its outcome. It is called
	// on the thread that runs the call.
	Answered func(*rpc.Call, Answer)
}

// replyMax is Config.ReplyMax's default.
const replyMax = 1 << 20

// Answer is the outcome of a MNT.
type Answer struct {
	// Path is the path that was asked for, cut to what the protocol allows.
	Path   string
	Status mount3.Mountstat3
	// Why says why the mount is refused; "" if it is not.
	Why string
}

// New returns the MOUNT program for the exports of t. The places that run it must be attached to t
// before.
func New(t *export.Table, cfg Config) *rpc.Program {
	if cfg.ReplyMax <= 0 {
		cfg.ReplyMax = replyMax
	}
	if cfg.Answered == nil {
		cfg.Answered = func(*rpc.Call, Answer) {}
	}
	s := &server{table: t, cfg: cfg}
	old := []rpc.Procedure{
		mount3.MOUNTPROC_NULL:      {Name: "NULL", Handle: s.null},
		mount3.MOUNTPROC_MNT:       {Name: "MNT", Handle: s.mntOld},
		mount3.MOUNTPROC_DUMP:      {Name: "DUMP", Handle: s.dump},
		mount3.MOUNTPROC_UMNT:      {Name: "UMNT", Handle: s.umnt},
		mount3.MOUNTPROC_UMNTALL:   {Name: "UMNTALL", Handle: s.umntAll},
		mount3.MOUNTPROC_EXPORT:    {Name: "EXPORT", Handle: s.export},
		mount3.MOUNTPROC_EXPORTALL: {Name: "EXPORTALL", Handle: s.export},
		mount3.MOUNTPROC2_PATHCONF: {Name: "PATHCONF", Class: rpc.Blocking, Reads: true, Handle: s.pathconf},
	}
	return &rpc.Program{
		Name:   "mount",
		Target: s.target,
		Number: mount3.MOUNT_PROGRAM,
		Versions: []rpc.Version{
			{Number: mount3.MOUNT_V1, Procedures: old[:mount3.MOUNTPROC2_PATHCONF]},
			{Number: mount3.MOUNT_V2, Procedures: old},
			{Number: mount3.MOUNT_V3, Procedures: []rpc.Procedure{
				mount3.MOUNTPROC3_NULL:    {Name: "NULL", Handle: s.null},
				mount3.MOUNTPROC3_MNT:     {Name: "MNT", Class: rpc.Blocking, Reads: true, Handle: s.mnt},
				mount3.MOUNTPROC3_DUMP:    {Name: "DUMP", Handle: s.dump},
				mount3.MOUNTPROC3_UMNT:    {Name: "UMNT", Handle: s.umnt},
				mount3.MOUNTPROC3_UMNTALL: {Name: "UMNTALL", Handle: s.umntAll},
				mount3.MOUNTPROC3_EXPORT:  {Name: "EXPORT", Handle: s.export},
			}},
		},
	}
}

// target returns the volume of the export that a path lies in. The procedures that may wait, MNT
// and PATHCONF, have the path as their first argument.
func (s *server) target(c *rpc.Call) rpc.Target {
	d := c.Args
	path := d.Opaque(mount3.MNTPATHLEN)
	if x, _, ok := s.table.ByPath(string(path)); ok {
		return rpc.Target{Volume: x.Volume}
	}
	return rpc.Target{}
}

// null does nothing. A caller finds out by it whether the program is there.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }

// padded is the length of an encoded string of n bytes.
func padded(n int) int { return 4 + (n+3)&^3 }
