package files

import (
	"fmt"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// RFC 7530 section 9.1.7: which errors leave an owner's number as it was.
func TestAFailedOperationUsesUpItsNumberButForSomeErrors(t *testing.T) {
	free := map[Status]bool{
		10022: true, // STALE_CLIENTID
		10023: true, // STALE_STATEID
		10025: true, // BAD_STATEID
		10026: true, // BAD_SEQID
		10036: true, // BADXDR
		10018: true, // RESOURCE
		10020: true, // NOFILEHANDLE
		10019: true, // MOVED
	}
	statuses := []Status{0, 1, 2, 5, 13, 17, 20, 21, 22, 28, 30, 63, 69, 70}
	for st := Status(10001); st <= 10087; st++ {
		statuses = append(statuses, st)
	}
	for _, st := range statuses {
		r := newRig(t, nil)
		p := r.owner(v0, "one")
		id := p.open(fileOf(1), Read, 0)
		before := p.seq
		p.state(opClose, id, func(*Turn) Status { return st })
		if used := p.seq != before; used == free[st] {
			t.Errorf("status %d: used %v", st, used)
		}
		var turn Turn
		if v := r.BeginState(&turn, &id, opClose, before); (v == Again) == free[st] {
			t.Errorf("status %d: the operation that comes again: verdict %d", st, v)
		} else if v == Go {
			r.End(&turn, st, nil, nil)
		}
		_, end := p.close(fileOf(1), id)
		want(t, "CLOSE", end, OK)
		r.end()
	}
}

// Each operation of an owner that comes again is answered by the bytes of its first reply, also
// when it has failed, and also when its stateid is an old one or gone by then.
func TestEachOperationIsAnsweredAgain(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	again := func(what string, v Verdict, turn *Turn, st Status, seq uint32) {
		t.Helper()
		if v != Again || turn.Status != st || string(turn.Reply) != fmt.Sprint("reply ", seq) {
			t.Fatalf("%s again: verdict %d, status %d, reply %q; want reply %d", what, v,
				turn.Status, turn.Reply, seq)
		}
	}
	var turn Turn
	open := func(st Status) {
		t.Helper()
		v := r.BeginOpen(&turn, v0, []byte("one"), opOpen, p.seq-1)
		again("OPEN", v, &turn, st, p.seq-1)
	}
	state := func(what string, q *proxy, op uint32, id Stateid, st Status) {
		t.Helper()
		for range 2 {
			v := r.BeginState(&turn, &id, op, q.seq-1)
			again(what, v, &turn, st, q.seq-1)
		}
	}
	_, st := p.tryOpen(f, 0, 0, done)
	want(t, "a bad OPEN", st, Inval)
	open(Inval)
	o, st := p.tryOpen(f, Both, 0, done)
	want(t, "OPEN", st, OK)
	if !o.Confirm {
		t.Fatal("a new owner need not be confirmed")
	}
	open(OK)
	id, st := p.confirm(f, o.Stateid)
	want(t, "OPEN_CONFIRM", st, OK)
	state("OPEN_CONFIRM", p, opConfirm, o.Stateid, OK)
	l := p.locker("locks")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	state("LOCK by a new owner", p, opLock, id, OK)
	before := l.id
	want(t, "LOCK", l.again(f, ranges.Write, 20, 10), OK)
	state("LOCK", &l.proxy, opLock, before, OK)
	before = l.id
	want(t, "LOCK of no bytes", l.again(f, ranges.Write, 20, 0), Inval)
	state("LOCK of no bytes", &l.proxy, opLock, before, Inval)
	want(t, "LOCKU", l.unlock(f, 0, 5), OK)
	state("LOCKU", &l.proxy, opLockU, before, OK)
	old := id
	p.open(f, Read, 0)
	id.Seq++
	id, st = p.downgrade(f, id, Read, 0)
	want(t, "OPEN_DOWNGRADE", st, OK)
	state("OPEN_DOWNGRADE", p, opDowngrade, old, OK)
	_, st = p.close(f, id)
	want(t, "CLOSE", st, OK)
	state("CLOSE", p, opClose, id, OK)
	// The next operation of the owner ends that.
	p.open(fileOf(2), Read, 0)
	if v := r.BeginState(&turn, &id, opClose, p.seq-2); v != Refuse || turn.Status != BadStateid {
		t.Errorf("the CLOSE before the last operation: verdict %d, status %d", v, turn.Status)
	}
}

// The file handle that an OPEN has left comes with its reply, and both are copies.
func TestTheReplyThatIsKeptIsACopy(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	var turn Turn
	if v := r.BeginOpen(&turn, v0, []byte("one"), opOpen, 9); v != Go {
		t.Fatalf("verdict %d", v)
	}
	want(t, "OPEN", r.Open(f, &OpenArgs{Client: v0, Turn: &turn, Access: Read, Recovery: done},
		new(Opened)), OK)
	reply, key := []byte("stateid and flags"), *f
	r.End(&turn, OK, &key, reply)
	reply[0], key.Export = 'X', 99
	if v := r.BeginOpen(&turn, v0, []byte("one"), opOpen, 9); v != Again ||
		string(turn.Reply) != "stateid and flags" || *turn.File != *f {
		t.Errorf("verdict %d, reply %q, file %v", v, turn.Reply, turn.File)
	}
}

func TestNumbersOutOfTurnAreRefused(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	p.seq = 1<<32 - 3
	id := p.open(f, Read, 0) // OPEN and OPEN_CONFIRM
	var turn Turn
	low := r.owner(v0, "low")
	low.seq = 5
	lowID := low.open(f, Read, 0)
	for _, seq := range []uint32{0, 5, 8, 57, 1 << 31, 1<<32 - 1} {
		if v := r.BeginState(&turn, &lowID, opClose, seq); v != Refuse || turn.Status != BadSeqid {
			t.Errorf("%d instead of 7: verdict %d, status %d", seq, v, turn.Status)
		}
	}
	for _, ahead := range []uint32{1, 50, 1 << 31, 1<<32 - 2} {
		if v := r.BeginState(&turn, &id, opClose, p.seq+ahead); v != Refuse || turn.Status != BadSeqid {
			t.Errorf("%d ahead: verdict %d, status %d", ahead, v, turn.Status)
		}
		if v := r.BeginOpen(&turn, v0, []byte("one"), opOpen, p.seq+ahead); v != Refuse || turn.Status != BadSeqid {
			t.Errorf("OPEN %d ahead: verdict %d, status %d", ahead, v, turn.Status)
		}
	}
	// The last number with another operation is not that operation again.
	if v := r.BeginState(&turn, &id, opClose, p.seq-1); v != Refuse || turn.Status != BadSeqid {
		t.Errorf("another operation with the last number: verdict %d, status %d", v, turn.Status)
	}
	id = p.open(f, Read, 0) // 2^32-1
	_, st := p.close(f, id) // 0
	want(t, "CLOSE", st, OK)
	if p.seq != 1 {
		t.Errorf("next number %d", p.seq)
	}
}

func TestOperationsOfAnOwnerRunOneAtATime(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	id := p.open(f, Read, 0)
	var first, second Turn
	if v := r.BeginState(&first, &id, opClose, p.seq); v != Go {
		t.Fatalf("verdict %d", v)
	}
	for _, seq := range []uint32{p.seq - 1, p.seq, p.seq + 1} {
		if v := r.BeginState(&second, &id, opClose, seq); v != Busy {
			t.Errorf("verdict %d", v)
		}
	}
	if v := r.BeginOpen(&second, v0, []byte("one"), opOpen, p.seq); v != Busy {
		t.Errorf("verdict %d", v)
	}
	if v := r.BeginOpen(&second, v0, []byte("two"), opOpen, 5); v != Go {
		t.Errorf("another owner: verdict %d", v)
	}
	r.End(&second, 2, nil, nil)
	r.End(&first, 13, nil, nil)
}

// A turn is worth nothing for another owner, and an operation of 4.0 needs one.
func TestOperationsNeedTheTurnOfTheirOwner(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q := r.owner(v0, "one"), r.owner(v0, "two")
	id, other := p.open(f, Both, 0), q.open(f, Both, 0)
	l := q.locker("l")
	want(t, "LOCK", l.first(f, other, ranges.Read, 0, 1), OK)
	unsure, st := r.owner(v0, "three").tryOpen(f, Read, 0, done)
	want(t, "OPEN", st, OK)
	var mine Turn
	if v := r.BeginState(&mine, &id, opClose, p.seq); v != Go {
		t.Fatalf("verdict %d", v)
	}
	for _, turn := range []*Turn{nil, &mine} {
		_, st = r.Close(&Target{f, other, by(v0), turn})
		want(t, "CLOSE", st, BadStateid)
		_, st = r.Downgrade(&Target{f, other, by(v0), turn}, Both, 0)
		want(t, "OPEN_DOWNGRADE", st, BadStateid)
		_, st = r.Confirm(&Target{f, unsure.Stateid, by(v0), turn})
		want(t, "OPEN_CONFIRM", st, BadStateid)
		_, st = r.LockU(&Target{f, l.id, by(v0), turn}, 0, 1)
		want(t, "LOCKU", st, BadStateid)
		_, st = r.Lock(&LockArgs{Target: Target{f, l.id, by(v0), turn}, Kind: ranges.Read, Length: 1,
			Recovery: done}, new(Lock))
		want(t, "LOCK", st, BadStateid)
		_, st = r.Lock(&LockArgs{Target: Target{f, other, by(v0), turn}, New: true, Owner: []byte("m"),
			Kind: ranges.Read, Length: 1, Recovery: done}, new(Lock))
		want(t, "LOCK by a new owner", st, BadStateid)
	}
	a := OpenArgs{Client: v0, Owner: []byte("one"), Access: Read, Recovery: done}
	want(t, "OPEN", r.Open(f, &a, new(Opened)), BadSeqid)
	a = OpenArgs{Client: w0, Turn: &mine, Access: Read, Recovery: done}
	want(t, "OPEN of another client", r.Open(f, &a, new(Opened)), BadSeqid)
	r.End(&mine, BadStateid, nil, nil)
}

// RFC 7530 section 9.1.11.
func TestAnOpenIsWorthNothingBeforeItIsConfirmed(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	o, st := p.tryOpen(f, Both, 0, done)
	want(t, "OPEN", st, OK)
	want(t, "READ", r.check(f, o.Stateid, v0, Read), BadStateid)
	want(t, "LOCK", p.locker("l").first(f, o.Stateid, ranges.Read, 0, 1), BadStateid)
	_, st = p.downgrade(f, o.Stateid, Both, 0)
	want(t, "OPEN_DOWNGRADE", st, BadStateid)
	_, st = p.close(f, o.Stateid)
	want(t, "CLOSE", st, BadStateid)
	id, st := p.confirm(f, o.Stateid)
	want(t, "OPEN_CONFIRM", st, OK)
	if id.Seq != o.Stateid.Seq+1 {
		t.Errorf("seqid %d after %d", id.Seq, o.Stateid.Seq)
	}
	want(t, "READ", r.check(f, id, v0, Read), OK)
	_, st = p.confirm(f, id)
	want(t, "OPEN_CONFIRM of what is confirmed", st, BadStateid)
	// A further OPEN needs no confirmation, and goes on from the seqid that OPEN_CONFIRM made.
	o, st = p.tryOpen(f, Both, 0, done)
	want(t, "OPEN", st, OK)
	if o.Confirm || o.Stateid.Seq != id.Seq+1 {
		t.Errorf("confirm %v, seqid %d after %d", o.Confirm, o.Stateid.Seq, id.Seq)
	}
	o, st = p.tryOpen(fileOf(2), Both, 0, done)
	want(t, "OPEN of another file", st, OK)
	if o.Confirm {
		t.Error("an owner that is confirmed must be confirmed again")
	}
}

func TestAnOwnerThatWasNotConfirmedBeginsAfresh(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	first, st := p.tryOpen(f, Both, Both, done)
	want(t, "OPEN", st, OK)
	p.seq = 700
	second, st := p.tryOpen(f, Read, 0, done)
	want(t, "OPEN with another number", st, OK)
	if !second.Confirm || second.Stateid.Other == first.Stateid.Other {
		t.Errorf("first %v, second %v", first, second)
	}
	_, st = p.confirm(f, first.Stateid)
	want(t, "OPEN_CONFIRM of the first", st, BadStateid)
	_, st = p.confirm(f, second.Stateid)
	want(t, "OPEN_CONFIRM", st, OK)
	_, st = r.owner(w0, "x").tryOpen(f, Both, Write, done)
	want(t, "what the first has denied", st, OK)
}

// RFC 7530 section 16.10.5.
func TestAnOwnerThatHasLocksIsNotNew(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, g := fileOf(1), fileOf(2)
	p := r.owner(v0, "one")
	id, gid := p.open(f, Both, 0), p.open(g, Both, 0)
	l := p.locker("l")
	l.seq = 4
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	locks := l.id
	want(t, "LOCK as a new owner", l.first(f, id, ranges.Write, 20, 10), BadSeqid)
	l.seq = 9
	want(t, "LOCK elsewhere with a wrong number", l.first(g, gid, ranges.Write, 0, 10), BadSeqid)
	l.seq = 5
	want(t, "LOCK elsewhere", l.first(g, gid, ranges.Write, 0, 10), OK)
	want(t, "LOCKU elsewhere", l.unlock(g, 0, 10), OK)
	l.id = locks
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	l.seq = 0
	want(t, "LOCK as an owner that has nothing", l.first(f, id, ranges.Write, 20, 10), OK)
	// In 4.1 there are no numbers, and a client may send two first locks at once.
	q := r.owner(v1, "two")
	qid := q.open(g, Both, 0)
	m := q.locker("m")
	want(t, "LOCK of 4.1", m.first(g, qid, ranges.Write, 0, 10), OK)
	one := m.id
	want(t, "LOCK as a new owner of 4.1", m.first(g, qid, ranges.Write, 20, 10), OK)
	if m.id.Other != one.Other || m.id.Seq != one.Seq+1 {
		t.Errorf("%v after %v", m.id, one)
	}
}

// A range that is invalid uses up the lock owner's number, and the open owner's.
func TestAnInvalidRangeUsesUpItsNumber(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	id := p.open(f, Both, 0)
	l := p.locker("l")
	before := p.seq
	want(t, "LOCK as a new owner", l.first(f, id, ranges.Write, 5, 0), Inval)
	if p.seq != before+1 {
		t.Error("the open owner's number was not used up")
	}
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	for _, bad := range [][2]uint64{{0, 0}, {100, 1<<64 - 2}, {1<<64 - 1, 1}} {
		before = l.seq
		want(t, "LOCK", l.again(f, ranges.Write, bad[0], bad[1]), Inval)
		want(t, "LOCKU", l.unlock(f, bad[0], bad[1]), Inval)
		if l.seq != before+2 {
			t.Error("the lock owner's number was not used up")
		}
		want(t, "LOCKT", l.test(f, ranges.Write, bad[0], bad[1]), Inval)
	}
	want(t, "LOCK", l.again(f, ranges.Write, 20, 10), OK)
}

func TestReleaseLockOwner(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, g := fileOf(1), fileOf(2)
	p := r.owner(v0, "one")
	id, gid := p.open(f, Both, 0), p.open(g, Both, 0)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	locks := l.id
	want(t, "LOCK", l.first(g, gid, ranges.Write, 0, 10), OK)
	want(t, "RELEASE_LOCKOWNER", r.ReleaseLockOwner(v0, []byte("l")), LocksHeld)
	want(t, "LOCKU", l.unlock(g, 0, 10), OK)
	want(t, "RELEASE_LOCKOWNER", r.ReleaseLockOwner(v0, []byte("l")), LocksHeld)
	l.id = locks
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	want(t, "RELEASE_LOCKOWNER of another client", r.ReleaseLockOwner(w0, []byte("l")), OK)
	want(t, "the locks", r.check(f, l.id, v0, Read), OK)
	want(t, "RELEASE_LOCKOWNER", r.ReleaseLockOwner(v0, []byte("l")), OK)
	want(t, "the locks", r.check(f, l.id, v0, Read), BadStateid)
	want(t, "RELEASE_LOCKOWNER again", r.ReleaseLockOwner(v0, []byte("l")), OK)
	want(t, "RELEASE_LOCKOWNER of no client", r.ReleaseLockOwner(99, []byte("l")), StaleClientID)
	if n := r.Counts(); n.Locks != 0 || n.Owners != 1 {
		t.Errorf("counts %+v", n)
	}
	l.seq = 0
	want(t, "LOCK as a new owner", l.first(f, id, ranges.Write, 0, 10), OK)
}

// A stateid that was never given out, or of an operation long ago, does not count as a CLOSE that
// comes again.
func TestOnlyTheLastCloseComesAgain(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	id := p.open(f, Read, 0)
	other := p.open(fileOf(2), Read, 0)
	_, st := p.close(f, id)
	want(t, "CLOSE", st, OK)
	guess := id
	guess.Other[6] ^= 1
	var turn Turn
	if v := r.BeginState(&turn, &guess, opClose, p.seq-1); v != Refuse || turn.Status != BadStateid {
		t.Errorf("a guess: verdict %d, status %d", v, turn.Status)
	}
	guess.Other[11] ^= 1
	if v := r.BeginState(&turn, &guess, opClose, p.seq-1); v != Refuse || turn.Status != StaleStateid {
		t.Errorf("of another epoch: verdict %d, status %d", v, turn.Status)
	}
	for _, special := range []Stateid{Anonymous, Bypass} {
		if v := r.BeginState(&turn, &special, opClose, p.seq-1); v != Refuse || turn.Status != BadStateid {
			t.Errorf("special: verdict %d, status %d", v, turn.Status)
		}
	}
	_, st = p.close(fileOf(2), other)
	want(t, "CLOSE of another file", st, OK)
}

// Owners without opens are kept for a lease time; opens that nobody confirms as well.
func TestOwnersThatNobodyNeedsAreForgotten(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p, q, s := r.owner(v0, "closed"), r.owner(v0, "not confirmed"), r.owner(v0, "open")
	id := p.open(fileOf(1), Read, 0)
	p.close(fileOf(1), id)
	r.now += 10
	q.tryOpen(fileOf(2), Read, Both, done)
	s.open(fileOf(3), Read, 0)
	for _, c := range []struct {
		at            uint32
		owners, opens int
	}{{1045, 3, 2}, {1046, 2, 2}, {1055, 2, 2}, {1056, 1, 1}, {9000, 1, 1}} {
		r.now = c.at
		r.Sweep()
		if n := r.Counts(); n.Owners != c.owners || n.Opens != c.opens {
			t.Errorf("at %d: %+v", c.at, n)
		}
	}
	p.seq = 99
	p.open(fileOf(1), Read, 0)
}
