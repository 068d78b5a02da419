package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
)

// inTurn runs an operation of an owner of minor version 0, of which each is done once (RFC
// 7530, section 9.1.7): one that comes again gets the result that it had.
func (k *compound) inTurn(v files.Verdict, t *files.Turn, run func() nfs4.Nfsstat4) nfs4.Nfsstat4 {
	e := &k.c.Reply
	switch v {
	case files.Again:
		k.body = true
		copy(e.Reserve(len(t.Reply)), t.Reply)
		if f := t.File; f != nil {
			if x := k.s.byID[f.Export]; x != nil {
				k.at(x, &f.Handle)
			}
		}
		return nfs4.Nfsstat4(t.Status)
	case files.Refuse, files.Busy:
		return nfs4.Nfsstat4(t.Status)
	case files.Go:
	}
	at := e.Len()
	over := false
	defer func() {
		if !over { // a panic, of which the client is told by RPC: the operation does not count
			k.s.files.End(t, files.Resource, nil, nil)
		}
	}()
	st := run()
	over = true
	var body []byte
	if st == nfs4.NFS4_OK || k.body {
		body = e.Bytes()[at:]
	}
	var file *files.File
	if k.current.export != nil && st == nfs4.NFS4_OK {
		f := k.current.file()
		file = &f
	}
	k.s.files.End(t, files.Status(st), file, body)
	return st
}

// known0 says whether a client ID of minor version 0 is known, and renews its lease.
func (k *compound) known0(client uint64) nfs4.Nfsstat4 {
	return nfs4.Nfsstat4(k.s.cfg.State.Renew(stateClient(client)))
}

// ofState runs an operation on an open or lock state: in its owner's turn in minor version 0.
func (k *compound) ofState(
	op nfs4.NfsOpnum4,
	id *files.Stateid,
	seqid uint32,
	run func(*files.Turn) nfs4.Nfsstat4,
) nfs4.Nfsstat4 {
	if !k.meant(id) {
		return nfs4.NFS4ERR_BAD_STATEID
	}
	if k.current.export == nil {
		return nfs4.NFS4ERR_BAD_STATEID
	}
	if k.minor > 0 {
		return run(nil)
	}
	t := &k.w.turn
	v := k.s.files.BeginState(t, id, uint32(op), seqid)
	k.renew(t.Client)
	return k.inTurn(v, t, func() nfs4.Nfsstat4 { return run(t) })
}

// target returns what an operation on a state is about, in the place's scratch.
func (k *compound) target(id *files.Stateid, turn *files.Turn) *files.Target {
	w := k.w
	w.key = k.current.file()
	w.aim = files.Target{File: &w.key, Stateid: *id, By: k.caller(), Turn: turn}
	return &w.aim
}

// close is CLOSE (RFC 8881, section 18.2).
func (k *compound) close() nfs4.Nfsstat4 {
	seqid := k.c.Args.Uint32()
	id := decodeStateid(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if k.unlocksLater() {
		return stAgain
	}
	return k.ofState(nfs4.OP_CLOSE, &id, seqid, func(t *files.Turn) nfs4.Nfsstat4 {
		got, st := k.s.files.Close(k.target(&id, t))
		return k.stated(&got, st)
	})
}

// stated ends an operation whose result is a stateid.
func (k *compound) stated(id *files.Stateid, st files.Status) nfs4.Nfsstat4 {
	if st == files.OK {
		k.stateid = *id
		putStateid(&k.c.Reply, id)
	}
	return judged(st)
}

// openDowngrade is OPEN_DOWNGRADE (section 18.18).
func (k *compound) openDowngrade() nfs4.Nfsstat4 {
	d := &k.c.Args
	id := decodeStateid(d)
	seqid, access, deny := d.Uint32(), d.Uint32(), d.Uint32()
	switch {
	case k.bad():
		return nfs4.NFS4ERR_BADXDR
	case k.minor > 0 && access&^3&^wants == 0:
		access &= 3
	}
	if access > 3 || deny > 3 {
		return nfs4.NFS4ERR_INVAL
	}
	return k.ofState(nfs4.OP_OPEN_DOWNGRADE, &id, seqid, func(t *files.Turn) nfs4.Nfsstat4 {
		got, st := k.s.files.Downgrade(k.target(&id, t), files.Share(access), files.Share(deny))
		return k.stated(&got, st)
	})
}

// openConfirm is OPEN_CONFIRM (RFC 7530, section 16.18).
func (k *compound) openConfirm() nfs4.Nfsstat4 {
	id := decodeStateid(&k.c.Args)
	seqid := k.c.Args.Uint32()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return k.ofState(nfs4.OP_OPEN_CONFIRM, &id, seqid, func(t *files.Turn) nfs4.Nfsstat4 {
		got, st := k.s.files.Confirm(k.target(&id, t))
		return k.stated(&got, st)
	})
}

// freeStateid is FREE_STATEID (RFC 8881, section 18.38).
func (k *compound) freeStateid() nfs4.Nfsstat4 {
	id := decodeStateid(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if !k.meant(&id) {
		return nfs4.NFS4ERR_BAD_STATEID
	}
	return nfs4.Nfsstat4(k.s.files.FreeStateid(&id, k.caller()))
}

// testStateid is TEST_STATEID (section 18.48).
func (k *compound) testStateid() nfs4.Nfsstat4 {
	d, e := &k.c.Args, &k.c.Reply
	n := d.Count(nfs4.LONG_LIST_MAX, 16)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if !k.c.Room(4 + 4*n) {
		return stGrow
	}
	if 4+4*n > k.left() {
		return k.tooBig()
	}
	e.Uint32(uint32(n))
	for range n {
		id := decodeStateid(d)
		e.Uint32(uint32(k.s.files.TestStateid(&id, k.caller())))
	}
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return nfs4.NFS4_OK
}
