package files

import "testing"

func TestAnOpenWhoseEffectsFailIsUndone(t *testing.T) {
	for _, client := range []uint64{v0, v1} {
		r := newRig(t, nil)
		f := fileOf(1)
		p, q := r.owner(client, "one"), r.owner(w1, "two")
		open := func(f *File, access, deny Share) (o Opened) {
			st := p.turn(
				func(turn *Turn) Verdict { return r.BeginOpen(turn, client, []byte("one"), opOpen, p.seq) },
				func(turn *Turn) Status {
					a := OpenArgs{client, []byte("one"), turn, access, deny, false, done}
					want(t, "OPEN", r.Open(f, &a, &o), OK)
					r.Undo(&o)
					return 28
				})
			want(t, "the failed OPEN", st, 28)
			return o
		}
		o := open(f, Both, Both)
		want(t, "an open that was undone", r.check(f, o.Stateid, client, Read), BadStateid)
		if r.opened[*f] != 0 {
			t.Error("the file is still open")
		}
		id := p.open(f, Read, 0)
		open(f, Both, Write)
		want(t, "its stateid", r.check(f, id, client, Read), OK)
		want(t, "what was given back", r.check(f, id, client, Write), OpenMode)
		if _, st := q.tryOpen(f, Write, 0, done); st != OK {
			t.Errorf("what was denied by an OPEN that was undone: %d", st)
		}
		_, st := p.downgrade(f, id, Both, 0)
		want(t, "what was never had", st, Inval)
		r.end()
	}
}

// OPENs of one owner whose changes are flushed together all fail if the flush does, in any order.
func TestOpensThatFailTogetherLeaveNothing(t *testing.T) {
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for _, first := range []bool{true, false} {
		for _, order := range orders {
			for kept := -1; kept < 3; kept++ { // the one that does not fail
				r := newRig(t, nil)
				f := fileOf(1)
				p, q := r.owner(v1, "one"), r.owner(w1, "two")
				if !first {
					p.open(f, Read, 0)
				}
				var opened [3]Opened
				for i := range opened {
					a := OpenArgs{v1, []byte("one"), nil, Both, 0, false, done}
					want(t, "OPEN", r.Open(f, &a, &opened[i]), OK)
				}
				for _, i := range order {
					if i != kept {
						r.Undo(&opened[i])
					}
				}
				_, st := q.tryOpen(f, Read, Write, done)
				if expect := kept < 0; (st == OK) != expect {
					t.Errorf("order %v, kept %d: an OPEN that denies writing gets %d",
						order, kept, st)
				}
				if kept < 0 && !first {
					want(t, "what was there",
						r.check(f, opened[0].Stateid.at(1), v1, Read), OK)
					want(t, "what was given back",
						r.check(f, opened[0].Stateid.at(1), v1, Write), OpenMode)
				}
				if kept < 0 && first {
					want(t, "an open that was undone",
						r.check(f, opened[0].Stateid, v1, Read), BadStateid)
				}
				r.end()
			}
		}
	}
}

func TestFewOpensOfAClientAreToBeUndone(t *testing.T) {
	r := newRig(t, nil)
	f, g := fileOf(1), fileOf(2)
	p := r.owner(v1, "one")
	id := p.open(g, Read, 0)
	var opened [undoneMax + 2]Opened
	for i := range opened {
		a := OpenArgs{v1, []byte("one"), nil, Both, 0, false, done}
		want(t, "OPEN", r.Open(f, &a, &opened[i]), OK)
	}
	left := func() (n int) {
		for o := r.client(v1).undone; o != nil; o = o.next {
			n++
		}
		return n
	}
	for i := range opened[1:] {
		r.Undo(&opened[i])
	}
	if n := left(); n != 64 {
		t.Errorf("%d are to be undone", n)
	}
	_, st := p.close(g, id)
	want(t, "CLOSE of another file", st, OK)
	if n := left(); n != 64 {
		t.Errorf("%d are to be undone", n)
	}
	_, st = p.close(f, opened[len(opened)-1].Stateid)
	want(t, "CLOSE", st, OK)
	if n := left(); n != 0 {
		t.Errorf("%d are to be undone of an open that is gone", n)
	}
	r.end()
}

// at returns the stateid with another seqid.
func (s Stateid) at(seq uint32) Stateid {
	s.Seq = seq
	return s
}
