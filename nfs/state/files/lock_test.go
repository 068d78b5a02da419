package files

import (
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
