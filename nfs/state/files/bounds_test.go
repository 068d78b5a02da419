package files

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

func TestBounds(t *testing.T) {
	fill := func(r *rig, client uint64, n int) Status {
		for i := range n {
			if _, st := r.owner(client, fmt.Sprint("o", i)).tryOpen(fileOf(1000+i), Read, 0, done); st != OK {
				return st
			}
		}
		return OK
	}
	type run = func(t *testing.T, r *rig, client uint64, no Status)
	for _, c := range []struct {
		name   string
		change func(*Config)
		run    run
	}{
		{"states of a client", func(c *Config) { c.ClientStatesMax = 3 },
			func(t *testing.T, r *rig, client uint64, no Status) {
				want(t, "at the bound", fill(r, client, 3), OK)
				_, st := r.owner(client, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "above", st, no)
				want(t, "another client", fill(r, w1, 3), OK)
			}},
		{"states in all", func(c *Config) { c.StatesMax = 16 },
			func(t *testing.T, r *rig, client uint64, no Status) {
				asked := 0
				r.relieve = func() bool { asked++; return false }
				// There are four clients. One that hoards gets a half, and one more; each has a share of 2.
				want(t, "to the half", fill(r, client, 9), OK)
				_, st := r.owner(client, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "above", st, no)
				want(t, "another client", fill(r, w1, 3), OK)
				want(t, "a third one", fill(r, w0, 3), OK)
				_, st = r.owner(w1, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "above its share", st, Delay)
				if asked > 0 {
					t.Error("others were to make way for one that hoards")
				}
				other := v0 + v1 - client
				want(t, "the last one", fill(r, other, 1), OK)
				_, st = r.owner(other, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "above all", st, Delay+Resource-no)
				if asked != 1 {
					t.Errorf("Relieve was called %d times", asked)
				}
				r.relieve = func() bool { asked++; r.Revoke(w1, Expired); r.DropClient(w1); return true }
				_, st = r.owner(other, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "with relief", st, OK)
				r.AddClient(w1, 1)
			}},
		{"owners of a client", func(c *Config) { c.ClientOwnersMax = 3 },
			func(t *testing.T, r *rig, client uint64, no Status) {
				want(t, "at the bound", fill(r, client, 3), OK)
				_, st := r.owner(client, "more").tryOpen(fileOf(1), Read, 0, done)
				want(t, "above", st, no)
				want(t, "another client", fill(r, w1, 3), OK)
			}},
		{"ranges of a file", func(c *Config) { c.FileLocksMax = 3 },
			func(t *testing.T, r *rig, client uint64, no Status) {
				lockBound(t, r, client, no, false)
			}},
		{"ranges of a client", func(c *Config) { c.ClientLocksMax = 3 },
			func(t *testing.T, r *rig, client uint64, no Status) {
				lockBound(t, r, client, no, true)
			}},
	} {
		for _, client := range []uint64{v0, v1} {
			t.Run(fmt.Sprint(c.name, " ", client), func(t *testing.T) {
				no := Delay
				if client == v0 {
					no = Resource
				}
				r := newRig(t, c.change)
				defer r.end()
				c.run(t, r, client, no)
			})
		}
	}
}

func lockBound(t *testing.T, r *rig, client uint64, no Status, ofClient bool) {
	f := fileOf(1)
	p := r.owner(client, "one")
	id := p.open(f, Both, 0)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
	want(t, "LOCK", l.again(f, ranges.Write, 20, 10), OK)
	want(t, "LOCK", l.again(f, ranges.Write, 40, 10), OK)
	want(t, "LOCK above the bound", l.again(f, ranges.Write, 60, 10), no)
	want(t, "LOCK that joins two", l.again(f, ranges.Write, 10, 10), OK)
	want(t, "LOCKU that splits", l.unlock(f, 5, 5), OK)
	want(t, "LOCKU that splits above the bound", l.unlock(f, 2, 1), no)
	other := l
	if ofClient {
		g := fileOf(2)
		other = p.locker("m")
		want(t, "LOCK in another file", other.first(g, p.open(g, Both, 0), ranges.Write, 0, 1), no)
	}
	want(t, "LOCKU of all", l.unlock(f, 0, toEnd), OK)
	if c := r.Counts(); c.Ranges != 0 {
		t.Errorf("%+v", c)
	}
}

func TestWaitersAreBounded(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   int
	}{
		{func(c *Config) { c.FileWaitersMax = 3 }, 3},
		{func(c *Config) { c.ClientWaitersMax = 4 }, 4},
	} {
		r := newRig(t, c.change)
		f := fileOf(1)
		p := r.owner(v1, "one")
		id := p.open(f, Both, 0)
		l := p.locker("l")
		want(t, "LOCK", l.first(f, id, ranges.Write, 0, 10), OK)
		for i := range 10 {
			m := p.locker(fmt.Sprint("m", i))
			m.wait = true
			want(t, "LOCK that waits", m.first(f, id, ranges.Write, 0, 10), Denied)
		}
		if n := r.Counts(); n.Waiters != c.want {
			t.Errorf("%d waiters, want %d", n.Waiters, c.want)
		}
		r.end()
	}
}

// An owner of 4.0 without opens makes room for a new one.
func TestOwnersThatNobodyNeedsMakeRoom(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ClientOwnersMax = 4 })
	defer r.end()
	for i := range 100 {
		p := r.owner(v0, fmt.Sprint("o", i))
		p.close(fileOf(1), p.open(fileOf(1), Read, 0))
	}
	if n := r.Counts(); n.Owners != 4 {
		t.Errorf("%+v", n)
	}
}

func TestAnOwnerWhoseOperationRunsDoesNotMakeRoom(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ClientOwnersMax = 2 })
	defer r.end()
	f := fileOf(1)
	p := r.owner(v0, "one")
	p.close(f, p.open(f, Read, 0))
	r.owner(v0, "two").open(f, Read, 0)
	o, st := p.tryOpenWith(f, func() {
		_, st := r.owner(v0, "three").tryOpen(f, Read, 0, done)
		want(t, "OPEN of a third owner", st, Resource)
	})
	want(t, "OPEN", st, OK)
	want(t, "READ", r.check(f, o.Stateid, v0, Read), OK)
}

// State that was revoked makes room before anybody is refused, and then what Relieve finds.
func TestRevokedStateMakesRoom(t *testing.T) {
	r := newRig(t, func(c *Config) { c.StatesMax = 2 })
	defer r.end()
	a := r.owner(v0, "a").open(fileOf(1), Read, 0)
	b := r.owner(v1, "b").open(fileOf(2), Read, 0)
	r.Revoke(v0, Expired)
	want(t, "what was revoked", r.check(fileOf(1), a, v0, Read), Expired)
	r.owner(w1, "c").open(fileOf(3), Read, 0)
	want(t, "what has made room", r.check(fileOf(1), a, v0, Read), BadStateid)
	r.relieve = func() bool { r.DropClient(v1); return true }
	r.owner(w0, "d").tryOpen(fileOf(4), Read, 0, done)
	want(t, "who has made room", r.check(fileOf(2), b, v1, Read), BadStateid)
}

func TestWhatHasExpiredGoesBeforeAClientIsHeldToItsShare(t *testing.T) {
	r := newRig(t, func(c *Config) { c.StatesMax = 8 })
	defer r.end()
	p := r.owner(v0, "one")
	for i := range 3 {
		p.open(fileOf(i), Read, 0)
	}
	r.DropClient(v0)
	p = r.owner(v1, "two")
	for i := range 5 {
		p.open(fileOf(i), Read, 0)
	}
	_, st := p.tryOpen(fileOf(5), Read, 0, done)
	want(t, "OPEN above the share", st, Delay)
}

// A client that makes owners without end, by OPENs that fail, leaves room for others.
func TestOwnersOfOneClientLeaveRoomForOthers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax, c.StatesMax = 200_000, 400 })
	defer r.end()
	for i := range 1000 {
		p := r.owner(v0, fmt.Sprint(strings.Repeat("x", 1000), i))
		p.turn(func(turn *Turn) Verdict { return r.BeginOpen(turn, v0, []byte(p.name), opOpen, 0) },
			func(*Turn) Status { return 2 })
	}
	if n := r.Counts(); n.Bytes > 102_000 || n.Owners < 60 {
		t.Errorf("%+v", n)
	}
	for i := range 40 {
		r.owner(w0, fmt.Sprint("o", i)).open(fileOf(i), Read, 0)
		r.owner(w1, fmt.Sprint("o", i)).open(fileOf(i), Read, 0)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax = 100_000 })
	defer r.end()
	for _, client := range []uint64{v1, v0} {
		st := OK
		for i := 0; st == OK; i++ {
			_, st = r.owner(client, fmt.Sprint(strings.Repeat("x", 1000), i)).tryOpen(fileOf(i),
				Read, 0, done)
			if n := r.Counts().Bytes; n > 100_500 {
				t.Fatalf("%d bytes", n)
			}
		}
		if client == v1 {
			want(t, "OPEN", st, Delay)
		} else {
			want(t, "OPEN of 4.0", st, Resource)
		}
	}
}

// A client that takes much memory with few states meets its own share, not the end of all.
func TestWhoHoardsMemoryMeetsItsShare(t *testing.T) {
	// The four clients have a share of 50,000 bytes each of the second half.
	const most, share = 400_000, 50_000
	long := strings.Repeat("x", 1000)
	for what, hoard := range map[string]func(p *proxy, i int) Status{
		"names of owners": func(p *proxy, i int) Status {
			_, st := p.r.owner(p.client, fmt.Sprint(long, i)).tryOpen(fileOf(1), Read, 0, done)
			return st
		},
		"names of lock owners": func(p *proxy, i int) Status {
			f := fileOf(1)
			return p.locker(fmt.Sprint(long, i)).first(f, p.open(f, Both, 0), ranges.Read, 0, 1)
		},
		"ranges": func(p *proxy, i int) Status {
			f := fileOf(1 + i/1000)
			return p.locker(p.name).first(f, p.open(f, Both, 0), ranges.Read, uint64(i%1000)*2, 1)
		},
	} {
		for _, client := range []uint64{v1, v0} {
			if client == v0 && what != "names of owners" {
				continue // the proxy of a lock owner of 4.0 counts from its beginning
			}
			t.Run(fmt.Sprint(what, " ", client), func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.MemoryMax = most })
				defer r.end()
				p, q := r.owner(client, "one"), r.owner(w1, "two")
				fill := func(p *proxy) (took int64) {
					before, no := r.Counts().Bytes, Delay
					if p.legacy() {
						no = Resource
					}
					for i := 0; ; i++ {
						if st := hoard(p, i); st != OK {
							want(t, what, st, no)
							return r.Counts().Bytes - before
						}
					}
				}
				if n := fill(p); n < most/2-2000 || n > most/2+4000 {
					t.Errorf("the first one has %d bytes", n)
				}
				if n := fill(q); n < share-6000 || n > share+4000 {
					t.Errorf("the second one has %d bytes", n)
				}
				r.owner(w0, "three").open(fileOf(9999), Read, 0)
			})
		}
	}
}

// Those who wait are remembered within their client's share: nobody else is told that there is no
// memory.
func TestWhoWaitsInGreatNumbersMeetsItsShare(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax, c.FileWaitersMax = 400_000, 1000 })
	defer r.end()
	f := fileOf(1)
	holder := r.owner(w0, "holder")
	want(t, "LOCK", holder.locker("l").first(f, holder.open(f, Both, 0), ranges.Write, 0, 1000), OK)
	for _, client := range []uint64{v1, w1} {
		p := r.owner(client, "one")
		m := p.locker(strings.Repeat("x", 1000))
		want(t, "LOCK", m.first(f, p.open(f, Both, 0), ranges.Read, 1000, 1), OK)
		m.wait = true
		for i := range uint64(500) {
			want(t, "LOCK that waits", m.again(f, ranges.Write, i, 1), Denied)
		}
	}
	if n := r.Counts(); n.Bytes > 260_000 || n.Waiters < 200 {
		t.Errorf("%+v", n)
	}
	r.owner(v0, "three").open(fileOf(2), Read, 0)
}
