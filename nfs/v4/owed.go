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
	row    *row
	at     int          // where its result begins, in bytes from where the results begin
	next   uint32       // how many operations have run with it
	opened files.Opened // what it has opened, the zero value for nothing
}

// owe notes that the operation of r owes, which has just run. Its result begins at at in the reply.
func (k *compound) owe(r *row, at int) {
	k.owed = &owed{row: r, at: at - k.base, next: k.next}
	if r == &rows[nfs4.OP_OPEN] {
		k.owed.opened = k.w.opened
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
	o, st := k.owed, k.status(s)
	k.s.files.Undo(&o.opened)
	k.c.Tail = rpc.Tail{}
	k.cut(o.row, k.base+o.at)
	k.c.Reply.SetUint32(k.base+o.at+4, uint32(st))
	k.next = o.next
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
		k.sum(k.unpaid(st))
	}
	k.finish()
	k.drop()
}
