package load

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// opener is an owner that has at most one file open at a time. In minor version 0 each of its
// operations has a number.
type opener struct {
	party    *party
	owner    string
	seq      uint32 // of the last operation
	there    bool   // a file is open
	confirms bool   // it is to be confirmed
	fh       []byte
	id       nfs4.Stateid4
}

// newOpener returns an owner of its own for a slot. Runs do not call it.
func (p *party) newOpener() *opener {
	o := &opener{party: p, owner: fmt.Sprintf("slot-%d", len(p.opens)), fh: make([]byte, 0, nfs4.NFS4_FHSIZE)}
	p.opens = append(p.opens, o)
	return o
}

// open is OPEN of a name, with what Linux asks for besides.
func (o *opener) open(s *slot, dir []byte, name string, access uint32, create bool) {
	s.compoundFor(nfs4.OP_OPEN, true)
	s.at(dir)
	s.op(nfs4.OP_OPEN)
	o.seq++
	s.u32(o.seq)
	if o.party.Minor > 0 {
		access |= nfs4.OPEN4_SHARE_ACCESS_WANT_NO_DELEG
	}
	s.u32(access)
	s.u32(nfs4.OPEN4_SHARE_DENY_NONE)
	s.u64(uint64(o.party.ID))
	s.text(o.owner)
	if create {
		s.u32(uint32(nfs4.OPEN4_CREATE))
		s.u32(uint32(nfs4.UNCHECKED4))
		s.mode(0o644)
	} else {
		s.u32(uint32(nfs4.OPEN4_NOCREATE))
	}
	s.u32(uint32(nfs4.CLAIM_NULL))
	s.text(name)
	s.op(nfs4.OP_GETFH)
	s.op(nfs4.OP_ACCESS)
	s.u32(accessFile)
	s.getattr(maskFull)
	s.end(nil)
}

// mode appends a fattr4 with a mode and nothing else.
func (s *slot) mode(m uint32) {
	s.u32(2)
	s.u32(0)
	s.u32(1 << (nfs4.FATTR4_MODE - 32))
	s.u32(4)
	s.u32(m)
}

// opened takes what open has got.
func (o *opener) opened(res []byte) error {
	r := results{b: res, good: true}
	r.op(nfs4.OP_PUTFH)
	r.op(nfs4.OP_OPEN)
	r.stateid(&o.id)
	r.skip(4 + 8 + 8) // change_info4
	flags := r.u32()
	r.skip(int(4 * min(r.u32(), 64))) // attributes that were set
	switch nfs4.OpenDelegationType4(r.u32()) {
	case nfs4.OPEN_DELEGATE_NONE:
	case nfs4.OPEN_DELEGATE_NONE_EXT:
		switch nfs4.WhyNoDelegation4(r.u32()) {
		case nfs4.WND4_CONTENTION, nfs4.WND4_RESOURCE:
			r.skip(4)
		default:
		}
	default:
		return errors.New("the server has given a delegation, which bench has no use for: switch delegations off there")
	}
	r.op(nfs4.OP_GETFH)
	fh := r.opaque()
	if err := r.err(); err != nil {
		return err
	}
	o.fh = append(o.fh[:0], fh...)
	o.there, o.confirms = true, flags&nfs4.OPEN4_RESULT_CONFIRM != 0
	return nil
}

// confirm is OPEN_CONFIRM, which minor version 0 asks of new owners.
func (o *opener) confirm(s *slot) {
	s.compoundFor(nfs4.OP_OPEN_CONFIRM, false)
	s.at(o.fh)
	s.op(nfs4.OP_OPEN_CONFIRM)
	s.stateid(&o.id)
	o.seq++
	s.u32(o.seq)
	s.end(nil)
}

func (o *opener) confirmed(res []byte) error {
	r := results{b: res, good: true}
	r.op(nfs4.OP_PUTFH)
	r.op(nfs4.OP_OPEN_CONFIRM)
	r.stateid(&o.id)
	o.confirms = false
	return r.err()
}

// close is CLOSE.
func (o *opener) close(s *slot) {
	s.compoundFor(nfs4.OP_CLOSE, true)
	s.at(o.fh)
	s.op(nfs4.OP_CLOSE)
	o.seq++
	s.u32(o.seq)
	s.stateid(&o.id)
	s.end(nil)
}

func (o *opener) closed() { o.there = false }

// pending makes the call that has to come between OPEN and the use of the file, if there is one.
func (o *opener) pending(s *slot) bool {
	if o.confirms {
		o.confirm(s)
	}
	return o.confirms
}

// openTask opens and closes the small files.
type openTask struct {
	g  *stage
	o  *opener
	at int
}

func (t *openTask) next(s *slot) {
	switch {
	case t.o.pending(s):
	case t.o.there:
		t.o.close(s)
	default:
		name := t.g.names[t.at%len(t.g.names)].name
		t.o.open(s, t.g.dir, name, nfs4.OPEN4_SHARE_ACCESS_READ, false)
	}
}

func (t *openTask) done(s *slot, res []byte, _ int) error {
	switch nfs4.NfsOpnum4(s.proc) {
	case nfs4.OP_OPEN:
		return t.o.opened(res)
	case nfs4.OP_OPEN_CONFIRM:
		return t.o.confirmed(res)
	default:
		t.at++
		t.o.closed()
		return nil
	}
}

// lockTask takes a lock and gives it back.
type lockTask struct{ h *held }

func (t *lockTask) next(s *slot) {
	h := t.h
	h.seq++
	if h.taken {
		s.compoundFor(nfs4.OP_LOCKU, true)
		s.at(h.fh)
		s.op(nfs4.OP_LOCKU)
		s.u32(uint32(nfs4.WRITE_LT))
		s.u32(h.seq)
		s.stateid(&h.id)
		s.u64(h.off)
		s.u64(lockLength)
	} else {
		s.compoundFor(nfs4.OP_LOCK, true)
		s.at(h.fh)
		s.op(nfs4.OP_LOCK)
		s.u32(uint32(nfs4.WRITE_LT))
		s.u32(0) // no reclaim
		s.u64(h.off)
		s.u64(lockLength)
		s.u32(0) // the owner is known
		s.stateid(&h.id)
		s.u32(h.seq)
	}
	s.end(nil)
}

func (t *lockTask) done(s *slot, res []byte, _ int) error {
	r := results{b: res, good: true}
	r.op(nfs4.OP_PUTFH)
	r.op(nfs4.NfsOpnum4(s.proc))
	r.stateid(&t.h.id)
	t.h.taken = !t.h.taken
	return r.err()
}

// createTask4 makes a file, closes and removes it.
type createTask4 struct {
	g    *stage
	o    *opener
	name string
	made bool
}

func (t *createTask4) next(s *slot) {
	switch {
	case t.o.pending(s):
	case t.o.there:
		t.o.close(s)
	case t.made:
		remove(s, t.g.dir, t.name)
	default:
		t.o.open(s, t.g.dir, t.name, nfs4.OPEN4_SHARE_ACCESS_WRITE, true)
	}
}

func (t *createTask4) done(s *slot, res []byte, _ int) error {
	switch nfs4.NfsOpnum4(s.proc) {
	case nfs4.OP_OPEN:
		t.made = true
		return t.o.opened(res)
	case nfs4.OP_OPEN_CONFIRM:
		return t.o.confirmed(res)
	case nfs4.OP_CLOSE:
		t.o.closed()
	default:
		t.made = false
	}
	return nil
}

// remove is REMOVE.
func remove(s *slot, dir []byte, name string) {
	s.compoundFor(nfs4.OP_REMOVE, true)
	s.at(dir)
	s.op(nfs4.OP_REMOVE)
	s.text(name)
	s.end(nil)
}
