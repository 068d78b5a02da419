package state

import (
	"fmt"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/stretchr/testify/require"
)

func TestCreateSessionGivesNeverMoreThanAsked(t *testing.T) {
	fore := func(change func(*Channel)) Channel {
		c := linuxFore
		change(&c)
		return c
	}
	back := func(change func(*Channel)) Channel {
		c := linuxBack
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name       string
		fore, back Channel
		want       Status
		gives      Channel
		givesBack  Channel
	}{
		{
			"Linux", linuxFore, linuxBack, OK,
			Channel{RequestMax: 1049620, ReplyMax: 1049480, KeptMax: 3248, Ops: 8, Slots: 64},
			linuxBack,
		},
		{
			"little",
			Channel{RequestMax: 256, ReplyMax: 256, KeptMax: 0, Ops: 2, Slots: 1},
			Channel{RequestMax: 360, ReplyMax: 128, KeptMax: 0, Ops: 2, Slots: 1}, OK,
			Channel{RequestMax: 256, ReplyMax: 256, KeptMax: 0, Ops: 2, Slots: 1},
			Channel{RequestMax: 360, ReplyMax: 128, KeptMax: 0, Ops: 2, Slots: 1},
		},
		{
			"much",
			Channel{512, 1 << 31, 1 << 31, 1 << 31, 1 << 31, 1 << 31},
			Channel{512, 1 << 31, 1 << 31, 1 << 31, 1 << 31, 1 << 31}, OK,
			Channel{0, 1052672, 1052672, 3248, 128, 64},
			Channel{0, 1 << 31, 1 << 31, 1 << 31, 1 << 31, 16},
		},
		{
			"kept replies larger than replies",
			fore(func(c *Channel) { c.ReplyMax, c.KeptMax = 400, 2000 }), linuxBack, OK,
			fore(func(c *Channel) { c.ReplyMax, c.KeptMax = 400, 400 }), linuxBack,
		},
		{"no back channel", linuxFore, Channel{}, OK, fore(func(c *Channel) { c.KeptMax = 3248 }), Channel{}},
		{"requests", fore(func(c *Channel) { c.RequestMax = 255 }), linuxBack, TooSmall, Channel{}, Channel{}},
		{"replies", fore(func(c *Channel) { c.ReplyMax = 255 }), linuxBack, TooSmall, Channel{}, Channel{}},
		{"operations", fore(func(c *Channel) { c.Ops = 1 }), linuxBack, TooSmall, Channel{}, Channel{}},
		{"slots", fore(func(c *Channel) { c.Slots = 0 }), linuxBack, TooSmall, Channel{}, Channel{}},
		{"callbacks", linuxFore, back(func(c *Channel) { c.RequestMax = 359 }), TooSmall, Channel{}, Channel{}},
		{"their replies", linuxFore, back(func(c *Channel) { c.ReplyMax = 127 }), TooSmall, Channel{}, Channel{}},
		{"their operations", linuxFore, back(func(c *Channel) { c.Ops = 1 }), TooSmall, Channel{}, Channel{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			e, _ := r.exchange("owner", 1, alice, 0)
			a := createArgs(e.Client, 1, alice)
			a.Fore, a.Back = tt.fore, tt.back
			s, st := r.CreateSession(a)
			require.Equal(t, tt.want, st)
			require.Equal(t, tt.gives, s.Fore)
			require.Equal(t, tt.givesBack, s.Back)
			r.atRest()
		})
	}
}

func TestFlagsOfCreateSession(t *testing.T) {
	for asked, want := range map[uint32]Status{
		0: OK, CreatePersist: OK, CreateBackChan: OK, CreateRDMA: OK, 7: OK, 8: Inval, 15: Inval,
		1 << 31: Inval,
	} {
		r := newRig(t)
		e, _ := r.exchange("owner", 1, alice, 0)
		a := createArgs(e.Client, 1, alice)
		a.Flags, a.Conn = asked, 5
		s, st := r.CreateSession(a)
		require.Equal(t, want, st)
		if st != OK {
			continue
		}
		require.Equal(t, asked&2, s.Flags, "no persistence, no RDMA")
		require.EqualValues(t, 1, s.Seqid, "csr_sequence is csa_sequence")
		dir := Fore
		if asked&2 != 0 {
			dir = Both
		}
		require.Equal(t, []Binding{{5, dir}}, r.sessions.At(s.Session.index()).Bindings())

		a.Flags, a.Seqid, a.Back = asked, 2, Channel{}
		s, st = r.CreateSession(a)
		require.Equal(t, OK, st)
		require.Zero(t, s.Flags, "nobody can be called back without slots")
		r.atRest()
	}
}

// TestCreateSessionAgain goes through RFC 8881 section 18.36.4: what a sequence ID means
// after an answer.
func TestCreateSessionAgain(t *testing.T) {
	good := func(*Create) {}
	small := func(a *Create) { a.Fore.ReplyMax = 0 }
	flags := func(a *Create) { a.Flags = 8 }
	foreign := func(a *Create) { a.Principal = mario }
	for _, tt := range []struct {
		name   string
		first  func(*Create)
		answer Status
		seqid  uint32 // of the second; the first has 1
		second func(*Create)
		want   Status
		same   bool // the same session
	}{
		{"retransmission", good, OK, 1, good, OK, true},
		{"retransmission that looks different", good, OK, 1, small, OK, true},
		{"next", good, OK, 2, good, OK, false},
		{"next by another principal, once confirmed", good, OK, 2, foreign, OK, false},
		{"too far", good, OK, 3, good, SeqMisordered, false},
		{"too far back", good, OK, 0, good, SeqMisordered, false},
		{"refused, again", foreign, ClidInUse, 1, foreign, ClidInUse, false},
		{"refused, again by the right one", foreign, ClidInUse, 1, good, ClidInUse, false},
		{"refused, then next", foreign, ClidInUse, 2, good, OK, false},
		{"too small, again", small, TooSmall, 1, small, TooSmall, false},
		{"too small, mended under the same number", small, TooSmall, 1, good, OK, false},
		{"too small, mended under the next", small, TooSmall, 2, good, OK, false},
		{"invalid, again", flags, Inval, 1, flags, Inval, false},
		{"invalid, mended under the next", flags, Inval, 2, good, OK, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			e, _ := r.exchange("owner", 1, alice, 0)
			require.EqualValues(t, 1, e.Seqid)
			a := createArgs(e.Client, 1, alice)
			tt.first(a)
			first, st := r.CreateSession(a)
			require.Equal(t, tt.answer, st)
			before := r.Counts()

			a = createArgs(e.Client, tt.seqid, alice)
			tt.second(a)
			second, st := r.CreateSession(a)
			require.Equal(t, tt.want, st)
			if tt.same {
				require.Equal(t, first, second)
				require.Equal(t, before, r.Counts())
			} else if st == OK {
				require.NotEqual(t, first.Session, second.Session)
				require.Equal(t, before.Sessions+1, r.Counts().Sessions)
			}
			r.atRest()
		})
	}
}

func TestTheFirstCreateSessionIsNoRetransmission(t *testing.T) {
	r := newRig(t)
	e, _ := r.exchange("owner", 1, alice, 0)
	for _, seqid := range []uint32{0, 2, 1<<32 - 1} {
		_, st := r.CreateSession(createArgs(e.Client, seqid, alice))
		require.Equal(t, SeqMisordered, st)
	}
	_, st := r.CreateSession(createArgs(e.Client, 1, alice))
	require.Equal(t, OK, st)
	r.atRest()
}

func TestCreateSessionCountsOnBeyondTheLargestNumber(t *testing.T) {
	r := newRig(t)
	id, _ := r.client("owner", 1, alice)
	r.byID(id).created.seqid = 1<<32 - 1
	_, st := r.CreateSession(createArgs(id, 0, alice))
	require.Equal(t, OK, st)
	_, st = r.CreateSession(createArgs(id, 1, alice))
	require.Equal(t, OK, st)
	r.atRest()
}

func TestAClientHas16SessionsAtMost(t *testing.T) {
	r := newRig(t)
	id, first := r.client("owner", 1, alice)
	for i := range uint32(15) {
		a := createArgs(id, i+2, alice)
		a.Conn = uint64(i) + 1
		_, st := r.CreateSession(a)
		require.Equal(t, OK, st)
	}
	_, st := r.BindConn(first, 16, Fore)
	require.Equal(t, OK, st)
	a := createArgs(id, 17, alice)
	_, st = r.CreateSession(a)
	require.Equal(t, NoSpc, st, "the 17th")
	require.Equal(t, 16, r.Counts().Sessions)

	// One that is deserted makes room, if no request uses it.
	r.Disconnect(16)
	k := new(Ticket)
	v, _ := r.Begin(&Sequence{Session: first, Seqid: 1}, k)
	require.Equal(t, First, v)
	_, st = r.CreateSession(createArgs(id, 18, alice))
	require.Equal(t, NoSpc, st)
	k.End(nil)
	_, st = r.CreateSession(createArgs(id, 19, alice))
	require.Equal(t, OK, st)
	_, st = r.Begin(&Sequence{Session: first, Seqid: 2}, k)
	require.Equal(t, BadSession, st)
	require.Equal(t, 16, r.Counts().Sessions)
	r.atRest()
}

func TestSessionsEndOnlyBySomebodyOfTheClient(t *testing.T) {
	r := newRig(t)
	id, s1 := r.client("owner", 1, alice)
	_, foreign := r.client("other", 1, mario)
	a := createArgs(id, 2, alice)
	a.Conn = 20
	s2, st := r.CreateSession(a)
	require.Equal(t, OK, st)
	for conn, s := range map[uint64]SessionID{10: s1, 30: foreign} {
		_, st := r.BindConn(s, conn, Fore)
		require.Equal(t, OK, st)
	}
	require.Equal(t, ConnNotBound, r.DestroySession(s1, 30), "by another client's connection")
	require.Equal(t, ConnNotBound, r.DestroySession(s1, 40), "by a connection that is nobody's")
	require.Equal(t, OK, r.DestroySession(s1, 20), "by a connection of the client's other session")
	require.Equal(t, BadSession, r.DestroySession(s1, 20))
	require.Equal(t, OK, r.DestroySession(s2.Session, 20), "by its own")
	_, st = r.Begin(&Sequence{Session: s2.Session, Seqid: 1}, new(Ticket))
	require.Equal(t, BadSession, st)
	require.Equal(t, 1, r.Counts().Conns)
	r.atRest()
}

// The rule: a new verifier ends what the earlier incarnation had, sessions included, and
// nothing of it stays in memory.
func TestManyRestartsLeaveNothingBehind(t *testing.T) {
	n := 100_000
	if testing.Short() || again.Now() {
		n = 10_000
	}
	r := newRig(t)
	k := new(Ticket)
	var counts Counts
	for i := range n {
		var v Verifier
		copy(v[:], fmt.Sprint(i))
		e, st := r.ExchangeID(&Exchange{Owner: []byte("owner"), Verifier: v, Principal: alice})
		require.Equal(t, OK, st)
		a := createArgs(e.Client, 1, alice)
		a.Conn = uint64(i)
		s, st := r.CreateSession(a)
		require.Equal(t, OK, st)
		r.byID(e.Client).Hold(2)
		verdict, _ := r.Begin(&Sequence{Session: s.Session, Seqid: 1, CacheThis: true, Conn: uint64(i)}, k)
		require.Equal(t, First, verdict)
		k.End(make([]byte, 430))
		if i%1000 == 1 {
			if counts == (Counts{}) {
				counts = r.Counts()
			}
			require.Equal(t, counts, r.Counts())
		}
	}
	require.LessOrEqual(t, r.clients.Most(), 2, "the first numbers are used over and over")
	require.LessOrEqual(t, r.sessions.Most(), 2)
	r.atRest()
}
