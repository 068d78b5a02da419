package files

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// quiet is a table whose surroundings bear parallel calls.
func quiet(change func(*Config)) *Table {
	cfg := Config{Now: func() uint32 { return 1000 }, Random: noise{rand.New(rand.NewPCG(1, 2))}, Epoch: epoch}
	if change != nil {
		change(&cfg)
	}
	t := New(cfg)
	for _, c := range []uint64{v0, w0} {
		t.AddClient(c, 0)
	}
	for _, c := range []uint64{v1, w1} {
		t.AddClient(c, 1)
	}
	return t
}

func atRest(t *testing.T, tab *Table, clients ...uint64) {
	t.Helper()
	for _, c := range append(clients, v0, w0, v1, w1) {
		tab.DropClient(c)
	}
	tab.forgetExpired(1 << 20)
	if n := tab.Counts(); n != (Counts{}) || tab.index.Used() != 0 || tab.denials.Load() != 0 {
		t.Errorf("left at the end: %+v, %d places, %d denials", n, tab.index.Used(), tab.denials.Load())
	}
}

// each runs n goroutines to their ends.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func TestParallelOpensOfAnOwnerCountUp(t *testing.T) {
	tab := quiet(nil)
	f := fileOf(1)
	seqs := make([]uint32, 100)
	var others [100]Other
	each(100, func(i int) {
		var o Opened
		a := OpenArgs{Client: v1, Owner: []byte("one"), Access: Share(1 + i%3), Recovery: done}
		if st := tab.Open(f, &a, &o); st != OK {
			t.Errorf("status %d", st)
		}
		seqs[i], others[i] = o.Stateid.Seq, o.Stateid.Other
	})
	slices.Sort(seqs)
	for i, s := range seqs {
		if s != uint32(i+1) || others[i] != others[0] {
			t.Fatalf("seqids %v", seqs)
		}
	}
	atRest(t, tab)
}

// An OPEN that comes while the owner's open is being closed either adds to it, so that CLOSE has an
// old stateid, or makes another one. It never gets the one that is closed.
func TestAnOpenThatMeetsACloseIsNotClosed(t *testing.T) {
	var ends atomic.Int64
	tab := quiet(func(c *Config) {
		c.Opened = func(*File) { ends.Add(1) }
		c.Closed = func(*File) { ends.Add(-1) }
	})
	f := fileOf(1)
	open := func() Stateid {
		var o Opened
		a := OpenArgs{Client: v1, Owner: []byte("one"), Access: Both, Recovery: done}
		if st := tab.Open(f, &a, &o); st != OK {
			t.Errorf("OPEN: status %d", st)
		}
		return o.Stateid
	}
	for range 2000 {
		id := open()
		var opened Stateid
		var closed Status
		each(2, func(i int) {
			if i == 0 {
				opened = open()
			} else {
				_, closed = tab.Close(&Target{f, id, by(v1), nil})
			}
		})
		if closed != OK && closed != OldStateid {
			t.Fatalf("CLOSE: status %d", closed)
		}
		if again := opened.Other == id.Other; again != (closed == OldStateid) {
			t.Fatalf("the same open: %v, CLOSE: status %d", again, closed)
		}
		if _, st := tab.Check(f, &opened, by(v1), Both); st != OK {
			t.Fatalf("what was opened: status %d", st)
		}
		if _, st := tab.Close(&Target{f, opened, by(v1), nil}); st != OK {
			t.Fatalf("CLOSE of it: status %d", st)
		}
	}
	if ends.Load() != 0 {
		t.Errorf("first opens and last ends differ by %d", ends.Load())
	}
	atRest(t, tab)
}

// Who finds a state waits for its file meanwhile, and finds that it is gone.
func TestAnOpenIsClosedOnce(t *testing.T) {
	var tab *Table
	var again func()
	tab = quiet(func(c *Config) {
		c.Hold = func(_ uint64, n int) {
			if n < 0 && again != nil {
				go again()
				for range 1000 {
					runtime.Gosched() // it finds the open, which CLOSE has not taken away yet
				}
			}
		}
	})
	f := fileOf(1)
	for range 20 {
		var o Opened
		a := OpenArgs{Client: v1, Owner: []byte("one"), Access: Both, Recovery: done}
		if st := tab.Open(f, &a, &o); st != OK {
			t.Fatalf("OPEN: status %d", st)
		}
		second := make(chan Status)
		again = func() {
			_, st := tab.Close(&Target{f, o.Stateid, by(v1), nil})
			second <- st
		}
		if _, st := tab.Close(&Target{f, o.Stateid, by(v1), nil}); st != OK {
			t.Errorf("CLOSE: status %d", st)
		}
		if st := <-second; st != BadStateid {
			t.Fatalf("the second CLOSE: status %d", st)
		}
	}
	again = nil
	atRest(t, tab)
}

// The end of a client meets a CLOSE of 4.0, which has kept the stateid for when it comes again.
func TestTheEndOfAClientLeavesAloneWhatWasClosedMeanwhile(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	p := r.owner(v0, "one")
	id := p.open(fileOf(1), Read, 0)
	found := r.client(v0).all()
	_, st := p.close(fileOf(1), id)
	want(t, "CLOSE", st, OK)
	for _, s := range found {
		r.Table.end(s, OK)
	}
	if n := r.Counts(); n.Dead != 0 || n.Opens != 0 {
		t.Errorf("%+v", n)
	}
	var turn Turn
	if v := r.BeginState(&turn, &id, opClose, p.seq-1); v != Again {
		t.Errorf("CLOSE that comes again: verdict %d", v)
	}
}

// Many goroutines do everything at once; clients are dropped and revoked under them.
func TestEverythingAtOnce(t *testing.T) {
	var holds, opened atomic.Int64
	courteous := func(c uint64) bool { return c%7 == 3 }
	tab := quiet(func(c *Config) {
		c.Hold = func(_ uint64, n int) { holds.Add(int64(n)) }
		c.Opened = func(*File) { opened.Add(1) }
		c.Closed = func(*File) { opened.Add(-1) }
		c.Courteous = courteous
		c.ReserveSeconds = 1
	})
	const clients, steps = 12, 8000
	var worked, locked atomic.Int64
	var all []uint64
	for i := range uint64(clients) {
		all = append(all, 100+i)
		tab.AddClient(100+i, uint8(i%2))
	}
	var ids [clients][4]atomic.Pointer[Stateid]
	each(6, func(g int) {
		rnd := rand.New(rand.NewPCG(uint64(g), 9))
		seq := uint32(0)
		for range steps {
			client := uint64(100 + rnd.IntN(clients))
			minor := uint8((client - 100) % 2)
			caller := Caller{Client: client, Minor: minor}
			f := fileOf(rnd.IntN(4))
			owner := fmt.Append(nil, "o", rnd.IntN(3))
			slot := &ids[client-100][rnd.IntN(4)]
			var id Stateid
			if p := slot.Load(); p != nil {
				id = *p
			}
			if rnd.IntN(4) > 0 {
				id.Seq = 0
			}
			off, n := uint64(rnd.IntN(16)), uint64(1+rnd.IntN(16))
			var turn *Turn
			if minor == 0 {
				var own Turn
				seq++
				var v Verdict
				if rnd.IntN(2) == 0 {
					v = tab.BeginOpen(&own, client, owner, opOpen, seq)
				} else {
					v = tab.BeginState(&own, &id, opClose, seq)
				}
				if v != Go {
					continue
				}
				turn = &own
			}
			st := OK
			switch rnd.IntN(12) {
			case 0, 1, 2:
				var o Opened
				a := OpenArgs{client, owner, turn, Share(1 + rnd.IntN(3)), Share(rnd.IntN(8) / 6), false, done}
				if st = tab.Open(f, &a, &o); st == OK {
					slot.Store(&o.Stateid)
				}
				if rnd.IntN(8) == 0 {
					tab.Undo(&o)
				}
			case 3, 4, 5:
				a := LockArgs{Target{f, id, caller, turn}, rnd.IntN(2) == 0, owner, seq,
					ranges.Read + ranges.Kind(rnd.IntN(2)), off, n, rnd.IntN(2) == 0, done}
				var l Stateid
				if l, st = tab.Lock(&a, new(Lock)); st == OK {
					slot.Store(&l)
					locked.Add(1)
				}
			case 6:
				_, st = tab.LockU(&Target{f, id, caller, turn}, off, n)
			case 7:
				_, st = tab.Close(&Target{f, id, caller, turn})
			case 8:
				if turn != nil {
					_, st = tab.Confirm(&Target{f, id, caller, turn})
				} else {
					tab.FreeStateid(&id, caller)
				}
			case 9:
				tab.Check(f, &id, caller, Both)
				tab.TestStateid(&id, caller)
				tab.CheckSpecial(f, &Anonymous, Both, done, Caller{Minor: minor})
			case 10:
				a := TestArgs{caller, owner, ranges.Write, off, n, done}
				tab.LockT(f, &a, new(Lock))
				if tab.Pin(f) {
					tab.Unpin(f)
				}
			case 11:
				switch rnd.IntN(30) {
				case 0:
					tab.DropClient(client)
					tab.AddClient(client, minor)
				case 1:
					tab.Revoke(client, AdminRevoked)
				case 2:
					tab.Poll()
					tab.Sweep()
				case 3:
					tab.ReleaseLockOwner(client, owner)
				}
			}
			if turn != nil {
				tab.End(turn, st, f, owner)
			}
			if st == OK {
				worked.Add(1)
			}
		}
	})
	if worked.Load() < steps || locked.Load() < 100 {
		t.Errorf("only %d operations were allowed, %d locks among them", worked.Load(), locked.Load())
	}
	tab.Counts()
	atRest(t, tab, all...)
	if holds.Load() != 0 || opened.Load() != 0 {
		t.Errorf("held %d, opened %d at the end", holds.Load(), opened.Load())
	}
}
