package files

import (
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// The answers by RFC 8881 sections 8.4.2.1, 18.10, 18.11, 18.16, 18.22 and 18.51, and RFC 7530
// section 9.6.2: written out, for each operation in grace and not, by clients that have said
// RECLAIM_COMPLETE and not, with and without reclaim, whether or not the client was known before.
func TestGrace(t *testing.T) {
	answers := map[byte]Status{'o': OK, 'g': Grace, 'n': NoGrace, 'b': ReclaimBad}
	type row struct{ inGrace, complete, reclaim, known bool }
	for _, c := range []struct {
		row
		// what OPEN, LOCK, LOCKT, I/O, REMOVE and CLOSE answer in version 4.1, and in 4.0
		later, legacy string
	}{
		{row{false, false, false, false}, "ggoooo", "oooooo"},
		{row{false, false, false, true}, "ggoooo", "oooooo"},
		{row{false, false, true, false}, "nnoooo", "nnoooo"},
		{row{false, false, true, true}, "nnoooo", "nnoooo"},
		{row{false, true, false, false}, "oooooo", "oooooo"},
		{row{false, true, false, true}, "oooooo", "oooooo"},
		{row{false, true, true, false}, "nnoooo", "nnoooo"},
		{row{false, true, true, true}, "nnoooo", "nnoooo"},
		{row{true, false, false, false}, "gggggo", "gggggo"},
		{row{true, false, false, true}, "gggggo", "gggggo"},
		{row{true, false, true, false}, "bbgggo", "bbgggo"},
		{row{true, false, true, true}, "oogggo", "oogggo"},
		{row{true, true, false, false}, "gggggo", "gggggo"},
		{row{true, true, false, true}, "gggggo", "gggggo"},
		{row{true, true, true, false}, "nngggo", "nngggo"},
		{row{true, true, true, true}, "nngggo", "nngggo"},
	} {
		g := Recovery{InGrace: c.inGrace, Reclaim: c.reclaim, Complete: c.complete, Known: c.known}
		for i, op := range []Op{OpOpen, OpLock, OpLockT, OpIO, OpUnlink, OpOther} {
			later, legacy := answers[c.later[i]], answers[c.legacy[i]]
			if got := g.Judge(op, 1); got != later {
				t.Errorf("%+v op %d: status %d, want %d", g, op, got, later)
			}
			if got := g.Judge(op, 0); got != legacy {
				t.Errorf("%+v op %d of 4.0: status %d, want %d", g, op, got, legacy)
			}
			graceOfOperation(t, op, v1, g, later)
			graceOfOperation(t, op, v0, g, legacy)
		}
	}
}

// graceOfOperation runs the operation itself, which must ask.
func graceOfOperation(t *testing.T, op Op, client uint64, g Recovery, expect Status) {
	t.Helper()
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(client, "one")
	id := p.open(f, Both, 0)
	l := p.locker("l")
	switch op {
	case OpOpen:
		_, st := p.tryOpen(f, Read, 0, g)
		want(t, "OPEN", st, expect)
	case OpLock:
		want(t, "LOCK", l.firstIn(f, id, ranges.Read, 0, 1, g), expect)
	case OpLockT:
		a := TestArgs{Caller{Client: client, Minor: by(client).Minor}, []byte("l"), ranges.Read, 0, 1, g}
		want(t, "LOCKT", r.LockT(f, &a, new(Lock)), expect)
	case OpIO:
		want(t, "READ", r.CheckSpecial(f, &Anonymous, Read, g, by(client)), expect)
	case OpOther:
		want(t, "LOCK", l.first(f, id, ranges.Read, 0, 1), OK)
		want(t, "LOCKU", l.unlock(f, 0, 1), expect)
		id, st := p.downgrade(f, id, Both, 0)
		want(t, "OPEN_DOWNGRADE", st, expect)
		want(t, "READ with an open", r.check(f, id, client, Read), expect)
		_, st = p.close(f, id)
		want(t, "CLOSE", st, expect)
	case OpUnlink:
	}
}

var reclaim = Recovery{InGrace: true, Reclaim: true, Known: true}

func TestAReclaimThatConflictsIsSaidToBeOne(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q := r.owner(v1, "one"), r.owner(v0, "two")
	o, st := p.tryOpen(f, Both, Write, reclaim)
	want(t, "OPEN", st, OK)
	_, st = q.tryOpen(f, Write, 0, reclaim)
	want(t, "OPEN that conflicts", st, ReclaimConflict)
	q0, st := q.tryOpen(f, Read, 0, reclaim)
	want(t, "OPEN", st, OK)
	l, m := p.locker("l"), q.locker("m")
	want(t, "LOCK", l.firstIn(f, o.Stateid, ranges.Write, 0, 10, reclaim), OK)
	want(t, "LOCK that conflicts", m.firstIn(f, q0.Stateid, ranges.Read, 9, 1, reclaim), ReclaimConflict)
	want(t, "LOCK", m.firstIn(f, q0.Stateid, ranges.Read, 10, 1, reclaim), OK)
}

// RFC 7530 section 9.1.11: an open that is reclaimed needs no confirmation.
func TestAReclaimNeedsNoConfirmation(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p := r.owner(v0, "one")
	o, st := p.tryOpen(fileOf(1), Read, 0, reclaim)
	want(t, "OPEN", st, OK)
	if o.Confirm {
		t.Error("it must be confirmed")
	}
	want(t, "READ", r.check(fileOf(1), o.Stateid, v0, Read), OK)
}
