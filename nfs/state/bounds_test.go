package state

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The rule: whoever asks for client IDs without end pushes out others that are not confirmed,
// the oldest first, and nobody who is.
func TestEndlessUnconfirmedClients(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ClientsMax, c.UnconfirmedMax = 10, 100 })
	id, session := r.client("old", 1, alice)
	id0 := r.client0("old0", 1, alice)
	first, _ := r.exchange("first", 1, alice, 0)
	second, _ := r.exchange("second", 1, alice, 0)
	for i := range 99 {
		require.NotNil(t, r.byID(first.Client))
		_, st := r.exchange(fmt.Sprint("flood", i), 1, mario, 0)
		require.Equal(t, OK, st)
	}
	require.Nil(t, r.byID(first.Client), "the oldest of 101")
	require.NotNil(t, r.byID(second.Client))
	for i := range 10_000 {
		owner := fmt.Sprint("flood", i)
		if i%2 == 0 {
			_, st := r.exchange(owner, 1, mario, 0)
			require.Equal(t, OK, st)
		} else {
			_, _, st := r.SetClientID(setArgs(owner, 1, mario, 7))
			require.Equal(t, OK, st)
		}
	}
	n := r.Counts()
	require.Equal(t, 100, n.Unconfirmed)
	require.Equal(t, 2, n.Clients)
	require.Equal(t, 102, r.clients.Most())
	require.NotNil(t, r.byID(id))
	require.Equal(t, OK, r.Renew(id0))
	_, st := r.Begin(&Sequence{Session: session, Seqid: 1}, new(Ticket))
	require.Equal(t, OK, st)
	require.Equal(t, r.fresh.n, len(r.fresh.byOwner))
}

// The rule: a client that renews its lease keeps its place, however many want to come in. Who
// has let its lease end makes room, the one that did so first.
func TestEndlessConfirmedClients(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ClientsMax, c.UnconfirmedMax = 10, 20 })
	come := func(owner string) Status {
		e, st := r.exchange(owner, 1, mario, 0)
		require.Equal(t, OK, st)
		_, st = r.CreateSession(createArgs(e.Client, 1, mario))
		return st
	}
	_, session := r.client("old", 1, alice)
	r.pass(1)
	old0 := r.client0("old0", 1, alice)
	for i := range 8 {
		r.pass(1)
		require.Equal(t, OK, come(fmt.Sprint("flood", i)))
	}
	bytes := r.Counts().Bytes
	for i := range 1000 {
		require.Equal(t, Delay, come(fmt.Sprint("more", i)))
		id, confirm, st := r.SetClientID(setArgs(fmt.Sprint("more0", i), 1, mario, 7))
		require.Equal(t, OK, st)
		require.Equal(t, Delay, r.ConfirmClientID(id, confirm, mario))
	}
	require.Equal(t, bytes, r.Counts().Bytes)
	require.Equal(t, 10, r.Counts().Sessions+1)
	require.Equal(t, OK, come("flood3"), "it comes again")

	r.pass(40) // flood0 and flood1, 47 and 46 seconds ago, are over
	require.Equal(t, OK, r.Renew(old0))
	k := new(Ticket)
	v, _ := r.Begin(&Sequence{Session: session, Seqid: 1}, k)
	require.Equal(t, First, v)
	k.End(nil)
	isIn := func(owner string) bool { return r.Table.confirmed[owner] != nil }
	require.NoError(t, r.store.Record([]Record{r.Table.confirmed["flood0"].record()}))
	r.Table.confirmed["flood0"].recorded = true
	require.Equal(t, OK, come("new0"))
	require.False(t, isIn("flood0"))
	require.Empty(t, r.store.records, "it is not waited for after a restart")
	require.True(t, isIn("flood1"))
	require.Equal(t, OK, come("new1"))
	require.False(t, isIn("flood1"))
	require.Equal(t, Delay, come("new2"))
	require.True(t, isIn("old") && isIn("old0"))
	r.pass(6)
	for i := 2; i < 8; i++ { // all others are over now
		require.Equal(t, OK, r.Renew(old0))
		require.Equal(t, OK, come(fmt.Sprint("newer", i)))
		require.False(t, isIn(fmt.Sprint("flood", i)))
	}
	require.Equal(t, 10, r.Counts().Clients)
	r.atRest()
}

// The rule: sessions without end meet the client's own bound.
func TestEndlessSessions(t *testing.T) {
	r := newRig(t)
	_, session := r.client("old", 1, alice)
	id, _ := r.client("flood", 1, mario)
	for i := range uint32(10_000) {
		a := createArgs(id, i+2, mario)
		a.Conn = uint64(i)%3 + 1
		_, st := r.CreateSession(a)
		require.Contains(t, []Status{OK, NoSpc}, st)
	}
	require.Equal(t, 17, r.Counts().Sessions)
	require.LessOrEqual(t, r.Counts().Bytes, int64(20*sessionBytes))
	_, st := r.Begin(&Sequence{Session: session, Seqid: 1}, new(Ticket))
	require.Equal(t, OK, st)
}

// keep has a reply of n bytes kept in slot i of s.
func keep(t *testing.T, r *rig, s *Session, i, seqid uint32, n int) Status {
	t.Helper()
	a := request(s, seqid)
	a.Slot, a.Highest, a.CacheThis = i, i, true
	k := new(Ticket)
	v, st := r.Begin(a, k)
	if v == First {
		k.End(make([]byte, n))
	}
	return st
}

// The rule: kept replies stay within the budget, and one client that hoards them takes
// nothing from the share of another.
func TestKeptRepliesStayWithinTheBudget(t *testing.T) {
	const most = 1 << 20
	r := newRig(t, func(c *Config) { c.MemoryMax = most })
	sessions := func(owner string, n uint32) (ss []*Session) {
		e, st := r.exchange(owner, 1, alice, 0)
		require.Equal(t, OK, st)
		for i := range n {
			a := createArgs(e.Client, i+1, alice)
			a.Conn = uint64(i) + 1
			s, st := r.CreateSession(a)
			require.Equal(t, OK, st)
			ss = append(ss, r.sessions.At(s.Session.index()))
		}
		return ss
	}
	hoard, good := sessions("hoard", 16), sessions("good", 1)[0]
	refused := 0
	for _, s := range hoard {
		for i := range uint32(64) {
			if st := keep(t, r, s, i, 1, 3248); st != OK {
				require.Equal(t, Delay, st)
				refused++
			}
			require.LessOrEqual(t, r.Counts().Bytes, int64(most))
		}
	}
	require.NotZero(t, refused)
	used := r.Counts().Bytes
	require.Greater(t, used, int64(most/2-4096), "the first half is for whoever comes first")
	require.LessOrEqual(t, hoard[0].client.memory.Load(), int64(most/2))

	for i := range uint32(64) { // good has its share still: a quarter
		require.Equal(t, OK, keep(t, r, good, i, 1, 3248))
	}
	require.LessOrEqual(t, r.Counts().Bytes, int64(most))

	// A slot that has the memory goes on, and so does one that needs none.
	require.Equal(t, OK, keep(t, r, hoard[0], 0, 2, 3248))
	k := new(Ticket)
	last := hoard[15]
	_, st := r.Begin(request(last, last.lastSeqid(0)+1), k)
	require.Contains(t, []Status{OK, Delay}, st, "a group of slots may need memory")

	// Who uses fewer slots gets their memory back for others.
	for seqid := uint32(3); seqid < 20; seqid++ {
		for i := range uint32(8) {
			a := request(hoard[0], seqid)
			if i != 0 {
				a.Seqid = seqid - 1
			}
			a.Slot, a.Highest, a.CacheThis = i, 7, true
			require.NotEqual(t, Refused, must(r.Begin(a, k)))
			k.End(make([]byte, 3248))
		}
	}
	r.atRest()
}

func must(v Verdict, _ Status) Verdict { return v }

func (s *Session) lastSeqid(i uint32) uint32 {
	g := s.groups[i/groupLen].Load()
	if g == nil {
		return 0
	}
	return uint32(g[i%groupLen].word.Load())
}

// The rule: a client over its share that says it uses few slots gets the memory of the
// others' replies for these.
func TestRepliesOfUnusedSlotsMakeRoom(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax = 200_000 })
	s := r.session(linuxFore)
	other, _ := r.client("other", 1, mario)
	require.NotNil(t, r.byID(other))
	i := uint32(0)
	for ; keep(t, r, s, i, 1, 3248) == OK; i++ {
	}
	require.Less(t, i, uint32(64))
	k := new(Ticket)
	a := request(s, 1)
	a.Slot, a.Highest, a.CacheThis = i, i, true
	_, st := r.Begin(a, k)
	require.Equal(t, Delay, st)
	a.Slot, a.Highest = 0, 7
	a.Seqid = 2
	require.Equal(t, First, must(r.Begin(a, k)), "it needs no more than it has")
	k.End(make([]byte, 12))

	s.groups[0].Load()[1].retire(s) // a slot in use that has kept nothing
	used := r.budget.used.Add(3248) // which somebody else has taken
	a.Slot = 1
	require.Equal(t, First, must(r.Begin(a, k)))
	k.End(make([]byte, 3248))
	require.Less(t, r.budget.used.Load(), used, "slots 8 and up have let go of theirs")
	for slot, want := range map[uint32]Verdict{6: Replay, 7: Replay, 8: Uncached, 9: Uncached} {
		a = request(s, 1)
		a.Slot, a.Highest, a.CacheThis = slot, 63, true
		require.Equal(t, want, must(r.Begin(a, k)), "slot %d", slot)
		if want == Replay {
			k.Replayed()
		}
	}
	r.budget.used.Add(-3248)
	r.atRest()
}

// The rule: sr_target_highest_slotid falls when memory is short, first for slots that nobody
// uses, then for all but eight.
func TestTargetSlotsFollowMemory(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax = 100_000 })
	s := r.session(linuxFore)
	few := linuxFore
	few.Slots = 3
	_, st := r.CreateSession(&Create{
		Client: s.client.id, Seqid: 2, Fore: few, Back: linuxBack, Principal: alice, Conn: 1,
	})
	require.Equal(t, OK, st)
	little := s.client.sessions[1]
	k := new(Ticket)
	n := uint32(0)
	for _, tt := range []struct {
		used            int64
		highest, target uint32
	}{
		{50_000, 3, 63},
		{50_001, 3, 7}, {50_001, 7, 7}, {50_001, 8, 8}, {50_001, 63, 63},
		{75_000, 63, 63},
		{75_001, 63, 7}, {75_001, 0, 7},
		{0, 0, 63},
	} {
		n++
		for _, s := range []*Session{s, little} {
			a := request(s, n)
			a.Highest = min(tt.highest, s.fore.Slots-1)
			if n == 1 {
				_, st = s.grow(0)
				require.Equal(t, OK, st)
			}
			r.budget.see(tt.used)
			require.Equal(t, First, must(r.Begin(a, k)))
			if s == little {
				require.EqualValues(t, 2, k.TargetSlot)
				require.EqualValues(t, 2, k.HighestSlot)
			} else {
				require.Equal(t, tt.target, k.TargetSlot, "%d bytes, highest %d", tt.used, tt.highest)
				require.EqualValues(t, 63, k.HighestSlot)
			}
			k.End(nil)
		}
	}
	r.atRest()
}

func TestCreateSessionWaitsForMemory(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MemoryMax = 2*int64(sessionBytes) + 150 })
	e, _ := r.exchange("owner", 1, alice, 0)
	first, st := r.CreateSession(createArgs(e.Client, 1, alice))
	require.Equal(t, OK, st)
	_, st = r.CreateSession(createArgs(e.Client, 2, alice))
	require.Equal(t, OK, st)
	_, st = r.CreateSession(createArgs(e.Client, 3, alice))
	require.Equal(t, Delay, st, "the third")
	_, st = r.Begin(&Sequence{Session: first.Session, Seqid: 1}, new(Ticket))
	require.Equal(t, Delay, st, "no memory for slots")
	other, _ := r.exchange("other", 1, alice, 0)
	_, st = r.CreateSession(createArgs(other.Client, 1, alice))
	require.Equal(t, Delay, st)
	require.Equal(t, 1, r.Counts().Unconfirmed, "it is not confirmed by a session that is not there")
	require.Equal(t, OK, r.DestroySession(first.Session, 0))
	_, st = r.CreateSession(createArgs(e.Client, 3, alice))
	require.Equal(t, OK, st, "the same sequence ID, as Linux sends it")
	r.atRest()
}

func TestAnIdleClientNeedsLittle(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	for seqid := range uint32(3) {
		k := new(Ticket)
		_, st := r.Begin(request(s, seqid+1), k)
		require.Equal(t, OK, st)
		k.End(nil)
	}
	require.Less(t, s.client.memory.Load()+int64(unsafe.Sizeof(Client{})), int64(2048-200),
		"the names and maps around it are the rest")
	r.atRest()
}

func TestFailingRandomness(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Random = failing{} })
	_, st := r.exchange("owner", 1, alice, 0)
	require.Equal(t, ServerFault, st)
	_, _, st = r.SetClientID(setArgs("owner", 1, alice, 7))
	require.Equal(t, ServerFault, st)
	r.atRest()
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errStore }

// The rule: how a client wants to be called back is kept, and counts like the session that it is
// of.
func TestCallbacksCountForTheirSession(t *testing.T) {
	long := Callback{Program: 7}
	for range 64 {
		long.Security = append(long.Security,
			Security{Flavor: 1, Machine: strings.Repeat("m", 255), GIDs: make([]uint32, 16)})
	}
	each := int64(64 * (unsafe.Sizeof(Security{}) + 255 + 16*4))
	const most = 1 << 20
	r := newRig(t, func(c *Config) { c.MemoryMax = most })
	id, session := r.client("old", 1, alice)
	s := r.sessions.At(session.index())
	before := r.Counts().Bytes
	a := createArgs(id, 2, alice)
	a.Callback = long
	second, st := r.CreateSession(a)
	require.Equal(t, OK, st)
	require.Equal(t, before+int64(sessionBytes)+each, r.Counts().Bytes)
	own := s.Callback()
	require.Equal(t, OK, s.SetCallback(long))
	require.Equal(t, before+int64(sessionBytes)+2*each-int64(own.bytes()), r.Counts().Bytes)
	require.Equal(t, OK, s.SetCallback(own))
	require.Equal(t, OK, r.DestroySession(second.Session, 0))
	require.Equal(t, before, r.Counts().Bytes)

	// A client's share is a half of a MiB at most when more than a half is taken.
	var flood []*Session
	for i := 0; ; i++ {
		e, st := r.exchange(fmt.Sprint("flood", i), 1, mario, 0)
		require.Equal(t, OK, st)
		a := createArgs(e.Client, 1, mario)
		a.Callback = long
		got, st := r.CreateSession(a)
		if st != OK {
			require.Equal(t, Delay, st)
			break
		}
		flood = append(flood, r.sessions.At(got.Session.index()))
		require.LessOrEqual(t, r.Counts().Bytes, int64(most))
	}
	require.Equal(t, Delay, flood[0].SetCallback(Callback{Security: append(long.Security, long.Security...)}))
	require.Equal(t, long, flood[0].Callback(), "it stays as it was")
	k := new(Ticket)
	v, _ := r.Begin(&Sequence{Session: session, Seqid: 1}, k)
	require.Equal(t, First, v)
	k.End(nil)
	r.atRest()
}

// The rule: of a client of 4.0 no more is kept than an address has.
func TestNoLongAddressIsKept(t *testing.T) {
	r := newRig(t)
	for n, want := range map[int]int{127: 127, 128: 128, 129: 0, 1 << 20: 0} {
		for _, again := range []string{"the first time", "a change"} {
			a := setArgs("owner", 1, alice, 7)
			a.Callback.NetID, a.Callback.Addr = "tcp", strings.Repeat("1", n)
			id, confirm, st := r.SetClientID(a)
			require.Equal(t, OK, st)
			require.Equal(t, OK, r.ConfirmClientID(id, confirm, alice))
			c, _ := r.Client0(id)
			require.Len(t, c.Callback0().Addr, want, again)
			a.Callback.NetID, a.Callback.Addr = a.Callback.Addr, "127.0.0.1.8.1"
			id, confirm, st = r.SetClientID(a)
			require.Equal(t, OK, st)
			require.Equal(t, OK, r.ConfirmClientID(id, confirm, alice))
			require.Len(t, c.Callback0().NetID, want, again)
		}
	}
	r.atRest()
}

// The rule: shares shrink as clients come, and whoever took more before leaves later ones their
// least share.
func TestThoseWhoComeLateFindTheirLeastShare(t *testing.T) {
	b := budget{max: 1 << 20, least: 10_000}
	for range 12 {
		b.clients.Add(1)
		for c := new(Client); b.take(c, 1000); {
		}
	}
	require.Greater(t, b.used.Load(), b.max/2)
	for i := range 10 {
		b.clients.Add(1)
		c := new(Client)
		for range b.least / 1000 {
			require.True(t, b.take(c, 1000), "latecomer %d", i)
		}
		require.False(t, b.take(c, 1000))
	}
}
