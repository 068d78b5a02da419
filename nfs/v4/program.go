package v4

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// minorMax is the highest minor version that the package knows.
const minorMax = 2

// server is what all compounds share. It is immutable but for recent and the scratches.
type server struct {
	object.Opener
	cfg    Config
	serves [minorMax + 1]bool // minor versions
	tree   tree
	files  *files.Table
	// crossings are the exports that lie in others, by the outer one; nil if there are none.
	crossings map[*export.Export][]crossing
	byID      map[uint32]*export.Export
	// recent is a time of the clock in seconds; see settled.
	recent atomic.Int64
	// works[i] is made and used by place i only, on its thread.
	works []*work
	asked sync.Once // the back ends ask the keeper
}

// New returns version 4 of the NFS program, serving the exports of t. The places that run it
// have been attached to t and have numbers below cfg.Places. New blocks for the file systems of
// exports that contain others.
func New(t *export.Table, cfg Config) rpc.Version {
	return newServer(t, cfg).version()
}

func newServer(t *export.Table, cfg Config) *server {
	cfg.settle()
	s := &server{
		Opener: object.Opener{Table: t, Refused: cfg.Refused},
		cfg:    cfg, works: make([]*work, cfg.Places), tree: newTree(t.Exports()),
		files: cfg.Files, byID: make(map[uint32]*export.Export),
	}
	for _, x := range t.Exports() {
		s.byID[x.ID] = x
	}
	if cfg.Keeper != nil {
		cfg.Keeper.table = cfg.Files
	}
	if x := cfg.Callbacks; x != nil {
		x.table, x.byID, x.state, x.ask = t, s.byID, cfg.State, cfg.Ask
	}
	if s.serves = cfg.Minors; s.serves == [minorMax + 1]bool{} {
		s.serves = [minorMax + 1]bool{true, true, true}
	}
	s.cross()
	return s
}

// renew renews the lease of a client of minor version 0.
func (s *server) renew(client uint64) { _ = s.cfg.State.Renew(state.ClientID(client)) }

func (s *server) version() rpc.Version {
	return rpc.Version{Number: nfs4.NFS_V4, Procedures: []rpc.Procedure{
		nfs4.NFSPROC4_NULL:     {Name: "NULL", Class: rpc.Inline, Handle: null},
		nfs4.NFSPROC4_COMPOUND: {Name: "COMPOUND", Class: rpc.Inline, Handle: s.compound, Settled: s.paid},
	}}
}

// null is NULL (RFC 8881, section 16.1).
func null(*rpc.Call) rpc.Outcome { return rpc.Done }

// Target returns what a compound that goes on depends on: the export of its current file handle, and
// the current object if the next operation changes it (see [rpc.Program]).
func Target(c *rpc.Call) (t rpc.Target) {
	k, ok := c.State.(*compound)
	if !ok || k.current.export == nil {
		return t
	}
	t.Volume = k.current.export.Volume
	d := c.Args
	if changesCurrent(&d) {
		t.Object = k.current.export.ObjectHash(&k.current.handle)
	}
	return t
}

// changesCurrent reports whether the operation that d comes to owes for a change of the current
// object. A small WRITE that is to be stable shares the flush of its file with others, but large
// ones go to the disc side by side.
func changesCurrent(d *xdr.Decoder) bool {
	switch nfs4.NfsOpnum4(d.Uint32()) {
	case nfs4.OP_CREATE, nfs4.OP_LINK, nfs4.OP_REMOVE, nfs4.OP_RENAME, nfs4.OP_SETATTR, nfs4.OP_SETXATTR,
		nfs4.OP_REMOVEXATTR:
		return true
	case nfs4.OP_OPEN:
		d.Skip(4 + 4 + 4 + 8) // seqid, share_access, share_deny, clientid
		_ = d.Opaque(nfs4.NFS4_OPAQUE_LIMIT)
		return d.Uint32() == uint32(nfs4.OPEN4_CREATE)
	case nfs4.OP_WRITE:
		d.Skip(16 + 8) // stateid, offset
		how, n := d.Uint32(), d.Uint32()
		return how != uint32(nfs4.UNSTABLE4) && n <= rpc.ObjectDataMax
	default:
		return false
	}
}

// epoch is the thread's epoch in which something was asked for.
type epoch uint64

// over reports whether that epoch is over, and makes it the present one. On a thread that has no
// epochs it always is.
func (e *epoch) over(t *vfs.Thread) bool {
	if now := epoch(t.Epoch); now == 0 || now != *e {
		*e = now
		return true
	}
	return false
}

// work is a place's scratch: all that a View fills or keeps no longer than an operation. A
// local variable would be allocated each time, for its address goes through an interface.
type work struct {
	compound compound
	pool     pool // of a lane

	thread   *vfs.Thread
	second   uint32 // see compound.second
	secondIn epoch
	asked    time.Time // see work.now
	askedIn  epoch

	attr   vfs.Attr // of the object, or of the directory of a LOOKUP
	top    vfs.Attr // of an export that a READDIR has met
	entry  vfs.Entry
	found  vfs.Found // entry and attr
	wcc    vfs.WCC
	made   vfs.Made // entry and wcc
	wccTo  vfs.WCC  // of RENAME's target directory
	statfs vfs.Statfs
	limits vfs.Limits

	// What the View is asked for, one operation's at a time.
	set     vfs.SetAttr
	modes   modes // that go with set
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

	open   nfs4.OPEN4args
	opened files.Opened
	held   files.Lock // that stands in the way of another
	turn   files.Turn
	key    files.File
	aim    files.Target

	values   values   // of attributes that are being written
	segments [][]byte // of WRITE's data; keeps its length between calls
	fh       [export.WireMax]byte
	target   [targetMax + 1]byte  // of READLINK
	owner    [idmap.OwnerMax]byte // a user or group as clients see it
	dir      dirWriter
	served   object.Served
}

// ask has all back ends ask the keeper from now on. Nobody has a file open before the first
// compound.
func (s *server) ask(place int) {
	if s.cfg.Keeper == nil {
		return
	}
	for _, x := range s.Table.Exports() {
		s.cfg.Keeper.ask(x, s.Table.View(place, x))
	}
}

// work returns the scratch of the place that c runs on.
func (s *server) work(c *rpc.Call) *work {
	w := s.works[c.Place.Index]
	if w == nil {
		w = &work{segments: make([][]byte, 0, 64)}
		w.thread = c.Place.Thread
		w.values = values{s: s, statfs: &w.statfs, limits: &w.limits, digits: &w.owner, clock: w.now}
		w.dir.yield = w.dir.add // bound once, for each binding allocates
		w.found = vfs.Found{Entry: &w.entry, Dir: &w.attr}
		w.made = vfs.Made{Entry: &w.entry, Dir: &w.wcc}
		s.works[c.Place.Index] = w
		s.asked.Do(func() { s.ask(c.Place.Index) })
	}
	return w
}
