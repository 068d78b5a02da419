package files

import (
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

func TestWaitersAreToldWhenTheirLocksAreFree(t *testing.T) {
	ways := map[string]func(l *locker, id Stateid){
		"LOCKU": func(l *locker, _ Stateid) { l.unlock(fileOf(1), 0, toEnd) },
		"LOCK that replaces a write": func(l *locker, _ Stateid) {
			l.again(fileOf(1), ranges.Read, 0, toEnd)
		},
		"CLOSE":                 func(l *locker, id Stateid) { l.open.close(fileOf(1), id) },
		"the end of the client": func(l *locker, _ Stateid) { l.r.DropClient(l.client) },
		"the revocation of its state": func(l *locker, _ Stateid) {
			l.r.Revoke(l.client, AdminRevoked)
		},
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
	r.tells("reads 0", "reads 0 too")
	want(t, "LOCKU", l.unlock(f, 0, 100), OK)
	r.tells("writes 50")
	want(t, "LOCKU", h.unlock(f, 0, toEnd), OK)
	r.tells("writes 90 to 205")
}

// A new owner that waits has no locks yet. The place that it was to have is another's meanwhile.
func TestANewOwnerThatWaitsIsDeniedByAllOthers(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, id, l, m, n := r.three(v1)
	m.wait = true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 30), Denied)
	want(t, "LOCK", n.first(f, id, ranges.Write, 20, 10), OK)
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	r.tells()
	want(t, "LOCKU", n.unlock(f, 20, 10), OK)
	r.tells("m")
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
	r.tells("m")
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
	r.tells("n")
	r.Poll()
	r.tells()
	want(t, "LOCK of the second", n.first(f, id, ranges.Write, 5, 10), OK)
	want(t, "LOCK of the first", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCKU", n.unlock(f, 0, toEnd), OK)
	r.tells("m")
	want(t, "LOCK of the first", m.first(f, id, ranges.Write, 0, 10), OK)
}

// Of two that cannot both have their locks the one that came first is told, also when it has asked
// again since.
func TestWhoCameFirstIsToldFirst(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, id, l, m, n := r.three(v1)
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits later", n.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits still", m.first(f, id, ranges.Write, 0, 10), Denied)
	if c := r.Counts(); c.Waiters != 2 {
		t.Errorf("%+v", c)
	}
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	r.tells("m")
}

// Who has given up when its lock becomes free keeps it from nobody.
func TestNothingIsKeptForWhoHasGivenUp(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, id, l, m, n := r.three(v1)
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	r.now += 43
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	r.tells("m")
	r.now += 2
	want(t, "LOCK while it may still come", n.first(f, id, ranges.Write, 0, 10), Denied)
	r.now++ // 46 s after it asked: a lease, and more
	want(t, "LOCK", n.first(f, id, ranges.Write, 0, 10), OK)
}

// An owner may wait for several ranges, and has them one by one.
func TestWhoHasOneLockWaitsForTheOthers(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, id, l, m, n := r.three(v1)
	m.wait, n.wait = true, true
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 100), OK)
	want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
	want(t, "LOCK that waits elsewhere", m.first(f, id, ranges.Write, 20, 10), Denied)
	want(t, "LOCK of another that waits", n.first(f, id, ranges.Read, 0, 10), Denied)
	want(t, "LOCKU", l.unlock(f, 0, 10), OK)
	r.tells("m")
	want(t, "LOCK", m.first(f, id, ranges.Write, 0, 10), OK)
	if c := r.Counts(); c.Waiters != 2 {
		t.Errorf("%+v", c)
	}
	want(t, "LOCKU", l.unlock(f, 20, 10), OK)
	r.tells("m")
	want(t, "LOCKU of the first one's", m.unlock(f, 0, 10), OK)
	r.tells("n")
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
		r.tells("m")
		r.now += 6
		want(t, "LOCK", l.again(f, ranges.Write, 0, 10), OK)
	}
}

func TestAWaiterThatDoesNotAskAgainIsForgotten(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f, id, l, m, n := r.three(v0)
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
	r.tells("n")
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
	r.tells()
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
	r.tells()
	other := m.open.locker("other")
	want(t, "LOCK elsewhere", other.first(f, id, ranges.Write, 20, 10), OK)
	want(t, "LOCKU elsewhere", other.unlock(f, 20, 10), OK)
	r.tells()
	if !k.open {
		t.Error("the mirror is done while somebody waits for what it says")
	}
	k.theirs[3] = ranges.None
	r.Poll()
	r.tells("m")
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
		r.tells("m")
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
	r.tells("m")
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
