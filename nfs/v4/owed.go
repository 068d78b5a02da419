package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A compound's changes are put on stable storage when its reply is about to leave ([vfs.Debts]),
// and not by the operation that makes them. What only looks may follow a change. Before the next
// operation that changes something, and before the compound is suspended, it pays. So at most one
// operation owes. If its change cannot be put on stable storage, the compound ends with that
// operation, and the results behind it are dropped: they are of operations that have changed
// nothing.

// owed is the operation that owes.
type owed struct {
	at     int          // where its result begins, in bytes from where the results begin
	next   uint32       // how many operations have run with it
	always bool         // answersAlways
	opened files.Opened // what it has opened, if it has opened something
	files  *files.Table // which undoes that; nil if it has not
}

// owe notes that the operation op, of the row r, owes. Its result begins at at in the reply.
func (k *compound) owe(op uint32, r *row, at int) {
	k.owed = &owed{at: at - k.base, next: k.next, always: r.needs&answersAlways != 0}
	if op == uint32(nfs4.OP_OPEN) {
		k.owed.files, k.owed.opened = k.s.files, k.w.opened
	}
}

// pay pays what the compound owes. If that fails it has ended with the status, and its results say
// so.
func (k *compound) pay() nfs4.Nfsstat4 {
	s := k.c.Place.Thread.Debts.PayAll()
	st := nfs4.NFS4_OK
	if s != vfs.OK {
		st = k.unpaid(s)
	}
	k.owed = nil
	return st
}

// unpaid makes the results end with the operation that owes, with the status s.
func (k *compound) unpaid(s vfs.Status) nfs4.Nfsstat4 {
	o, e, st := k.owed, &k.c.Reply, k.status(s)
	if o.files != nil {
		o.files.Undo(&o.opened)
	}
	at := k.base + o.at
	k.c.Tail = rpc.Tail{}
	e.Truncate(at + resultHeader)
	e.SetUint32(at+4, uint32(st))
	if o.always {
		e.Uint32(0)
	}
	k.next = o.next
	e.SetUint32(k.base, uint32(st))
	e.SetUint32(k.base+k.fixed, k.next)
	return st
}

// paid ends a compound that was left owing (see [rpc.Procedure]). If nobody owes, its last
// operation has failed half-way, and its status stands.
func (s *server) paid(c *rpc.Call, st vfs.Status) {
	k, ok := c.State.(*compound)
	if !ok {
		return
	}
	k.c = c
	if st != vfs.OK && k.owed != nil {
		_ = k.unpaid(st)
	}
	k.finish()
	k.drop()
}
