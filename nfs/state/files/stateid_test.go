package files

import (
	"errors"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// RFC 8881 sections 8.2.2 to 8.2.4 and RFC 7530 section 9.1.4.
func TestAStateidIsJudged(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, other := fileOf(1), fileOf(2)
	p1, p0 := r.owner(v1, "one"), r.owner(v0, "zero")
	p1.open(f, Read, 0)
	p1.open(f, Read, 0)
	id1 := p1.open(f, Read, 0)
	p0.open(f, Read, 0)
	id0 := p0.open(f, Read, 0)

	guess := func(id Stateid) Stateid { id.Other[5] ^= 1; return id }
	past := func(id Stateid) Stateid { id.Other[11] ^= 1; return id } // another epoch
	far := func(id Stateid) Stateid { id.Other[0] ^= 0x80; return id }
	seq := func(id Stateid, n uint32) Stateid { id.Seq = n; return id }
	elsewhere := *f
	elsewhere.Export++

	for _, c := range []struct {
		name string
		file *File
		id   Stateid
		by   Caller
		want Status
	}{
		{"of the present", f, id1, by(v1), OK},
		{"with seqid 0, which is the present one", f, seq(id1, 0), by(v1), OK},
		{"with the seqid before", f, seq(id1, 2), by(v1), OldStateid},
		{"with the first seqid", f, seq(id1, 1), by(v1), OldStateid},
		{"with a seqid to come", f, seq(id1, 4), by(v1), BadStateid},
		{"with a seqid far ahead", f, seq(id1, 1<<31-1), by(v1), BadStateid},
		{"guessed", f, guess(id1), by(v1), BadStateid},
		{"with an index of none", f, far(id1), by(v1), BadStateid},
		{"of another epoch is not stale in 4.1", f, past(id1), by(v1), BadStateid},
		{"of another client", f, id1, by(w1), BadStateid},
		{"of 4.0 in 4.1", f, id0, by(v1), BadStateid},
		{"of 4.0 in 4.1 as client 1", f, id0, Caller{Client: v0, Minor: 1}, BadStateid},
		{"of 4.1 in 4.0", f, id1, by(v0), BadStateid},
		{"of another file", other, id1, by(v1), BadStateid},
		{"of the same handle in another export", &elsewhere, id1, by(v1), BadStateid},
		{"that is current and was not replaced", f, Current, by(v1), BadStateid},
		{"that CLOSE answers", f, Invalid, by(v1), BadStateid},
		{"that is anonymous", f, Anonymous, by(v1), BadStateid},
		{"of 4.0", f, id0, by(v0), OK},
		{"of 4.0 with seqid 0", f, seq(id0, 0), by(v0), OldStateid},
		{"of 4.0 with an old seqid", f, seq(id0, 2), by(v0), OldStateid},
		{"of 4.0 with a seqid to come", f, seq(id0, 4), by(v0), BadStateid},
		{"of 4.0 that is guessed", f, guess(id0), by(v0), BadStateid},
		{"of 4.0 of another epoch", f, past(id0), by(v0), StaleStateid},
		{"of 4.0 that is all zeros but for the seqid", f, Current, by(v0), BadStateid},
		{"of 4.0 that is all ones but for the seqid", f, Stateid{3, ones}, by(v0), BadStateid},
	} {
		if _, st := r.Check(c.file, &c.id, c.by, Read); st != c.want {
			t.Errorf("a stateid %s: status %d, want %d", c.name, st, c.want)
		}
		if c.file != f {
			continue
		}
		if st := r.TestStateid(&c.id, c.by); st != c.want {
			t.Errorf("TEST_STATEID of one %s: status %d, want %d", c.name, st, c.want)
		}
	}
	if client, _ := r.Check(f, &id0, by(v0), Read); client != v0 {
		t.Errorf("the stateid of 4.0 is said to belong to client %d", client)
	}
}

// The same rules hold where state is changed: each operation with a stateid of another client,
// file or epoch.
func TestOperationsThatChangeStateJudgeStateidsAlike(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, other := fileOf(1), fileOf(2)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	p.open(f, Read, 0) // makes id old
	now := id
	now.Seq = 2
	l := p.locker("locks")
	want(t, "LOCK", l.first(f, now, ranges.Read, 0, 10), OK)
	oldLock := l.id
	want(t, "LOCK", l.again(f, ranges.Read, 0, 20), OK)
	bad := now
	bad.Other[7] ^= 4
	badLock := l.id
	badLock.Other[7] ^= 4

	ops := map[string]func(*File, Stateid, Caller) Status{
		"OPEN_DOWNGRADE": func(f *File, id Stateid, by Caller) Status {
			_, st := r.Downgrade(&Target{f, id, by, nil}, Both, 0)
			return st
		},
		"CLOSE": func(f *File, id Stateid, by Caller) Status {
			_, st := r.Close(&Target{f, id, by, nil})
			return st
		},
		"LOCK by a new owner": func(f *File, id Stateid, by Caller) Status {
			_, st := r.Lock(&LockArgs{Target: Target{f, id, by, nil}, New: true, Owner: []byte("x"),
				Kind: ranges.Read, Length: 1, Recovery: done}, new(Lock))
			return st
		},
		"LOCK": func(f *File, id Stateid, by Caller) Status {
			_, st := r.Lock(&LockArgs{Target: Target{f, id, by, nil}, Kind: ranges.Read, Length: 1,
				Recovery: done}, new(Lock))
			return st
		},
		"LOCKU": func(f *File, id Stateid, by Caller) Status {
			_, st := r.LockU(&Target{f, id, by, nil}, 0, 1)
			return st
		},
	}
	for name, op := range ops {
		good, old, guessed, wrong := now, id, bad, l.id
		if name == "LOCK" || name == "LOCKU" {
			good, old, guessed, wrong = l.id, oldLock, badLock, now
		}
		want(t, name+" of another client", op(f, good, by(w1)), BadStateid)
		want(t, name+" in 4.0", op(f, good, Caller{}), BadStateid)
		want(t, name+" of another file", op(other, good, by(v1)), BadStateid)
		want(t, name+" with an old stateid", op(f, old, by(v1)), OldStateid)
		want(t, name+" with a guessed one", op(f, guessed, by(v1)), BadStateid)
		want(t, name+" with one of the wrong kind", op(f, wrong, by(v1)), BadStateid)
		for _, special := range []Stateid{Anonymous, Bypass, Current, Invalid} {
			want(t, name+" with a special one", op(f, special, by(v1)), BadStateid)
		}
	}
	want(t, "the open is as it was", r.check(f, now, v1, Both), OK)
}

func TestASeqidSkipsZero(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Read, 0)
	r.index.At(id.Other.index()).seq.Store(^uint32(0))
	id = p.open(f, Read, 0)
	if id.Seq != 1 {
		t.Fatalf("seqid %d after 2^32-1", id.Seq)
	}
	id.Seq = ^uint32(0)
	want(t, "the one before", r.check(f, id, v1, Read), OldStateid)
}

func TestAStateidHasItsEpochAndNothingToGuess(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p := r.owner(v1, "one")
	seen := make(map[[8]byte]bool)
	for i := range 200 {
		id := p.open(fileOf(i), Read, 0)
		if id.Other.epoch() != 0x123 {
			t.Fatalf("epoch %x", id.Other.epoch())
		}
		seen[[8]byte(id.Other[4:])] = true
		_, st := p.close(fileOf(i), id)
		want(t, "CLOSE", st, OK)
		want(t, "after CLOSE", r.check(fileOf(i), id, v1, Read), BadStateid)
	}
	if len(seen) != 200 {
		t.Errorf("%d different numbers of 200", len(seen))
	}
}

type noBits struct{}

func (noBits) Read([]byte) (int, error) { return 0, errors.New("no random bits") }

func TestNothingIsGivenOutWithoutRandomBits(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Random = noBits{} })
	defer r.end()
	_, st := r.owner(v1, "one").tryOpen(fileOf(1), Read, 0, done)
	want(t, "OPEN", st, Delay)
	_, st = r.owner(v0, "one").tryOpen(fileOf(1), Read, 0, done)
	want(t, "OPEN of 4.0", st, Delay)
}

// RFC 8881 section 9.1.2: writing wants an open for writing; reading is allowed with either.
func TestTheWayOfAnOpenBoundsWhatItsStateidsDo(t *testing.T) {
	for _, client := range []uint64{v0, v1} {
		for _, c := range []struct{ access, way Share }{
			{Read, Read}, {Read, Write}, {Read, Both},
			{Write, Read}, {Write, Write}, {Write, Both},
			{Both, Read}, {Both, Write}, {Both, Both},
		} {
			r := newRig(t, nil)
			f := fileOf(1)
			p := r.owner(client, "one")
			id := p.open(f, c.access, 0)
			l := p.locker("locks")
			kind := ranges.Read
			if c.access == Write {
				kind = ranges.Write
			}
			want(t, "LOCK", l.first(f, id, kind, 0, 1), OK)
			expect := OK
			if c.access == Read && c.way != Read {
				expect = OpenMode
			}
			want(t, "the open", r.check(f, id, client, c.way), expect)
			want(t, "the locks", r.check(f, l.id, client, c.way), expect)
			r.end()
		}
	}
}

func TestTheKindOfALockNeedsTheSameWayOfTheOpen(t *testing.T) {
	for _, client := range []uint64{v0, v1} {
		for _, c := range []struct {
			access Share
			kind   ranges.Kind
			want   Status
		}{
			{Read, ranges.Read, OK}, {Read, ranges.Write, OpenMode},
			{Write, ranges.Read, OpenMode}, {Write, ranges.Write, OK},
			{Both, ranges.Read, OK}, {Both, ranges.Write, OK},
		} {
			r := newRig(t, nil)
			p := r.owner(client, "one")
			id := p.open(fileOf(1), c.access, 0)
			want(t, "LOCK", p.locker("locks").first(fileOf(1), id, c.kind, 0, 1), c.want)
			r.end()
		}
	}
}

// Who has opened a file for writing may read it, unless another one denies reading.
func TestReadingWhileWritingHeedsDenials(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	w := r.owner(v1, "writer")
	id := w.open(f, Write, Read) // its own denial does not count
	want(t, "READ", r.check(f, id, v1, Read), OK)
	d := r.owner(w1, "denier")
	other := d.open(f, Write, Read)
	want(t, "READ that is denied", r.check(f, id, v1, Read), Locked)
	want(t, "WRITE", r.check(f, id, v1, Write), OK)
	if _, st := d.close(f, other); st != OK {
		t.Fatal(st)
	}
	want(t, "READ", r.check(f, id, v1, Read), OK)
}

// RFC 8881 sections 8.2.3 and 9.7.
func TestDenialsHoldForSpecialStateids(t *testing.T) {
	for _, deny := range []Share{0, Read, Write, Both} {
		r := newRig(t, nil)
		f := fileOf(1)
		p := r.owner(v1, "denier")
		id := p.open(f, Both, deny)
		for _, special := range []Stateid{Anonymous, Bypass} {
			for _, way := range []Share{Read, Write, Both} {
				expect := OK
				if way&deny != 0 {
					expect = Locked
				}
				want(t, "special", r.CheckSpecial(f, &special, way, done, Caller{Minor: 1}), expect)
				want(t, "another file", r.CheckSpecial(fileOf(2), &special, way, done, Caller{Minor: 1}), OK)
			}
		}
		for _, wrong := range []Stateid{Current, Invalid, {5, ones}, id} {
			want(t, "not special", r.CheckSpecial(f, &wrong, Read, done, Caller{Minor: 1}), BadStateid)
		}
		r.courteous[v1] = true
		want(t, "after the end of its lease", r.CheckSpecial(f, &Anonymous, Both, done, Caller{Minor: 1}), OK)
		r.courteous[v1] = false
		r.end()
	}
}
