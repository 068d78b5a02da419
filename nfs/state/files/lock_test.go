package files

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

const toEnd = 1<<64 - 1

func TestALockIsDeniedByThoseOfOthers(t *testing.T) {
	for _, clients := range [][2]uint64{{v1, w1}, {v1, v1}, {v0, w0}, {v0, v1}} {
		for _, c := range []struct {
			first, second ranges.Kind
			want          Status
		}{
			{ranges.Read, ranges.Read, OK}, {ranges.Read, ranges.Write, Denied},
			{ranges.Write, ranges.Read, Denied}, {ranges.Write, ranges.Write, Denied},
		} {
			r := newRig(t, nil)
			f := fileOf(1)
			p, q := r.owner(clients[0], "one"), r.owner(clients[1], "two")
			pid, qid := p.open(f, Both, 0), q.open(f, Both, 0)
			name := strings.Repeat("o", 1024)
			l, m := p.locker(name), q.locker("m")
			want(t, "LOCK", l.first(f, pid, c.first, 100, 50), OK)
			want(t, "LOCKT", m.test(f, c.second, 149, 1), c.want)
			if m.held = (Lock{}); c.want == Denied {
				want(t, "LOCK", m.first(f, qid, c.second, 149, toEnd), c.want)
				if m.held != (Lock{100, 50, c.first, clients[0], name}) {
					t.Errorf("denied by %+v", m.held)
				}
				want(t, "LOCKT", m.test(f, c.second, 0, toEnd), c.want)
				if m.held != (Lock{100, 50, c.first, clients[0], name}) {
					t.Errorf("LOCKT: denied by %+v", m.held)
				}
				if n := r.Counts(); n.Locks != 1 || n.Owners != 3 {
					t.Errorf("a denial has left %+v", n)
				}
			}
			want(t, "LOCK before", m.first(f, qid, c.second, 0, 100), OK)
			want(t, "LOCK behind", m.again(f, c.second, 150, toEnd), OK)
			want(t, "LOCKT of who has it", l.test(f, ranges.Write, 100, 50), OK)
			want(t, "LOCKT of another file", m.test(fileOf(2), ranges.Write, 0, toEnd), OK)
			r.end()
		}
	}
}

// A name is an owner's only together with its client. LOCKT goes by the client that asks, whatever
// the lock owner says in 4.1: the caller passes no other.
func TestTheSameNameOfAnotherClientIsAnotherOwner(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q := r.owner(v1, "one"), r.owner(w1, "one")
	pid, qid := p.open(f, Both, 0), q.open(f, Both, 0)
	l, m := p.locker("same"), q.locker("same")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK", m.first(f, qid, ranges.Write, 0, 10), Denied)
	want(t, "LOCKT of its owner", l.test(f, ranges.Write, 0, 10), OK)
	want(t, "LOCKT of another", m.test(f, ranges.Write, 0, 10), Denied)
	a := TestArgs{Caller{Client: 99, Minor: 1}, []byte("same"), ranges.Read, 0, 1, done}
	want(t, "LOCKT of no client", r.LockT(f, &a, new(Lock)), StaleClientID)
	a.By = Caller{Client: v1, Minor: 0}
	want(t, "LOCKT of a client of 4.1 in 4.0", r.LockT(f, &a, new(Lock)), StaleClientID)
}

func TestTheStateidOfLocksCountsItsChanges(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, w1)
	l, m := p.locker("l"), q.locker("m")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK", m.first(f, qid, ranges.Write, 50, 10), OK)
	if l.id.Seq != 1 {
		t.Errorf("the first seqid is %d", l.id.Seq)
	}
	want(t, "LOCK that is denied", l.again(f, ranges.Write, 50, 10), Denied)
	want(t, "LOCK", l.again(f, ranges.Read, 5, 10), OK)
	if l.id.Seq != 2 {
		t.Errorf("the second seqid is %d", l.id.Seq)
	}
	want(t, "LOCKU of what is not locked", l.unlock(f, 500, 10), OK)
	if l.id.Seq != 3 {
		t.Errorf("the third seqid is %d", l.id.Seq)
	}
	if n := r.Counts(); n.Ranges != 3 || n.Locks != 2 {
		t.Errorf("counts %+v", n)
	}
	want(t, "LOCKU", l.unlock(f, 0, toEnd), OK)
	if n := r.Counts(); n.Ranges != 1 || n.Locks != 2 {
		t.Errorf("counts %+v", n)
	}
	want(t, "the locks after all", r.check(f, l.id, v1, Both), OK)
}

func TestADowngradedLockLetsReadersIn(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, v0)
	l, m := p.locker("l"), q.locker("m")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 100), OK)
	want(t, "LOCK to read the middle", l.again(f, ranges.Read, 40, 20), OK)
	want(t, "LOCK in the middle", m.first(f, qid, ranges.Read, 40, 20), OK)
	want(t, "LOCK before it", m.again(f, ranges.Read, 39, 1), Denied)
	want(t, "LOCK behind it", m.again(f, ranges.Read, 60, 1), Denied)
	want(t, "LOCK to write", l.again(f, ranges.Write, 0, 100), Denied)
}

// kernel is a mirror over bytes 0 to 63, and programs that hold some.
type kernel struct {
	t      *testing.T
	ours   [64]ranges.Kind
	theirs [64]ranges.Kind
	fail   bool
	open   bool
	calls  int
	asked  int // calls of Holder
}

func (k *kernel) each(r ranges.Range, f func(i int)) {
	for i := r.Start; i <= min(r.End, 63); i++ {
		f(int(i))
	}
}

func (k *kernel) Holder(_ *File, r ranges.Range, kind ranges.Kind) (l ranges.Lock, held bool) {
	k.asked++
	k.each(r, func(i int) {
		if !held && k.theirs[i] != ranges.None && (kind == ranges.Write || k.theirs[i] == ranges.Write) {
			l = ranges.Lock{Range: ranges.Range{Start: uint64(i), End: uint64(i)}, Kind: k.theirs[i]}
			held = true
		}
	})
	return l, held
}

func (k *kernel) Raise(f *File, r ranges.Range, kind ranges.Kind, held *ranges.Lock) Raised {
	k.calls++
	if k.fail {
		return Failed
	}
	if l, denied := k.Holder(f, r, kind); denied {
		*held = l
		k.open = true
		return Held
	}
	k.open = true
	k.each(r, func(i int) { k.ours[i] = kind })
	return Granted
}

func (k *kernel) Lower(_ *File, rs []ranges.Range) {
	k.calls++
	if len(rs) == 0 {
		k.t.Error("the mirror is to unlock nothing")
	}
	for _, r := range rs {
		k.each(r, func(i int) { k.ours[i] = ranges.None })
	}
}

func (k *kernel) Done(*File) {
	if !k.open {
		k.t.Error("the mirror is done, and had nothing")
	}
	k.open = false
	if k.ours != [64]ranges.Kind{} {
		k.t.Error("the mirror is done and has locks")
	}
}

func TestTheKernelIsAskedBeforeALockIsGranted(t *testing.T) {
	k := &kernel{t: t}
	r := newRig(t, func(c *Config) { c.Mirror = k })
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, w1)
	l, m := p.locker("l"), q.locker("m")
	k.theirs[7] = ranges.Read
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), Denied)
	if l.held != (Lock{7, 1, ranges.Read, 0, "local"}) {
		t.Errorf("denied by %+v", l.held)
	}
	l.held = Lock{}
	want(t, "LOCKT", l.test(f, ranges.Write, 0, 10), Denied)
	if l.held != (Lock{7, 1, ranges.Read, 0, "local"}) {
		t.Errorf("LOCKT: denied by %+v", l.held)
	}
	want(t, "LOCKT of a file that nobody has open", l.test(fileOf(2), ranges.Write, 0, 10), Denied)
	if n := r.Counts(); n.Ranges != 0 || n.Locks != 0 || k.open {
		t.Errorf("a denial has left %+v", n)
	}
	want(t, "LOCK to read", l.first(f, pid, ranges.Read, 0, 10), OK)
	want(t, "LOCK of another", m.first(f, qid, ranges.Read, 5, 10), OK)
	calls := k.calls
	want(t, "LOCK of what the kernel has", m.again(f, ranges.Read, 0, 10), OK)
	if k.calls != calls {
		t.Error("the kernel was asked for what it has")
	}
	k.fail = true
	want(t, "LOCK that the kernel cannot take", m.again(f, ranges.Read, 30, 10), Delay)
	k.fail = false
	id := m.id
	calls = k.calls
	want(t, "LOCKU of what another one has locked, too", m.unlock(f, 6, 1), OK)
	if k.calls != calls {
		t.Error("the kernel was told of what has not changed")
	}
	want(t, "LOCKU", m.unlock(f, 0, 10), OK)
	if m.id.Seq != id.Seq+2 {
		t.Errorf("seqid %d after %d", m.id.Seq, id.Seq)
	}
	if k.ours[9] != ranges.Read || k.ours[10] != ranges.Read || k.ours[15] != ranges.None {
		t.Errorf("the kernel has %v", k.ours)
	}
	p.close(f, pid)
	if k.ours[9] != ranges.None || k.ours[10] != ranges.Read {
		t.Errorf("after CLOSE the kernel has %v", k.ours)
	}
	if !k.open {
		t.Error("the mirror is done too early")
	}
	r.DropClient(w1)
	if k.open {
		t.Error("the mirror is not done")
	}
	r.AddClient(w1, 1)
}

func TestWaitersAreToldWhenTheirLocksAreFree(t *testing.T) {
	ways := map[string]func(l *locker, id Stateid){
		"LOCKU":                       func(l *locker, _ Stateid) { l.unlock(fileOf(1), 0, toEnd) },
		"LOCK that replaces a write":  func(l *locker, _ Stateid) { l.again(fileOf(1), ranges.Read, 0, toEnd) },
		"CLOSE":                       func(l *locker, id Stateid) { l.open.close(fileOf(1), id) },
		"the end of the client":       func(l *locker, _ Stateid) { l.r.DropClient(l.client) },
		"the revocation of its state": func(l *locker, _ Stateid) { l.r.Revoke(l.client, AdminRevoked) },
	}
	for name, way := range ways {
		r := newRig(t, nil)
		f := fileOf(1)
		p, q, pid, qid := r.two(f, v1, w1)
		l, m, n := p.locker("l"), q.locker("m"), q.locker("n")
		want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 100), OK)
		m.wait = true
		want(t, "LOCK that waits", m.first(f, qid, ranges.Read, 10, 5), Denied)
		want(t, "LOCK that does not", n.first(f, qid, ranges.Read, 20, 5), Denied)
		if c := r.Counts(); c.Waiters != 1 {
			t.Errorf("%s: %+v", name, c)
		}
		way(l, pid)
		if got := r.notified; len(got) != 1 || got[0] != (Waiter{w1, "m", *f}) {
			t.Errorf("%s: told %v", name, got)
		}
		want(t, "LOCK", m.first(f, qid, ranges.Read, 10, 5), OK)
		if c := r.Counts(); c.Waiters != 0 {
			t.Errorf("%s: %+v", name, c)
		}
		r.AddClient(v1, 1)
		r.end()
	}
}

func TestOnlyThoseAreToldThatCanHaveTheirLocks(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, s := r.owner(v1, "one"), r.owner(w1, "two"), r.owner(v1, "three")
	pid, qid, sid := p.open(f, Both, 0), q.open(f, Both, 0), s.open(f, Both, 0)
	l, h := p.locker("l"), s.locker("h")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 100), OK)
	want(t, "LOCK", h.first(f, sid, ranges.Read, 200, 10), OK)
	names := []string{"reads 0", "writes 0", "reads 0 too", "writes 90 to 205", "writes 50"}
	const rd, wr = ranges.Read, ranges.Write
	for i, c := range []struct {
		kind   ranges.Kind
		off, n uint64
	}{{rd, 0, 10}, {wr, 0, 10}, {rd, 0, 10}, {wr, 90, 116}, {wr, 50, 1}} {
		w := q.locker(names[i])
		w.wait = true
		want(t, names[i], w.first(f, qid, c.kind, c.off, c.n), Denied)
	}
	want(t, "LOCKU", l.unlock(f, 0, 50), OK)
	if got := r.told(); !slices.Equal(got, []string{"reads 0", "reads 0 too"}) {
		t.Errorf("told %v", got)
	}
	want(t, "LOCKU", l.unlock(f, 0, 100), OK)
	if got := r.told(); !slices.Equal(got, []string{"writes 50"}) {
		t.Errorf("told %v", got)
	}
	want(t, "LOCKU", h.unlock(f, 0, toEnd), OK)
	if got := r.told(); !slices.Equal(got, []string{"writes 90 to 205"}) {
		t.Errorf("told %v", got)
	}
}

// A new owner that waits has no locks yet. The place that it was to have is another's meanwhile.
func TestANewOwnerThatWaitsIsDeniedByAllOthers(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m, n := p.locker("l"), p.locker("m"), p.locker("n")
	m.wait = true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 30), Denied)
	want(t, "LOCK", n.first(f, id, ranges.Write, 20, 10), OK)
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); len(got) > 0 {
		t.Fatalf("told %v", got)
	}
	want(t, "LOCKU", n.unlock(f, 20, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Fatalf("told %v", got)
	}
}

// The lock is kept for a waiter that was told, for some seconds, against those who would wait, too.
func TestAWaiterThatWasToldComesFirst(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m, n, try := p.locker("l"), p.locker("m"), p.locker("n"), p.locker("try")
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 100), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCKU", l.unlock(f, 0, toEnd), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Fatalf("told %v", got)
	}
	want(t, "LOCK that would wait", n.first(f, id, ranges.Write, 5, 10), Denied)
	if n.held != (Lock{0, 10, ranges.Write, v1, "m"}) {
		t.Errorf("denied by %+v", n.held)
	}
	want(t, "LOCK that would wait elsewhere", l.again(f, ranges.Write, 50, 10), OK)
	want(t, "LOCK that tries", try.first(f, id, ranges.Write, 5, 5), OK)
	want(t, "LOCKU", try.unlock(f, 0, toEnd), OK)
	r.told()
	r.now += 5
	want(t, "LOCK within the time", n.first(f, id, ranges.Write, 5, 10), Denied)
	r.now++
	// The first has not come: the next is told, by the clock, since nothing is unlocked.
	r.Poll()
	if got := r.told(); !slices.Equal(got, []string{"n"}) {
		t.Fatalf("told %v", got)
	}
	r.Poll()
	if got := r.told(); len(got) > 0 {
		t.Fatalf("told again: %v", got)
	}
	want(t, "LOCK of the second", n.first(f, id, ranges.Write, 5, 10), OK)
	want(t, "LOCK of the first", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCKU", n.unlock(f, 0, toEnd), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Fatalf("told %v", got)
	}
	want(t, "LOCK of the first", m.first(f, id, ranges.Write, 0, 10), OK)
}

// Of two that cannot both have their locks the one that came first is told, also when it has asked
// again since.
func TestWhoCameFirstIsToldFirst(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m, n := p.locker("l"), p.locker("m"), p.locker("n")
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits later", n.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits still", m.first(f, id, ranges.Write, 0, 10), Denied)
	if c := r.Counts(); c.Waiters != 2 {
		t.Errorf("%+v", c)
	}
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Errorf("told %v", got)
	}
}

// Who has given up when its lock becomes free keeps it from nobody.
func TestNothingIsKeptForWhoHasGivenUp(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m, n := p.locker("l"), p.locker("m"), p.locker("n")
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	r.now += 43
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Fatalf("told %v", got)
	}
	r.now += 2
	want(t, "LOCK while it may still come", n.first(f, id, ranges.Write, 0, 10), Denied)
	r.now++ // 46 s after it asked: a lease, and more
	want(t, "LOCK", n.first(f, id, ranges.Write, 0, 10), OK)
}

// An owner may wait for several ranges, and has them one by one.
func TestWhoHasOneLockWaitsForTheOthers(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m, n := p.locker("l"), p.locker("m"), p.locker("n")
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 100), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits elsewhere", m.first(f, id, ranges.Write, 20, 10), Denied)
	want(t, "LOCK of another that waits", n.first(f, id, ranges.Read, 0, 10), Denied)
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Errorf("told %v", got)
	}
	want(t, "LOCK", m.first(f, id, ranges.Write, 0, 10), OK)
	if c := r.Counts(); c.Waiters != 2 {
		t.Errorf("%+v", c)
	}
	want(t, "LOCKU", l.unlock(f, 20, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Errorf("told %v", got)
	}
	want(t, "LOCKU of the first one's", m.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"n"}) {
		t.Errorf("told %v", got)
	}
}

// Who was told in vain is told again when the lock is free the next time.
func TestAWaiterIsToldEachTime(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v1, "one")
	id := p.open(f, Both, 0)
	l, m := p.locker("l"), p.locker("m")
	m.wait = true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	for range 3 {
		want(t, "LOCKU", l.unlock(f, 0, 10), OK)
		if got := r.told(); !slices.Equal(got, []string{"m"}) {
			t.Fatalf("told %v", got)
		}
		r.now += 6
		want(t, "LOCK", l.again(f, ranges.Write, 0, 10), OK)
	}
}

func TestAWaiterThatDoesNotAskAgainIsForgotten(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	id := p.open(f, Both, 0)
	l, m, n := p.locker("l"), p.locker("m"), p.locker("n")
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits", n.first(f, id, ranges.Write, 0, 10), Denied)
	r.now += 45
	want(t, "LOCK that still waits", n.first(f, id, ranges.Write, 0, 10), Denied)
	r.Poll()
	if c := r.Counts(); c.Waiters != 2 {
		t.Errorf("%+v", c)
	}
	r.now++
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"n"}) {
		t.Errorf("told %v", got)
	}
	r.now += 46
	r.Poll()
	if c := r.Counts(); c.Waiters != 0 || len(r.waiting.files) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestWaitersEndWithTheirOpen(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, w1)
	l, m := p.locker("l"), q.locker("m")
	m.wait = true
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, qid, ranges.Write, 0, 10), Denied)
	q.close(f, qid)
	if c := r.Counts(); c.Waiters != 0 || len(r.waiting.files) != 0 {
		t.Errorf("%+v", c)
	}
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); len(got) > 0 {
		t.Errorf("told %v", got)
	}
}

// waitsForLocal is a rig whose locker m waits for a program that has locked byte 3 of f.
func waitsForLocal(t *testing.T, f *File) (r *rig, k *kernel, m *locker, id Stateid) {
	k = &kernel{t: t}
	r = newRig(t, func(c *Config) { c.Mirror = k })
	p := r.owner(v1, "one")
	id, m = p.open(f, Both, 0), p.locker("m")
	m.wait = true
	k.theirs[3] = ranges.Write
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	return r, k, m, id
}

func TestWaitersForLocalProgramsAreLookedAfter(t *testing.T) {
	f := fileOf(1)
	r, k, m, id := waitsForLocal(t, f)
	defer r.end()
	r.Poll()
	if got := r.told(); len(got) > 0 {
		t.Fatalf("told %v", got)
	}
	other := m.open.locker("other")
	want(t, "LOCK elsewhere", other.first(f, id, ranges.Write, 20, 10), OK)
	want(t, "LOCKU elsewhere", other.unlock(f, 20, 10), OK)
	if got := r.told(); len(got) > 0 {
		t.Fatalf("told %v, and the program has its lock", got)
	}
	if !k.open {
		t.Error("the mirror is done while somebody waits for what it says")
	}
	k.theirs[3] = ranges.None
	r.Poll()
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Fatalf("told %v", got)
	}
	want(t, "LOCK", m.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCKU", m.unlock(f, 0, 10), OK)
	if k.open {
		t.Error("the mirror is not done")
	}
	k.theirs[3] = ranges.Write
	want(t, "LOCK that waits", m.again(f, ranges.Write, 0, 10), Denied)
	m.open.close(f, id)
	if k.open {
		t.Error("the mirror is not done when who waited has closed the file")
	}
}

func TestTheMirrorIsDoneWhenWhoWaitedForALocalProgramGivesUp(t *testing.T) {
	r, k, _, _ := waitsForLocal(t, fileOf(1))
	defer r.end()
	r.now += 46
	r.Poll()
	if n := r.Counts(); n.Waiters != 0 || k.open {
		t.Errorf("counts %+v, and the mirror keeps something: %v", n, k.open)
	}
}

// A waiter that was told may find that somebody who does not wait was faster.
func TestAWaiterThatWasToldInVainIsToldAgain(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, w1)
	l, m := p.locker("l"), q.locker("m")
	m.wait = true
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	for range 2 {
		want(t, "LOCK that waits", m.first(f, qid, ranges.Write, 0, 10), Denied)
		want(t, "LOCKU", l.unlock(f, 0, 10), OK)
		if got := r.told(); !slices.Equal(got, []string{"m"}) {
			t.Errorf("told %v", got)
		}
		want(t, "LOCK of who does not wait", l.again(f, ranges.Write, 0, 10), OK)
	}
}

// Who waits for another client is none of the mirror's business: it is done, once, when nothing is
// locked, and not asked.
func TestTheMirrorIsDoneOnceWhileSomebodyWaitsForAnotherClient(t *testing.T) {
	k := &kernel{t: t}
	r := newRig(t, func(c *Config) { c.Mirror = k })
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, w1)
	l, m := p.locker("l"), q.locker("m")
	m.wait = true
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, qid, ranges.Write, 0, 10), Denied)
	asked := k.asked
	r.Poll()
	if k.asked != asked {
		t.Error("the kernel is asked about who waits for another client")
	}
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	if got := r.told(); !slices.Equal(got, []string{"m"}) {
		t.Errorf("told %v", got)
	}
	if k.open {
		t.Error("the mirror is not done")
	}
	r.Poll() // kernel.Done fails if it is called again
	if n := r.Counts(); n.Waiters != 1 {
		t.Errorf("counts %+v", n)
	}
	want(t, "LOCK", m.first(f, qid, ranges.Write, 0, 10), OK)
	if !k.open {
		t.Error("the kernel has not been asked")
	}
}

// Locks with the same lock owner through two opens of one client are one set.
func TestLocksOfOneOwnerThroughTwoOpens(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q, pid, qid := r.two(f, v1, v1)
	l, m := p.locker("same"), q.locker("same")
	want(t, "LOCK", l.first(f, pid, ranges.Write, 0, 10), OK)
	want(t, "LOCK", m.first(f, qid, ranges.Read, 5, 1), OK)
	if m.id.Other != l.id.Other {
		t.Error("there are two stateids")
	}
	q.close(f, qid)
	want(t, "the locks", r.check(f, m.id, v1, Read), OK)
	p.close(f, pid)
	want(t, "the locks after the first open's end", r.check(f, m.id, v1, Read), BadStateid)
}
