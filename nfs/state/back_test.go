package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// backRig is a rig with a client whose session has the connections 1, 2, ... for callbacks.
func backRig(t *testing.T, conns int, slots uint32) (*rig, ClientID, *Session) {
	t.Helper()
	r := newRig(t)
	e, _ := r.exchange("owner", 1, alice, 0)
	a := createArgs(e.Client, e.Seqid, alice)
	a.Minor, a.Flags, a.Conn, a.Back.Slots = 2, CreateBackChan, 1, slots
	c, st := r.CreateSession(a)
	require.Equal(t, OK, st)
	require.Equal(t, CreateBackChan, c.Flags)
	for conn := 2; conn <= conns; conn++ {
		_, st = r.BindConn(c.Session, uint64(conn), Back)
		require.Equal(t, OK, st)
	}
	return r, e.Client, r.sessions.At(c.Session.index())
}

func (r *rig) callBack(id ClientID) *BackCall {
	r.t.Helper()
	b, st := r.CallBack(id)
	require.Equal(r.t, OK, st)
	return b
}

// status returns the flags that the next SEQUENCE tells.
func (r *rig) status(s *Session, seqid uint32) uint32 {
	r.t.Helper()
	k := new(Ticket)
	_, st := r.Begin(request(s, seqid), k)
	require.Equal(r.t, OK, st)
	defer k.End(nil)
	return k.StatusFlags
}

func TestCallbacksHaveTheirOwnSlotsAndNumbers(t *testing.T) {
	r, id, s := backRig(t, 1, 3)
	var bs []*BackCall
	for i := range uint32(3) {
		b := r.callBack(id)
		require.Equal(t, [3]uint32{i, 1, i}, [3]uint32{b.Slot, b.Seqid, b.Highest})
		require.EqualValues(t, 1, b.Conn)
		require.EqualValues(t, 2, b.Minor, "the session's")
		require.EqualValues(t, 0x40000000, b.Program)
		require.Equal(t, Security{Flavor: 1, Machine: "box"}, b.Security)
		require.False(t, b.Asks)
		bs = append(bs, b)
	}
	_, st := r.CallBack(id)
	require.Equal(t, BackChanBusy, st)
	require.Equal(t, BackDone, bs[1].Answered(OK, 15))
	bs[1].End(false)
	b := r.callBack(id)
	require.Equal(t, [3]uint32{1, 2, 2}, [3]uint32{b.Slot, b.Seqid, b.Highest})
	for _, b := range append(bs[:1], bs[2], b) {
		b.End(false)
	}
	// A client that has not seen one gets the number again.
	b = r.callBack(id)
	require.Equal(t, [3]uint32{0, 1, 0}, [3]uint32{b.Slot, b.Seqid, b.Highest})
	// It may want fewer slots to be used.
	require.Equal(t, BackDone, b.Answered(OK, 0))
	_, st = r.CallBack(id)
	require.Equal(t, BackChanBusy, st)
	b.End(false)
	b = r.callBack(id)
	require.EqualValues(t, 2, b.Seqid)
	b.Answered(OK, 99)
	b.End(false)
	require.Equal(t, OK, r.DestroySession(s.ID(), 1))
	_, st = r.CallBack(id)
	require.Equal(t, CBPathDown, st)
	r.atRest()
}

// The rule: two connections are dead, the third one is used.
func TestACallbackGoesOnByAnotherConnection(t *testing.T) {
	r, id, s := backRig(t, 3, 1)
	_, st := r.BindConn(s.ID(), 4, Fore)
	require.Equal(t, OK, st)
	b := r.callBack(id)
	require.EqualValues(t, 1, b.Conn)
	for want := uint64(2); want <= 3; want++ {
		r.Useless(s.ID(), b.Conn)
		require.True(t, b.Another(true))
		require.Equal(t, want, b.Conn)
		require.EqualValues(t, 1, b.Seqid, "it is a retry")
	}
	require.Zero(t, r.status(s, 1))
	require.Equal(t, BackDone, b.Answered(RetryUncachedRep, 0), "the client had seen it")
	b.End(false)
	require.Equal(t, []Binding{{1, Fore}, {3, Back}, {4, Fore}}, s.Bindings())
	b = r.callBack(id)
	require.Equal(t, [2]uint64{3, 2}, [2]uint64{b.Conn, uint64(b.Seqid)})
	r.Useless(s.ID(), 3)
	require.False(t, b.Another(true))
	b.End(true)
	require.EqualValues(t, 0x201, r.status(s, 2), "CB_PATH_DOWN and CB_PATH_DOWN_SESSION")
	_, st = r.CallBack(id)
	require.Equal(t, CBPathDown, st)
	_, st = r.BindConn(s.ID(), 1, Both)
	require.Equal(t, OK, st)
	require.Zero(t, r.status(s, 3))
	r.atRest()
}

// The rule: nobody knows whether the client has seen a callback that was not answered. Its slot is
// asked about before it is used again, and is lost to nobody.
func TestASlotInDoubtIsAskedAbout(t *testing.T) {
	for _, st := range []Status{OK, RetryUncachedRep, SeqFalseRetry, RepTooBigToCache} {
		r, id, s := backRig(t, 1, 2)
		b := r.callBack(id)
		r.Useless(s.ID(), 1)
		require.False(t, b.Another(true))
		b.End(true)
		_, bound := r.BindConn(s.ID(), 2, Both)
		require.Equal(t, OK, bound)
		sure := r.callBack(id)
		require.Equal(t, [2]uint32{1, 1}, [2]uint32{sure.Slot, sure.Seqid}, "one without doubts goes first")
		b = r.callBack(id)
		require.True(t, b.Asks)
		require.Equal(t, [2]uint32{0, 1}, [2]uint32{b.Slot, b.Seqid})
		require.Equal(t, BackSend, b.Answered(st, 15))
		require.False(t, b.Asks)
		require.EqualValues(t, 2, b.Seqid)
		require.Equal(t, BackDone, b.Answered(OK, 15))
		b.End(false)
		sure.End(false)
		b = r.callBack(id)
		require.False(t, b.Asks)
		require.Equal(t, [2]uint32{0, 3}, [2]uint32{b.Slot, b.Seqid})
		b.End(false)
		r.atRest()
	}
}

// What was sent by a connection that failed the client may have seen; what the slot is asked about
// it may have seen, too, until it has answered. What follows the answer is new to it.
func TestDoubtsEndWithTheAnswer(t *testing.T) {
	r, id, s := backRig(t, 3, 1)
	b := r.callBack(id)
	require.False(t, b.Unsure())
	require.True(t, b.Another(false), "it was not sent")
	require.False(t, b.Unsure())
	require.True(t, b.Another(true))
	require.True(t, b.Unsure())
	b.End(b.Unsure())
	b = r.callBack(id)
	require.True(t, b.Asks)
	require.True(t, b.Unsure())
	require.True(t, b.Another(true))
	require.Equal(t, BackSend, b.Answered(OK, 0))
	require.False(t, b.Unsure())
	require.True(t, s.Answers(), "by the connection that it was asked by")
	require.Equal(t, BackBroken, b.Answered(RetryUncachedRep, 0), "nobody has sent this number before")
	b.End(false)
	r.atRest()
}

func TestASessionThatIsOverIsNotCalledBack(t *testing.T) {
	r, id, s := backRig(t, 2, 2)
	b := r.callBack(id)
	require.Equal(t, OK, r.DestroySession(s.ID(), 1))
	require.False(t, b.Another(true))
	b.End(true)
	_, st := s.CallBack()
	require.Equal(t, CBPathDown, st)
	r.Works(s.ID(), 1)
	require.False(t, s.Answers())
	require.Empty(t, s.Unproved())
	r.atRest()
}

func TestAClientThatDoesNotKnowItsSlotIsTold(t *testing.T) {
	for _, st := range []Status{BadSession, BadSlot, SeqMisordered, RetryUncachedRep, SeqFalseRetry, ServerFault} {
		r, id, s := backRig(t, 1, 1)
		b := r.callBack(id)
		require.Equal(t, BackBroken, b.Answered(st, 0))
		b.End(false)
		require.EqualValues(t, 0x400, r.status(s, 1), "BACKCHANNEL_FAULT")
		_, other := r.CallBack(id)
		require.Equal(t, CBPathDown, other)
		require.Equal(t, OK, s.SetCallback(Callback{Security: []Security{{}}}))
		require.Zero(t, r.status(s, 2))
		b = r.callBack(id)
		require.Equal(t, BackLater, b.Answered(Delay, 0))
		require.EqualValues(t, 1, b.Seqid)
		require.Equal(t, BackDone, b.Answered(OK, 0))
		b.End(false)
		r.atRest()
	}
}

// The rule: who waits for a callback must be sure that it can come.
func TestCallbacksAreSureWhenOneWasAnswered(t *testing.T) {
	r, id, s := backRig(t, 2, 1)
	require.False(t, s.Answers())
	require.Equal(t, []uint64{1, 2}, s.Unproved())
	require.Empty(t, s.Unproved(), "once")
	r.Works(s.ID(), 2)
	require.True(t, s.Answers())
	b := r.callBack(id)
	require.EqualValues(t, 2, b.Conn, "the one that works")
	b.End(false)
	r.Disconnect(2)
	require.False(t, s.Answers())
	_, st := r.BindConn(s.ID(), 1, Both)
	require.Equal(t, OK, st)
	require.Equal(t, []uint64{1}, s.Unproved(), "tried anew")
	r.Works(s.ID(), 1)
	require.True(t, s.Answers())
	_, st = r.BindConn(s.ID(), 1, Fore)
	require.Equal(t, OK, st)
	require.False(t, s.Answers())
	require.EqualValues(t, 0x201, r.status(s, 1))
	_, st = r.BindConn(s.ID(), 1, Both)
	require.Equal(t, OK, st)
	_, st = r.BindConn(s.ID(), 3, Both)
	require.Equal(t, OK, st)
	r.Works(s.ID(), 1)
	r.Refuses(s.ID(), 1)
	require.False(t, s.Answers())
	require.Zero(t, r.status(s, 2))
	b = r.callBack(id)
	require.EqualValues(t, 3, b.Conn)
	require.False(t, b.Another(false))
	b.End(false)
	_, st = r.BindConn(s.ID(), 1, Both)
	require.Equal(t, OK, st)
	r.Works(s.ID(), 1)
	b = r.callBack(id)
	require.EqualValues(t, 1, b.Conn)
	b.End(false)
	r.Works(SessionID{}, 1)
	r.Refuses(SessionID{}, 1)
	r.Useless(SessionID{}, 1)
	r.atRest()
}

func TestOnlyConnectionsThatNobodyKnowsAreTried(t *testing.T) {
	r, id, s := backRig(t, 3, 1)
	b := r.callBack(id)
	require.EqualValues(t, 1, b.Conn)
	require.Equal(t, BackDone, b.Answered(OK, 0))
	b.End(false)
	require.True(t, s.Answers(), "its answer has proved the connection")
	r.Refuses(s.ID(), 2)
	r.Refuses(s.ID(), 9) // which is none of the session's
	require.Equal(t, []uint64{2}, s.deaf)
	require.Equal(t, []uint64{3}, s.Unproved())
	r.Useless(s.ID(), 1)
	require.False(t, s.Answers())
	require.Empty(t, s.working)
	r.atRest()
}

// The rule: the flag of CREATE_SESSION's answer is the truth.
func TestWaysToCallBack(t *testing.T) {
	gss, none, sys := Security{Flavor: 6}, Security{}, Security{Flavor: 1, UID: 5, Machine: "m"}
	for _, tt := range []struct {
		ways []Security
		want Status
		used Security
	}{
		{[]Security{none, sys}, OK, none}, {[]Security{gss, sys}, OK, sys}, {[]Security{gss}, NoEnt, gss},
		{[]Security{{Flavor: 3}}, NoEnt, gss}, {nil, Inval, gss},
	} {
		r := newRig(t)
		e, _ := r.exchange("owner", 1, alice, 0)
		a := createArgs(e.Client, e.Seqid, alice)
		a.Callback.Security, a.Conn, a.Flags = tt.ways, 1, CreateBackChan
		c, st := r.CreateSession(a)
		if tt.want == NoEnt {
			require.Equal(t, NoEnt, st)
			r.atRest()
			continue
		}
		require.Equal(t, OK, st)
		s := r.sessions.At(c.Session.index())
		if tt.want != OK {
			require.Zero(t, c.Flags, "no way was given")
			dir, st := r.BindConn(c.Session, 1, Both)
			require.Equal(t, OK, st)
			require.Equal(t, Fore, dir)
			_, st = r.BindConn(c.Session, 1, Back)
			require.Equal(t, Inval, st)
		} else {
			require.Equal(t, CreateBackChan, c.Flags)
			require.Equal(t, tt.used, r.callBack(e.Client).Security)
		}
		require.Equal(t, NoEnt, s.SetCallback(Callback{Security: []Security{gss}}))
		require.Equal(t, Inval, s.SetCallback(Callback{}))
		require.Equal(t, OK, s.SetCallback(Callback{Program: 7, Security: []Security{gss, sys}}))
		p, way, ok := s.CallsBackAs()
		require.True(t, ok)
		require.Equal(t, sys, way)
		require.EqualValues(t, 7, p)
		r.atRest()
	}
}

// A client is asked once to use fewer slots, when memory is short, and loses kept replies when it
// does.
func TestClientsAreAskedToUseFewerSlots(t *testing.T) {
	r, _, s := backRig(t, 1, 1)
	r.Works(s.ID(), 1)
	use := func(slot uint32, highest uint32) {
		k := new(Ticket)
		a := request(s, s.seqidOf(slot)+1)
		a.Slot, a.Highest, a.CacheThis, a.Conn = slot, highest, true, 1
		_, st := r.Begin(a, k)
		require.Equal(t, OK, st)
		k.End(make([]byte, 3000))
	}
	for slot := range uint32(64) {
		use(slot, slot)
	}
	recalled := func() int {
		ss, to := r.Overgrown()
		for i := range ss {
			require.EqualValues(t, 7, to[i])
			require.Same(t, s, ss[i])
		}
		return len(ss)
	}
	require.Zero(t, recalled(), "there is enough")
	r.budget.max = r.budget.used.Load() + 4096
	r.budget.see(r.budget.used.Load())
	use(0, 63)
	require.Equal(t, 1, recalled())
	require.Zero(t, recalled())
	before := r.budget.used.Load()
	use(0, 8)
	require.Equal(t, before, r.budget.used.Load(), "it has not done so")
	use(0, 7)
	require.Equal(t, before-56*3248, r.budget.used.Load())
	r.budget.max = 1 << 30
	r.budget.see(r.budget.used.Load())
	use(0, 7)
	require.Zero(t, recalled())
	r.atRest()
}

// seqidOf returns the last sequence ID of a slot.
func (s *Session) seqidOf(slot uint32) uint32 {
	if g := s.groups[slot/groupLen].Load(); g != nil {
		return uint32(g[slot%groupLen].word.Load())
	}
	return 0
}
