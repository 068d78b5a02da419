package files

import (
	"fmt"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

func TestOpensAreRefusedByWhatOthersDenyAndUse(t *testing.T) {
	for _, clients := range [][2]uint64{{v1, v1}, {v1, w1}, {v0, v1}, {v1, v0}, {v0, w0}} {
		for a := Read; a <= Both; a++ {
			for d := Share(0); d <= Both; d++ {
				for b := Read; b <= Both; b++ {
					for e := Share(0); e <= Both; e++ {
						r := newRig(t, nil)
						r.owner(clients[0], "first").open(fileOf(1), a, d)
						second := r.owner(clients[1], "second")
						_, st := second.tryOpen(fileOf(1), b, e, done)
						expect := OK
						if a&e != 0 || d&b != 0 {
							expect = ShareDenied
						}
						what := fmt.Sprintf("open %d deny %d after open %d deny %d", b, e, a, d)
						want(t, what, st, expect)
						if _, st = second.tryOpen(fileOf(2), b, e, done); st != OK {
							t.Fatalf("%s: another file: %d", what, st)
						}
						r.end()
					}
				}
			}
		}
	}
}

func TestASecondOpenOfAnOwnerAddsToTheFirst(t *testing.T) {
	for _, client := range []uint64{v0, v1} {
		r := newRig(t, nil)
		f := fileOf(1)
		p, q := r.owner(client, "one"), r.owner(client, "two")
		first := p.open(f, Write, 0)
		_, st := p.tryOpen(f, Read, Write, done)
		want(t, "to deny what it uses itself", st, ShareDenied)
		second := p.open(f, Read, Read)
		_, st = p.tryOpen(f, Read, 0, done)
		want(t, "what it denies itself", st, ShareDenied)
		if first.Other != second.Other || second.Seq != first.Seq+1 {
			t.Fatalf("first %v, second %v", first, second)
		}
		want(t, "both ways", r.check(f, second, client, Both), OK)
		want(t, "the first stateid", r.check(f, first, client, Read), OldStateid)
		_, st = q.tryOpen(f, Read, 0, done)
		want(t, "what the second denies", st, ShareDenied)
		_, st = q.tryOpen(f, Write, Read, done)
		want(t, "to deny what the first uses", st, ShareDenied)
		_, st = q.tryOpen(f, Write, 0, done)
		want(t, "what nobody minds", st, OK)
		_, st = p.tryOpen(f, Read, Write, done)
		want(t, "to deny what the other uses", st, ShareDenied)
		want(t, "a refused OPEN changes nothing", r.check(f, second, client, Both), OK)
		if n := r.Counts(); n.Opens != 2 || n.Files != 1 {
			t.Errorf("counts %+v", n)
		}
		r.end()
	}
}

// SETCLIENTID of a client that is known changes nothing, not even what it has not confirmed.
func TestAClientThatIsAddedAgainKeepsWhatItHas(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p, q := r.owner(v0, "one"), r.owner(v0, "two")
	id := p.open(fileOf(1), Read, 0)
	o, st := q.tryOpen(fileOf(2), Read, 0, done)
	want(t, "OPEN", st, OK)
	r.AddClient(v0, 0)
	want(t, "READ", r.check(fileOf(1), id, v0, Read), OK)
	_, st = q.confirm(fileOf(2), o.Stateid)
	want(t, "OPEN_CONFIRM", st, OK)
	if n := r.Counts(); n.Clients != 4 {
		t.Errorf("%+v", n)
	}
}

func TestOpensThatAskForNothingAreInvalid(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p := r.owner(v1, "one")
	for _, c := range [][2]Share{{0, 0}, {4, 0}, {Read, 4}, {0, Both}} {
		_, st := p.tryOpen(fileOf(1), c[0], c[1], done)
		want(t, "OPEN", st, Inval)
	}
	id := p.open(fileOf(1), Both, Both)
	for _, c := range [][2]Share{{0, 0}, {4, 0}, {Read, 4}, {0, Both}} {
		_, st := p.downgrade(fileOf(1), id, c[0], c[1])
		want(t, "OPEN_DOWNGRADE", st, Inval)
	}
	_, st := r.owner(99, "one").tryOpen(fileOf(1), Read, 0, done)
	want(t, "OPEN of an unknown client", st, StaleClientID)
}

// RFC 8881 section 18.18.3: the union of what a subset of the OPENs has asked for.
func TestADowngradeGoesToWhatWasAskedFor(t *testing.T) {
	type pair struct{ access, deny Share }
	for _, c := range []struct {
		name  string
		opens []pair
		to    pair
		want  Status
	}{
		{"one of two", []pair{{Read, 0}, {Both, 0}}, pair{Read, 0}, OK},
		{"the other of two", []pair{{Read, 0}, {Both, 0}}, pair{Both, 0}, OK},
		{"a part of one", []pair{{Both, 0}}, pair{Read, 0}, Inval},
		{"what is left when one is taken away", []pair{{Write, 0}, {Both, 0}}, pair{Read, 0}, Inval},
		{"a union of two", []pair{{Read, 0}, {Write, 0}}, pair{Both, 0}, OK},
		{"a union of two of three", []pair{{Read, 0}, {Write, 0}, {Both, 0}}, pair{Both, 0}, OK},
		{"more than there is", []pair{{Read, 0}}, pair{Both, 0}, Inval},
		{"to deny more than there is", []pair{{Read, 0}}, pair{Read, Write}, Inval},
		{"ways of one with denials of another", []pair{{Read, Read}, {Write, Write}},
			pair{Read, Write}, Inval},
		{"less denied", []pair{{Read, Write}, {Read, 0}}, pair{Read, 0}, OK},
		{"a denial that was never without", []pair{{Read, Write}, {Read, Write}}, pair{Read, 0}, Inval},
		{"nothing less", []pair{{Both, Both}}, pair{Both, Both}, OK},
	} {
		for _, client := range []uint64{v0, v1} {
			r := newRig(t, nil)
			f := fileOf(1)
			p := r.owner(client, "one")
			var id Stateid
			for _, o := range c.opens {
				id = p.open(f, o.access, o.deny)
			}
			got, st := p.downgrade(f, id, c.to.access, c.to.deny)
			want(t, c.name, st, c.want)
			if st == OK {
				if got.Other != id.Other || got.Seq != id.Seq+1 {
					t.Errorf("%s: stateid %v after %v", c.name, got, id)
				}
				if missing := Both &^ c.to.access; missing == Write {
					want(t, "what it gave up", r.check(f, got, client, Write), OpenMode)
				}
				_, st = r.owner(w1, "other").tryOpen(f, Both&^c.to.deny, 0, done)
				if c.to.deny != Both {
					want(t, c.name+": what is not denied", st, OK)
				}
			} else {
				want(t, "it is as it was", r.check(f, id, client, id2way(c.opens[0].access)), OK)
			}
			r.end()
		}
	}
}

func id2way(access Share) Share {
	if access == Both {
		return Both
	}
	return access
}

// What a downgrade gave up cannot be come back to, unless it is opened again.
func TestADowngradeForgetsWhatWasAskedForBefore(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	p.open(f, Read, 0)
	id := p.open(f, Write, 0)
	for _, to := range []Share{Read, Read, Write} {
		var st Status
		id, st = p.downgrade(f, id, to, 0)
		want(t, "OPEN_DOWNGRADE", st, OK)
		_, st = p.downgrade(f, id, Both, 0)
		want(t, "to what was given up", st, Inval)
		if to == Read {
			id = p.open(f, Write, 0)
		}
	}
}

func TestCloseEndsAnOpenAndWhatDependsOnIt(t *testing.T) {
	for _, client := range []uint64{v0, v1} {
		r := newRig(t, nil)
		f := fileOf(1)
		p, q := r.owner(client, "one"), r.owner(w1, "other")
		id := p.open(f, Both, Write)
		l := p.locker("locks")
		want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
		res, st := p.close(f, id)
		want(t, "CLOSE", st, OK)
		if client == v1 && res != Invalid || client == v0 && (res.Other != id.Other || res.Seq != id.Seq+1) {
			t.Errorf("CLOSE answers %v of %v", res, id)
		}
		want(t, "the open", r.check(f, id, client, Read), BadStateid)
		want(t, "what CLOSE answered", r.check(f, res, client, Read), BadStateid)
		want(t, "the locks", r.check(f, l.id, client, Read), BadStateid)
		_, st = p.close(f, id)
		want(t, "CLOSE with the next seqid", st, BadStateid)
		other := q.open(f, Both, Both)
		want(t, "LOCK of another", q.locker("x").first(f, other, ranges.Write, 0, 10), OK)
		_, st = q.close(f, other)
		want(t, "CLOSE", st, OK)
		// Opened again, it is another open.
		again := p.open(f, Read, 0)
		if again.Other == id.Other {
			t.Error("an open that was closed has come back")
		}
		want(t, "the old open", r.check(f, id, client, Read), BadStateid)
		r.end()
	}
}

// A client may use a lock stateid after CLOSE and another OPEN. It is BAD, and the owner begins
// again with any number.
func TestALockStateidDoesNotOutliveItsOpen(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	id := p.open(f, Both, 0)
	l := p.locker("locks")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	_, st := p.close(f, id)
	want(t, "CLOSE", st, OK)
	id = p.open(f, Both, 0)
	want(t, "LOCK with the old locks", l.again(f, ranges.Write, 0, 10), BadStateid)
	l.seq = 77
	want(t, "LOCK as a new owner", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK", l.again(f, ranges.Write, 20, 10), OK)
}

func TestTheFirstOpenOfAFileAndTheLastAreTold(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q := r.owner(v1, "one"), r.owner(v0, "two")
	if r.HasOpens(f) || r.Pin(f) {
		t.Fatal("a file that nobody has opened is open")
	}
	a := p.open(f, Read, 0)
	if r.opened[*f] != 1 || !r.HasOpens(f) {
		t.Fatalf("opened %d", r.opened[*f])
	}
	b := q.open(f, Read, 0)
	p.close(f, a)
	if r.opened[*f] != 1 || !r.HasOpens(f) {
		t.Fatalf("opened %d", r.opened[*f])
	}
	if !r.Pin(f) {
		t.Fatal("an open file cannot be pinned")
	}
	q.close(f, b)
	if r.opened[*f] != 1 || r.HasOpens(f) {
		t.Fatalf("a pinned file: opened %d", r.opened[*f])
	}
	a = p.open(f, Read, 0)
	if r.opened[*f] != 1 {
		t.Fatalf("a pinned file that is opened again: %d", r.opened[*f])
	}
	p.close(f, a)
	r.Unpin(f)
	if r.opened[*f] != 0 || r.Counts().Files != 0 {
		t.Fatalf("opened %d, counts %+v", r.opened[*f], r.Counts())
	}
}

// What a client holds whose lease has ended goes when somebody else needs it, and only then.
func TestACourteousClientMakesWay(t *testing.T) {
	for _, lost := range []uint64{v0, v1} {
		r := newRig(t, nil)
		f, g := fileOf(1), fileOf(2)
		p, q := r.owner(lost, "one"), r.owner(w1, "two")
		id := p.open(f, Both, Write)
		other := p.open(g, Both, 0)
		l := p.locker("locks")
		want(t, "LOCK", l.first(g, other, ranges.Write, 0, 10), OK)
		r.courteous[lost] = true

		_, st := q.tryOpen(f, Read, 0, done)
		want(t, "an OPEN that conflicts with nothing", st, OK)
		gid := q.open(g, Both, 0)
		want(t, "I/O of the courteous client", r.check(f, id, lost, Write), OK)
		if len(r.lost) > 0 {
			t.Fatal("a client was expired that was in nobody's way")
		}
		_, st = q.tryOpen(f, Write, 0, done)
		want(t, "an OPEN that conflicts", st, OK)
		if len(r.lost) != 1 {
			t.Fatalf("expired: %v", r.lost)
		}
		want(t, "its open", r.check(f, id, lost, Read), Expired)
		want(t, "its locks", r.check(g, l.id, lost, Read), Expired)
		want(t, "LOCK where it had one", q.locker("x").first(g, gid, ranges.Write, 0, 10), OK)
		if r.HasState(lost) {
			t.Error("it still holds something")
		}
		// It is told, whatever it tries, and gets nothing any more.
		_, st = p.close(f, id)
		want(t, "its CLOSE", st, Expired)
		_, st = p.tryOpen(f, Read, 0, done)
		want(t, "its OPEN", st, Expired)
		want(t, "its LOCK", l.first(g, other, ranges.Read, 0, 1), Expired)
		r.now += 46
		r.Sweep()
		want(t, "its open, when it is forgotten", r.check(f, id, lost, Read), BadStateid)
		r.end()
	}
}

// A client of 4.0 that was dropped, by whomever, is told for a lease time what has become of its
// state: also when another incarnation has taken its place, whose owners count from the
// beginning.
func TestAClientOf40IsToldThatItHasExpired(t *testing.T) {
	var r *rig
	r = newRig(t, func(c *Config) {
		c.Expire = func(id uint64) bool {
			r.DropClient(id)
			return true
		}
	})
	defer r.end()
	f := fileOf(1)
	for _, lost := range []uint64{v0, v1} {
		p := r.owner(lost, "one")
		id := p.open(f, Both, Write)
		r.courteous[lost] = true
		q := r.owner(w1, "two")
		other := q.open(f, Both, 0)
		expect := BadStateid
		if lost == v0 {
			expect = Expired
		}
		for _, seq := range []uint32{p.seq, 0, 99} {
			p.seq = seq
			_, st := p.close(f, id)
			want(t, "CLOSE", st, expect)
		}
		r.now += 45
		r.Sweep()
		want(t, "READ within a lease time", r.check(f, id, lost, Read), expect)
		r.now++
		r.Sweep()
		want(t, "READ after it", r.check(f, id, lost, Read), BadStateid)
		_, st := q.close(f, other)
		want(t, "CLOSE", st, OK)
	}
	if n := r.Counts(); n.Clients != 2 || n.Dead != 0 {
		t.Errorf("%+v", n)
	}
}

// However often a client of 4.0 begins anew, what is kept of its former lives is bounded.
func TestClientsThatBeginAnewLeaveLittle(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	for i := range uint64(5000) {
		id := 100 + i
		r.AddClient(id, 0)
		if i%2 == 0 { // the others hold nothing, and leave nothing
			var turn Turn
			if v := r.BeginOpen(&turn, id, []byte("one"), opOpen, 1); v != Go {
				t.Fatalf("verdict %d", v)
			}
			a := OpenArgs{Client: id, Turn: &turn, Access: Both, Recovery: done}
			st := r.Open(fileOf(int(i)), &a, new(Opened))
			want(t, "OPEN", st, OK)
			r.End(&turn, st, nil, nil)
		}
		r.DropClient(id)
	}
	n := r.Counts()
	if n.Clients != 4 || n.Dead < 1000 || n.Dead > 1024 || n.Files != 0 || len(r.expired) > 1024 {
		t.Errorf("%+v", n)
	}
}

func TestALockOfACourteousClientMakesWay(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, v0)
	l, m := p.locker("l"), q.locker("m")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK in the way", m.first(f, qid, ranges.Read, 5, 1), Denied)
	want(t, "LOCKT in the way", m.test(f, ranges.Read, 5, 1), Denied)
	r.courteous[v1] = true
	want(t, "LOCKT", m.test(f, ranges.Read, 5, 1), OK)
	want(t, "LOCK", m.first(f, qid, ranges.Read, 5, 1), OK)
	want(t, "the open of who was in the way", r.check(f, pid, v1, Read), Expired)
}

// One that has come back meanwhile, and one of several that is alive, is not expired.
func TestWhoIsAliveDoesNotMakeWay(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	r.owner(v1, "one").open(f, Read, 0)
	r.owner(v0, "two").open(f, Read, 0)
	r.courteous[v1] = true
	_, st := r.owner(w1, "three").tryOpen(f, Read, Read, done)
	want(t, "OPEN", st, ShareDenied)
	if len(r.lost) > 0 {
		t.Fatalf("expired in vain: %v", r.lost)
	}
	// Its own open, however courteous the client is said to be.
	_, st = r.owner(v1, "four").tryOpen(f, Write, Read, done)
	want(t, "OPEN of the same client", st, ShareDenied)
	r.courteous[v0] = true
	_, st = r.owner(w1, "three").tryOpen(f, Read, Read, done)
	want(t, "OPEN", st, OK)
	if len(r.lost) != 2 {
		t.Errorf("expired: %v", r.lost)
	}
}

// More clients are in the way than one round expires.
func TestManyCourteousClientsMakeWay(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	for i := range uint64(100) {
		id := 100 + i
		r.AddClient(id, 1)
		r.courteous[id] = true
		a := OpenArgs{Client: id, Owner: []byte("x"), Access: Read, Recovery: done}
		want(t, "OPEN", r.Open(f, &a, new(Opened)), OK)
	}
	_, st := r.owner(v1, "one").tryOpen(f, Read, Read, done)
	want(t, "OPEN", st, OK)
	for i := range uint64(100) {
		r.DropClient(100 + i)
	}
}

func TestRevokedStateAnswersUntilItIsFreed(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, Both)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "FREE_STATEID of an open", r.FreeStateid(&id, by(v1)), LocksHeld)
	want(t, "FREE_STATEID of locks", r.FreeStateid(&l.id, by(v1)), LocksHeld)
	r.Revoke(v1, AdminRevoked)
	if r.opened[*f] != 0 || r.HasState(v1) {
		t.Error("the file is still open")
	}
	for _, id := range []Stateid{id, l.id} {
		want(t, "I/O", r.check(f, id, v1, Read), AdminRevoked)
		want(t, "TEST_STATEID", r.TestStateid(&id, by(v1)), AdminRevoked)
		want(t, "FREE_STATEID of another client", r.FreeStateid(&id, by(w1)), BadStateid)
		want(t, "FREE_STATEID", r.FreeStateid(&id, by(v1)), OK)
		want(t, "FREE_STATEID again", r.FreeStateid(&id, by(v1)), BadStateid)
		want(t, "TEST_STATEID", r.TestStateid(&id, by(v1)), BadStateid)
	}
	p.open(f, Both, Both) // the client goes on
}

func TestLocksWithoutAnyAreFreed(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	old := l.id
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	want(t, "FREE_STATEID of an old one", r.FreeStateid(&old, by(v1)), OldStateid)
	want(t, "FREE_STATEID", r.FreeStateid(&l.id, by(v1)), OK)
	want(t, "what was freed", r.check(f, l.id, v1, Read), BadStateid)
	if n := r.Counts(); n.Locks != 0 || n.Owners != 1 {
		t.Errorf("counts %+v", n)
	}
	want(t, "LOCK again", l.first(f, id, ranges.Write, 0, 10), OK)
}

// Who is brief does not decide that somebody loses what he holds: that is written to a store.
func TestWhoIsBriefWaitsToTakeAnythingAway(t *testing.T) {
	r := newRig(t, nil)
	f := fileOf(1)
	defer r.end()
	p, q := r.owner(v1, "one"), r.owner(w1, "two")
	p.open(f, Write, Read)
	brief := OpenArgs{Client: w1, Owner: []byte(q.name), Access: Read, Brief: true, Recovery: done}
	var o Opened
	want(t, "of a client that is there", r.Open(f, &brief, &o), MustWait)
	r.courteous[v1] = true
	want(t, "of a courteous one", r.Open(f, &brief, &o), MustWait)
	want(t, "what is in nobody's way", r.Open(fileOf(2), &brief, &o), OK)
	brief.Brief = false
	want(t, "who may wait", r.Open(f, &brief, &o), OK)
}

// The same of locks, and of I/O that what another client denies is in the way of.
func TestWhoIsBriefWaitsToTakeALockAway(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(3)
	p, _, pid, qid := r.two(f, v1, w1)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	r.owner(v1, "denies").open(fileOf(4), Read, Read)
	lock := func(me Caller) Status {
		x := Target{f, qid, me, nil}
		_, st := r.Lock(&LockArgs{x, true, []byte("m"), 0, ranges.Read, 5, 1, false, done}, new(Lock))
		return st
	}
	test := func(me Caller) Status {
		return r.LockT(f, &TestArgs{me, []byte("m"), ranges.Read, 5, 1, done}, new(Lock))
	}
	special := func(me Caller) Status { return r.CheckSpecial(fileOf(4), &Anonymous, Read, done, me) }
	me := by(w1)
	me.Brief = true
	for what, op := range map[string]func(Caller) Status{"LOCK": lock, "LOCKT": test, "I/O": special} {
		st := Denied
		if what == "I/O" {
			st = Locked
		}
		want(t, what+" against who is there", op(me), st)
		r.courteous[v1] = true
		want(t, what+" against who is courteous", op(me), MustWait)
		r.courteous[v1] = false
	}
	if len(r.lost) > 0 {
		t.Errorf("%d clients have lost something", len(r.lost))
	}
	want(t, "what they had", r.check(f, pid, v1, Read), OK)
}
