package files

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rig is a table with what it asks its surroundings for.
type rig struct {
	*Table
	t         testing.TB
	now       uint32
	courteous map[uint64]bool
	lost      []uint64 // clients that were expired
	opened    map[File]int
	notified  []Waiter
	held      map[uint64]int
	relieve   func() bool
}

// noise is a reproducible source of random bytes.
type noise struct{ r *rand.Rand }

func (n noise) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(n.r.Uint32())
	}
	return len(b), nil
}

// The clients of a rig: v0 and w0 are of version 4.0, the others of later ones.
const (
	v0 uint64 = 1 + iota
	w0
	v1
	w1
)

const epoch = 0x123

func newRig(t testing.TB, change func(*Config)) *rig {
	r := &rig{
		t:         t,
		now:       1000,
		courteous: make(map[uint64]bool),
		opened:    make(map[File]int),
		held:      make(map[uint64]int),
		relieve:   func() bool { return false },
	}
	cfg := Config{
		Now:       func() uint32 { return r.now },
		Random:    noise{rand.New(rand.NewPCG(1, 2))},
		Epoch:     epoch,
		Courteous: func(id uint64) bool { return r.courteous[id] },
		Expire: func(id uint64) bool {
			if !r.courteous[id] {
				return false
			}
			r.lost = append(r.lost, id)
			return true
		},
		Relieve: func() bool { return r.relieve() },
		Opened:  func(f *File) { r.opened[*f]++ },
		Closed:  func(f *File) { r.opened[*f]-- },
		Notify:  func(w []Waiter) { r.notified = append(r.notified, w...) },
		Hold:    func(id uint64, n int) { r.held[id] += n },
	}
	if change != nil {
		change(&cfg)
	}
	r.Table = New(cfg)
	r.AddClient(v0, 0)
	r.AddClient(w0, 0)
	r.AddClient(v1, 1)
	r.AddClient(w1, 1)
	return r
}

// end drops all clients and checks that nothing is left.
func (r *rig) end() {
	r.t.Helper()
	var clients []*client
	for _, id := range []uint64{v0, w0, v1, w1} {
		if c := r.client(id); c != nil {
			clients = append(clients, c)
		}
		if got := r.held[id]; (got > 0) != r.HasState(id) {
			r.t.Errorf("client %d holds %d things, HasState says %v", id, got, r.HasState(id))
		}
		r.DropClient(id)
		if r.held[id] != 0 {
			r.t.Errorf("client %d holds %d things after its end", id, r.held[id])
		}
	}
	r.now += 46
	r.Sweep()
	for _, c := range clients {
		if n := c.bytes(); n != 0 {
			r.t.Errorf("client %d has %d bytes after its end", c.id, n)
		}
	}
	if n := r.Counts(); n != (Counts{}) {
		r.t.Errorf("left at the end: %+v", n)
	}
	if n := r.index.Used(); n != 0 {
		r.t.Errorf("%d places of the index are taken at the end", n)
	}
	if m, n := r.members.Load(), r.states.Load(); m != 0 || n != 0 {
		r.t.Errorf("%d clients and %d states are counted at the end", m, n)
	}
	if n := r.denials.Load(); n != 0 {
		r.t.Errorf("%d denials are left at the end", n)
	}
	if len(r.waiting.files) > 0 || len(r.expired) > 0 {
		r.t.Errorf("waiting files %d, expired clients %d at the end", len(r.waiting.files), len(r.expired))
	}
	for f, n := range r.opened {
		if n != 0 {
			r.t.Errorf("file %v was opened %d times more than closed", f, n)
		}
	}
}

func fileOf(n int) *File {
	h, _ := vfs.MakeHandle(binary.BigEndian.AppendUint32(nil, uint32(n)))
	return &File{Export: 7, Handle: h}
}

func by(client uint64) Caller {
	if client == v0 || client == w0 {
		return Caller{}
	}
	return Caller{Client: client, Minor: 1}
}

var done = Recovery{Complete: true}

// The numbers of operations, for turns.
const (
	opClose     = 4
	opLock      = 12
	opLockU     = 14
	opOpen      = 18
	opConfirm   = 20
	opDowngrade = 21
)

// proxy is an owner that numbers its operations as a client of 4.0 does.
type proxy struct {
	r      *rig
	client uint64
	name   string
	seq    uint32
}

func (r *rig) owner(client uint64, name string) *proxy {
	return &proxy{r: r, client: client, name: name}
}

func (p *proxy) legacy() bool { return p.client == v0 || p.client == w0 }

// turn runs an operation by a turn if the owner is of 4.0.
func (p *proxy) turn(begin func(*Turn) Verdict, run func(*Turn) Status) Status {
	p.r.t.Helper()
	if !p.legacy() {
		return run(nil)
	}
	var turn Turn
	switch v := begin(&turn); v {
	case Go:
	case Refuse:
		return turn.Status
	default:
		p.r.t.Fatalf("verdict %d of seqid %d", v, p.seq)
	}
	st := run(&turn)
	p.r.End(&turn, st, nil, fmt.Append(nil, "reply ", p.seq))
	if counts(st) {
		p.seq++
	}
	return st
}

func (p *proxy) state(op uint32, id Stateid, run func(*Turn) Status) Status {
	p.r.t.Helper()
	return p.turn(func(turn *Turn) Verdict { return p.r.BeginState(turn, &id, op, p.seq) }, run)
}

// tryOpenWith opens a file for reading in version 4.0, and has something else done after the
// beginning.
func (p *proxy) tryOpenWith(f *File, meanwhile func()) (o Opened, st Status) {
	st = p.turn(
		func(turn *Turn) Verdict { return p.r.BeginOpen(turn, p.client, []byte(p.name), opOpen, p.seq) },
		func(turn *Turn) Status {
			meanwhile()
			return p.r.Open(f, &OpenArgs{Client: p.client, Turn: turn, Access: Read, Recovery: done}, &o)
		})
	return o, st
}

func (p *proxy) tryOpen(f *File, access, deny Share, g Recovery) (o Opened, st Status) {
	p.r.t.Helper()
	st = p.turn(
		func(turn *Turn) Verdict { return p.r.BeginOpen(turn, p.client, []byte(p.name), opOpen, p.seq) },
		func(turn *Turn) Status {
			a := OpenArgs{p.client, []byte(p.name), turn, access, deny, false, g}
			return p.r.Open(f, &a, &o)
		})
	return o, st
}

// two opens a file by owners of two clients.
func (r *rig) two(f *File, a, b uint64) (p, q *proxy, pid, qid Stateid) {
	r.t.Helper()
	p, q = r.owner(a, "one"), r.owner(b, "two")
	return p, q, p.open(f, Both, 0), q.open(f, Both, 0)
}

// three opens a file by one owner, and returns three owners of locks.
func (r *rig) three(client uint64) (f *File, id Stateid, l, m, n *locker) {
	r.t.Helper()
	f = fileOf(1)
	p := r.owner(client, "one")
	return f, p.open(f, Both, 0), p.locker("l"), p.locker("m"), p.locker("n")
}

// open opens a file, and confirms that if need be.
func (p *proxy) open(f *File, access, deny Share) Stateid {
	p.r.t.Helper()
	o, st := p.tryOpen(f, access, deny, done)
	want(p.r.t, "OPEN", st, OK)
	if !o.Confirm {
		return o.Stateid
	}
	id, st := p.confirm(f, o.Stateid)
	want(p.r.t, "OPEN_CONFIRM", st, OK)
	return id
}

func (p *proxy) confirm(f *File, id Stateid) (res Stateid, st Status) {
	p.r.t.Helper()
	st = p.state(opConfirm, id, func(turn *Turn) (st Status) {
		res, st = p.r.Confirm(&Target{f, id, Caller{}, turn})
		return st
	})
	return res, st
}

func (p *proxy) downgrade(f *File, id Stateid, access, deny Share) (res Stateid, st Status) {
	p.r.t.Helper()
	st = p.state(opDowngrade, id, func(turn *Turn) (st Status) {
		res, st = p.r.Downgrade(&Target{f, id, by(p.client), turn}, access, deny)
		return st
	})
	return res, st
}

func (p *proxy) close(f *File, id Stateid) (res Stateid, st Status) {
	p.r.t.Helper()
	st = p.state(opClose, id, func(turn *Turn) (st Status) {
		res, st = p.r.Close(&Target{f, id, by(p.client), turn})
		return st
	})
	return res, st
}

// locker is a lock owner of an open owner.
type locker struct {
	proxy
	open *proxy
	id   Stateid // once it has locked
	held Lock    // of the last denial
	wait bool
}

func (p *proxy) locker(name string) *locker {
	return &locker{proxy: proxy{r: p.r, client: p.client, name: name}, open: p}
}

// first locks a range as a new lock owner.
func (l *locker) first(f *File, open Stateid, k ranges.Kind, off, n uint64) Status {
	l.r.t.Helper()
	return l.firstIn(f, open, k, off, n, done)
}

func (l *locker) firstIn(f *File, open Stateid, k ranges.Kind, off, n uint64, g Recovery) Status {
	l.r.t.Helper()
	seq := l.seq
	return l.open.state(opLock, open, func(turn *Turn) Status {
		x := Target{f, open, by(l.client), turn}
		id, st := l.r.Lock(&LockArgs{x, true, []byte(l.name), seq, k, off, n, l.wait, g}, &l.held)
		if st == OK {
			l.id = id
			l.seq++
		}
		return st
	})
}

// again locks a further range.
func (l *locker) again(f *File, k ranges.Kind, off, n uint64) Status {
	l.r.t.Helper()
	return l.state(opLock, l.id, func(turn *Turn) Status {
		x := Target{f, l.id, by(l.client), turn}
		id, st := l.r.Lock(&LockArgs{x, false, nil, 0, k, off, n, l.wait, done}, &l.held)
		if st == OK {
			l.id = id
		}
		return st
	})
}

func (l *locker) unlock(f *File, off, n uint64) Status {
	l.r.t.Helper()
	return l.state(opLockU, l.id, func(turn *Turn) Status {
		id, st := l.r.LockU(&Target{f, l.id, by(l.client), turn}, off, n)
		if st == OK {
			l.id = id
		}
		return st
	})
}

func (l *locker) test(f *File, k ranges.Kind, off, n uint64) Status {
	a := TestArgs{Caller{Client: l.client, Minor: by(l.client).Minor}, []byte(l.name), k, off, n, done}
	return l.r.LockT(f, &a, &l.held)
}

func (r *rig) check(f *File, id Stateid, client uint64, way Share) Status {
	_, st := r.Check(f, &id, by(client), way)
	return st
}

func want(t testing.TB, what string, got, want Status) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: status %d, want %d", what, got, want)
	}
}

// told returns the owners that were notified since the last call.
func (r *rig) told() []string {
	var names []string
	for _, w := range r.notified {
		names = append(names, w.Owner)
	}
	r.notified = nil
	slices.Sort(names)
	return names
}

// tells checks who has been told that their locks are free.
func (r *rig) tells(owners ...string) {
	r.t.Helper()
	if got := r.told(); !slices.Equal(got, owners) {
		r.t.Fatalf("told %v, want %v", got, owners)
	}
}
