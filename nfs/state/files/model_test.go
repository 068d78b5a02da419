package files

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// model is what clients hold, as plain lists that are searched from end to end, and byte by byte.
type model struct {
	r        *rig
	rnd      *rand.Rand
	opens    []*mOpen
	locks    []*mLocks
	gone     map[uint64]Status
	sure     map[string]bool // open owners of 4.0 that are confirmed
	proxies  map[string]*proxy
	lockers  map[string]*locker
	accepted int // operations that were allowed
}

type share struct{ access, deny Share }

type mOpen struct {
	client uint64
	owner  string
	file   int
	asked  []share
	id     Stateid
	sure   bool   // confirmed, or of 4.1
	end    Status // not OK: what it answers now
}

const bytes = 16

type mLocks struct {
	client uint64
	owner  string
	file   int
	open   *mOpen
	has    [bytes]ranges.Kind
	id     Stateid
	end    Status
}

func (o *mOpen) access() (s Share) {
	for _, a := range o.asked {
		s |= a.access
	}
	return s
}

func (o *mOpen) deny() (s Share) {
	for _, a := range o.asked {
		s |= a.deny
	}
	return s
}

func (m *model) proxy(client uint64, owner string) *proxy {
	key := fmt.Sprint(client, owner)
	if m.proxies[key] == nil {
		m.proxies[key] = m.r.owner(client, owner)
	}
	return m.proxies[key]
}

func (m *model) locker(client uint64, open, owner string) *locker {
	key := fmt.Sprint(client, owner)
	if m.lockers[key] == nil {
		m.lockers[key] = m.proxy(client, open).locker(owner)
	}
	m.lockers[key].open = m.proxy(client, open)
	return m.lockers[key]
}

// expire takes all that a client holds.
func (m *model) take(client uint64, why Status) {
	for _, o := range m.opens {
		if o.client == client && (o.end == OK || why == BadStateid) {
			o.end = why
		}
	}
	for _, l := range m.locks {
		if l.client == client && (l.end == OK || why == BadStateid) {
			l.end = why
		}
	}
	if why == Expired {
		m.gone[client] = Expired
	}
}

// expireAll does so if all are courteous and none is self.
func (m *model) expireAll(clients []uint64, self uint64) bool {
	for _, c := range clients {
		if c == self || !m.r.courteous[c] {
			return false
		}
	}
	for _, c := range clients {
		m.take(c, Expired)
	}
	return true
}

// against returns the clients of opens that stand against one.
func (m *model) against(except *mOpen, file int, access, deny Share) (clients []uint64) {
	for _, o := range m.opens {
		if o != except && o.end == OK && o.file == file && (o.deny()&access != 0 || o.access()&deny != 0) {
			clients = append(clients, o.client)
		}
	}
	return clients
}

// judge says what a stateid is worth in a file for a caller, and finds what it stands for.
func (m *model) judge(id Stateid, file int, c Caller, confirming bool) (*mOpen, *mLocks, Status) {
	var o *mOpen
	var l *mLocks
	var client uint64
	var end Status
	var seq uint32
	at := -1
	for _, x := range m.opens {
		if x.id.Other == id.Other {
			o, client, end, seq, at = x, x.client, x.end, x.id.Seq, x.file
			if !x.sure && !confirming && end == OK {
				end = BadStateid
			}
		}
	}
	for _, x := range m.locks {
		if x.id.Other == id.Other {
			l, client, end, seq, at = x, x.client, x.end, x.id.Seq, x.file
		}
	}
	legacy := client == v0 || client == w0
	switch {
	case at < 0 || legacy != (c.Minor == 0) || !legacy && client != c.Client:
		return nil, nil, BadStateid
	case end != OK:
		return o, l, end
	case at != file:
		return o, l, BadStateid
	case id.Seq == seq || id.Seq == 0 && !legacy:
		return o, l, OK
	case id.Seq < seq:
		return o, l, OldStateid
	}
	return o, l, BadStateid
}

func (m *model) open() (what string, got, expect Status) {
	client, owner, file := m.client(), m.name("o", 2), m.rnd.IntN(3)
	access, deny := Share(1+m.rnd.IntN(3)), Share(m.rnd.IntN(4))
	if m.rnd.IntN(2) == 0 {
		deny = 0
	}
	undo := m.rnd.IntN(10) == 0
	what = fmt.Sprintf("OPEN client %d owner %s file %d access %d deny %d undo %v",
		client, owner, file, access, deny, undo)
	p := m.proxy(client, owner)
	key := fmt.Sprint(client, owner)
	var own *mOpen
	if m.gone[client] == OK && p.legacy() && !m.sure[key] {
		for _, o := range m.opens {
			if o.client == client && o.owner == owner {
				o.end = BadStateid // what was revoked as well
			}
		}
	}
	for _, o := range m.opens {
		if o.client == client && o.owner == owner && o.file == file && o.end == OK {
			own = o
		}
	}
	expect = m.gone[client]
	if expect == OK {
		if who := m.against(nil, file, access, deny); len(who) > 0 && !m.expireAll(who, client) {
			expect = ShareDenied
		}
	}
	var o Opened
	if undo {
		o, got = m.openAndUndo(p, file, access, deny)
		return what, got, expect
	}
	o, got = p.tryOpen(fileOf(file), access, deny, done)
	if got != OK {
		return what, got, expect
	}
	if own == nil {
		own = &mOpen{client: client, owner: owner, file: file, id: o.Stateid, sure: !p.legacy() ||
			m.sure[key]}
		own.id.Seq = 0
		m.opens = append(m.opens, own)
	}
	own.asked = append(own.asked, share{access, deny})
	own.id.Seq++
	if o.Stateid != own.id || o.Confirm == own.sure {
		m.r.t.Fatalf("%s: stateid %v, confirm %v; want %v", what, o.Stateid, o.Confirm, own.id)
	}
	return what, got, expect
}

func (m *model) openAndUndo(p *proxy, file int, access, deny Share) (o Opened, got Status) {
	p.turn(
		func(turn *Turn) Verdict { return m.r.BeginOpen(turn, p.client, []byte(p.name), opOpen, p.seq) },
		func(turn *Turn) Status {
			a := OpenArgs{p.client, []byte(p.name), turn, access, deny, false, done}
			if got = m.r.Open(fileOf(file), &a, &o); got == OK {
				m.r.Undo(&o)
				return 28
			}
			return got
		})
	if got == OK && m.gone[p.client] != OK {
		got = m.gone[p.client] // the turn was refused
	}
	return o, got
}

func (m *model) confirm() (what string, got, expect Status) {
	o := m.anyOpen()
	if o == nil || o.client != v0 && o.client != w0 {
		return m.open()
	}
	id := m.bend(o.id)
	what = fmt.Sprintf("OPEN_CONFIRM client %d file %d id %v", o.client, o.file, id)
	_, _, expect = m.judge(id, o.file, by(o.client), true)
	if expect == OK && o.sure {
		expect = BadStateid
	}
	res, got := m.proxy(o.client, o.owner).confirm(fileOf(o.file), id)
	if got == OK {
		o.sure = true
		o.id.Seq++
		m.sure[fmt.Sprint(o.client, o.owner)] = true
		m.same(what, res, o.id)
	}
	return what, got, expect
}

func (m *model) downgrade() (what string, got, expect Status) {
	o := m.anyOpen()
	if o == nil {
		return m.open()
	}
	id, file := m.bend(o.id), m.bendFile(o.file)
	access, deny := Share(1+m.rnd.IntN(3)), Share(m.rnd.IntN(4))
	what = fmt.Sprintf("OPEN_DOWNGRADE client %d file %d id %v access %d deny %d",
		o.client, file, id, access, deny)
	_, _, expect = m.judge(id, file, by(o.client), false)
	var best []share
	if expect == OK {
		expect = Inval
		// All subsets of the OPENs.
		asked := slices.Clone(o.asked)
		slices.SortFunc(asked, func(a, b share) int {
			return int(a.access)*4 + int(a.deny) - int(b.access)*4 - int(b.deny)
		})
		asked = slices.Compact(asked)
		for set := 1; set < 1<<len(asked); set++ {
			var a, d Share
			var some []share
			for i, s := range asked {
				if set&(1<<i) != 0 {
					a, d, some = a|s.access, d|s.deny, append(some, s)
				}
			}
			if a == access && d == deny && len(some) > len(best) {
				expect, best = OK, some
			}
		}
	}
	res, got := m.proxy(o.client, o.owner).downgrade(fileOf(file), id, access, deny)
	if got == OK {
		o.asked = best
		o.id.Seq++
		m.same(what, res, o.id)
	}
	return what, got, expect
}

func (m *model) close() (what string, got, expect Status) {
	o := m.anyOpen()
	if o == nil {
		return m.open()
	}
	id, file := m.bend(o.id), m.bendFile(o.file)
	what = fmt.Sprintf("CLOSE client %d owner %s file %d id %v", o.client, o.owner, file, id)
	_, _, expect = m.judge(id, file, by(o.client), false)
	_, got = m.proxy(o.client, o.owner).close(fileOf(file), id)
	if got == OK {
		o.end = BadStateid
		for _, l := range m.locks {
			if l.open == o && l.end == OK {
				l.end = BadStateid
			}
		}
	}
	return what, got, expect
}

// denied says whether a lock is, by whose, and expires who is courteous, one after the other.
func (m *model) denied(
	self *mLocks, client uint64, file int, k ranges.Kind, off, n int,
) (held Lock, st Status) {
	for {
		var first *mLocks
		at := 0
		for _, l := range m.locks {
			if l == self || l.end != OK || l.file != file {
				continue
			}
			for i := off; i < off+n; i++ {
				if l.has[i] == ranges.None || k == ranges.Read && l.has[i] == ranges.Read {
					continue
				}
				start := i
				for start > 0 && l.has[start-1] == l.has[i] {
					start--
				}
				if first == nil || start < at || start == at && l.id.Other.index() < first.id.Other.index() {
					first, at = l, start
				}
				break
			}
		}
		if first == nil {
			return held, OK
		}
		end := at
		for end < bytes && first.has[end] == first.has[at] {
			end++
		}
		held = Lock{uint64(at), uint64(end - at), first.has[at], first.client, first.owner}
		if !m.expireAll([]uint64{first.client}, client) {
			return held, Denied
		}
	}
}

func (m *model) lock() (what string, got, expect Status) {
	o := m.anyOpen()
	if o == nil {
		return m.open()
	}
	name, k := m.name("l", 2), ranges.Read+ranges.Kind(m.rnd.IntN(2))
	off := m.rnd.IntN(bytes)
	n := 1 + m.rnd.IntN(bytes-off)
	id, file := m.bend(o.id), m.bendFile(o.file)
	what = fmt.Sprintf("LOCK new client %d owner %s file %d id %v kind %v %d+%d",
		o.client, name, file, id, k, off, n)
	x, _, expect := m.judge(id, file, by(o.client), false)
	var own *mLocks
	var held Lock
	if expect == OK {
		for _, l := range m.locks {
			if l.client == o.client && l.owner == name && l.file == file && l.end == OK {
				own = l
			}
		}
		legacy := o.client == v0 || o.client == w0
		switch {
		case Share(k)&^x.access() != 0:
			expect = OpenMode
		case legacy && own != nil && own.has != [bytes]ranges.Kind{}:
			expect = BadSeqid
		default:
			held, expect = m.denied(own, o.client, file, k, off, n)
		}
	}
	l := m.locker(o.client, o.owner, name)
	got = l.first(fileOf(file), id, k, uint64(off), uint64(n))
	if got == Denied && l.held != held {
		m.r.t.Fatalf("%s: denied by %+v, want %+v", what, l.held, held)
	}
	if got == OK {
		if own == nil {
			own = &mLocks{client: o.client, owner: name, file: file, open: o, id: l.id}
			own.id.Seq = 0
			m.locks = append(m.locks, own)
		}
		m.set(what, own, l.id, k, off, n)
	}
	return what, got, expect
}

func (m *model) set(what string, l *mLocks, id Stateid, k ranges.Kind, off, n int) {
	for i := off; i < off+n; i++ {
		l.has[i] = k
	}
	l.id.Seq++
	m.same(what, id, l.id)
}

func (m *model) lockAgain() (what string, got, expect Status) {
	if len(m.locks) == 0 {
		return m.lock()
	}
	x := m.locks[len(m.locks)-1-m.rnd.IntN(min(len(m.locks), 6))]
	k := ranges.Kind(m.rnd.IntN(3))
	off := m.rnd.IntN(bytes)
	n := 1 + m.rnd.IntN(bytes-off)
	id, file := m.bend(x.id), m.bendFile(x.file)
	what = fmt.Sprintf("LOCK client %d owner %s file %d id %v kind %v %d+%d",
		x.client, x.owner, file, id, k, off, n)
	_, _, expect = m.judge(id, file, by(x.client), false)
	l := m.locker(x.client, x.open.owner, x.owner)
	l.id = id
	if k == ranges.None {
		got = l.unlock(fileOf(file), uint64(off), uint64(n))
	} else {
		var held Lock
		if expect == OK {
			if Share(k)&^x.open.access() != 0 {
				expect = OpenMode
			} else {
				held, expect = m.denied(x, x.client, file, k, off, n)
			}
		}
		got = l.again(fileOf(file), k, uint64(off), uint64(n))
		if got == Denied && l.held != held {
			m.r.t.Fatalf("%s: denied by %+v, want %+v", what, l.held, held)
		}
	}
	if got == OK {
		m.set(what, x, l.id, k, off, n)
	}
	return what, got, expect
}

func (m *model) lockTest() (what string, got, expect Status) {
	client, name, file, k := m.client(), m.name("l", 3), m.rnd.IntN(3), ranges.Read+ranges.Kind(m.rnd.IntN(2))
	off := m.rnd.IntN(bytes)
	n := 1 + m.rnd.IntN(bytes-off)
	what = fmt.Sprintf("LOCKT client %d owner %s file %d kind %v %d+%d", client, name, file, k, off, n)
	var own *mLocks
	for _, l := range m.locks {
		if l.client == client && l.owner == name && l.file == file && l.end == OK {
			own = l
		}
	}
	held, expect := m.denied(own, client, file, k, off, n)
	l := m.locker(client, "o0", name)
	got = l.test(fileOf(file), k, uint64(off), uint64(n))
	if got == Denied && l.held != held {
		m.r.t.Fatalf("%s: denied by %+v, want %+v", what, l.held, held)
	}
	return what, got, expect
}

// io uses a file with any stateid that there ever was, by any client.
func (m *model) io() (what string, got, expect Status) {
	id, client, file := m.anyID()
	c := by(client)
	if m.rnd.IntN(8) == 0 {
		c = by(m.client())
	}
	way := Share(1 + m.rnd.IntN(3))
	id, file = m.bend(id), m.bendFile(file)
	what = fmt.Sprintf("I/O by %v in file %d with %v way %d", c, file, id, way)
	o, l, expect := m.judge(id, file, c, false)
	if l != nil {
		o = l.open
	}
	if expect == OK {
		switch missing := way &^ o.access(); {
		case missing&Write != 0:
			expect = OpenMode
		case missing == Read:
			if who := m.against(o, file, Read, 0); len(who) > 0 && !m.expireAll(who, o.client) {
				expect = Locked
			}
		}
	}
	_, got = m.r.Check(fileOf(file), &id, c, way)
	return what, got, expect
}

func (m *model) special() (what string, got, expect Status) {
	file, way := m.rnd.IntN(3), Share(1+m.rnd.IntN(3))
	what = fmt.Sprintf("I/O in file %d without an open, way %d", file, way)
	if who := m.against(nil, file, way, 0); len(who) > 0 && !m.expireAll(who, 0) {
		expect = Locked
	}
	got = m.r.CheckSpecial(fileOf(file), &Anonymous, way, done, Caller{Minor: 1})
	return what, got, expect
}

func (m *model) free() (what string, got, expect Status) {
	id, client, file := m.anyID()
	if client == v0 || client == w0 {
		return m.io()
	}
	id = m.bend(id)
	what = fmt.Sprintf("FREE_STATEID by %d of %v", client, id)
	o, l, expect := m.judge(id, file, by(client), false)
	tested := m.r.TestStateid(&id, by(client))
	if tested != expect {
		m.r.t.Fatalf("TEST_STATEID instead of %s: %d, want %d", what, tested, expect)
	}
	switch {
	case expect == Expired || expect == AdminRevoked:
		expect = OK
	case expect != OK:
	case l == nil || l.has != [bytes]ranges.Kind{}:
		expect = LocksHeld
	}
	if got = m.r.FreeStateid(&id, by(client)); got == OK {
		if l != nil {
			l.end = BadStateid
		} else {
			o.end = BadStateid
		}
	}
	return what, got, expect
}

func (m *model) releaseOwner() (what string, got, expect Status) {
	client, name := []uint64{v0, w0}[m.rnd.IntN(2)], m.name("l", 2)
	what = fmt.Sprintf("RELEASE_LOCKOWNER by %d of %s", client, name)
	for _, l := range m.locks {
		if l.client == client && l.owner == name && l.end == OK && l.has != [bytes]ranges.Kind{} {
			expect = LocksHeld
		}
	}
	if got = m.r.ReleaseLockOwner(client, []byte(name)); got == OK {
		for _, l := range m.locks {
			if l.client == client && l.owner == name && l.end == OK {
				l.end = BadStateid
			}
		}
	}
	return what, got, expect
}

func (m *model) life() (what string, got, expect Status) {
	client := m.client()
	switch m.rnd.IntN(6) {
	case 0:
		m.r.DropClient(client)
		m.r.AddClient(client, by(client).Minor)
		m.take(client, BadStateid)
		m.forget(client)
		return fmt.Sprintf("the end of client %d", client), 0, 0
	case 1:
		m.r.Revoke(client, AdminRevoked)
		m.take(client, AdminRevoked)
		return fmt.Sprintf("revocation of what client %d has", client), 0, 0
	case 2:
		m.r.courteous[client] = true
		return fmt.Sprintf("the end of the lease of client %d", client), 0, 0
	}
	m.r.courteous[client] = false
	if m.gone[client] != OK {
		m.r.DropClient(client)
		m.r.AddClient(client, by(client).Minor)
		m.take(client, BadStateid)
		m.forget(client)
	}
	return fmt.Sprintf("client %d comes back", client), 0, 0
}

func (m *model) forget(client uint64) {
	delete(m.gone, client)
	for i := range 9 {
		delete(m.sure, fmt.Sprint(client, "o", i))
		delete(m.proxies, fmt.Sprint(client, "o", i))
		delete(m.lockers, fmt.Sprint(client, "l", i))
	}
}
