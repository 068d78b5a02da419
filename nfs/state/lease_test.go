package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnconfirmedClientsLiveForALease(t *testing.T) {
	r := newRig(t)
	e, _ := r.exchange("owner", 1, alice, 0)
	r.pass(45)
	r.Sweep()
	require.NotNil(t, r.byID(e.Client))
	r.pass(1)
	r.Sweep()
	_, st := r.CreateSession(createArgs(e.Client, 1, alice))
	require.Equal(t, StaleClientID, st)
	r.atRest()
}

func TestWhatHappensAfterTheEndOfALease(t *testing.T) {
	for _, tt := range []struct {
		name       string
		held       int
		idle       uint32
		remains    bool
		isRecorded bool
	}{
		{"holds nothing, lease runs", 0, 45, true, true},
		{"holds nothing", 0, 46, false, false},
		{"holds something", 1, 46, true, true},
		{"courtesy lasts", 1, 45 + 86400, true, true},
		{"courtesy ends", 1, 46 + 86400, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			id, session := r.client("owner", 1, alice)
			c := r.byID(id)
			require.Equal(t, OK, r.ReclaimComplete(c, false))
			c.Hold(tt.held)
			r.pass(tt.idle)
			r.Sweep()
			require.Equal(t, tt.remains, r.byID(id) != nil)
			require.Equal(t, tt.isRecorded, len(r.store.records) == 1)
			_, st := r.Begin(&Sequence{Session: session, Seqid: 1}, new(Ticket))
			if tt.remains {
				require.Equal(t, OK, st, "a client that comes back finds all it had")
				require.EqualValues(t, tt.held, c.held.Load())
				require.False(t, c.Courteous())
				return
			}
			require.Equal(t, BadSession, st)
			require.Zero(t, c.held.Load())
			r.atRest()
		})
	}
}

// A lane renews the leases of all that it has received together by one look at the clock, which
// another lane may have passed.
func TestARequestThatArrivedEarlierTakesNoLeaseBack(t *testing.T) {
	r := newRig(t)
	id, session := r.client("owner", 1, alice)
	c := r.byID(id)
	now := r.Now()
	r.pass(10)
	begin := func(seqid, at uint32) {
		var k Ticket
		_, st := r.Begin(&Sequence{Session: session, Seqid: seqid, Now: at}, &k)
		require.Equal(t, OK, st)
		k.End(nil)
	}
	begin(1, now+5)
	require.Equal(t, now+5, c.renewed.Load(), "the time that is given counts")
	begin(2, 0)
	require.Equal(t, now+10, c.renewed.Load(), "without one the clock is asked")
	begin(3, now+9)
	require.Equal(t, now+10, c.renewed.Load())
}

func TestExpireEndsACourteousClient(t *testing.T) {
	r := newRig(t)
	id, session := r.client("owner", 1, alice)
	c := r.byID(id)
	c.Hold(2)
	require.Equal(t, OK, r.ReclaimComplete(c, false))
	r.pass(45)
	require.False(t, r.Expire(c), "its lease runs")
	r.pass(1)
	require.Equal(t, 1, r.Counts().Courteous)
	require.True(t, r.Expire(c))
	require.False(t, r.Expire(c), "once")
	require.True(t, c.Gone())
	require.Zero(t, c.held.Load())
	require.Empty(t, r.store.records)
	_, st := r.Begin(&Sequence{Session: session, Seqid: 1}, new(Ticket))
	require.Equal(t, BadSession, st)
	_, st = r.CreateSession(createArgs(id, 2, alice))
	require.Equal(t, StaleClientID, st)
	require.Equal(t, StaleClientID, r.ReclaimComplete(c, false))
	require.Empty(t, r.store.records)
	r.atRest()
}

// The rule: a clock that is set back ends no lease early, and keeps nobody for ever.
func TestClockSetBack(t *testing.T) {
	r := newRig(t)
	r.clock.Store(1_000_000)
	id, session := r.client("owner", 1, alice)
	e, _ := r.exchange("fresh", 1, alice, 0)
	silent, _ := r.client("silent", 1, alice)
	r.clock.Store(500)
	c := r.byID(id)
	require.False(t, c.Courteous())
	r.Sweep()
	require.NotNil(t, r.byID(id))
	require.NotNil(t, r.byID(e.Client))
	r.pass(45)
	k := new(Ticket)
	v, _ := r.Begin(&Sequence{Session: session, Seqid: 1}, k)
	require.Equal(t, First, v)
	k.End(nil)
	require.EqualValues(t, 545, c.renewed.Load())
	r.pass(1)
	r.Sweep()
	require.NotNil(t, r.byID(id))
	require.Nil(t, r.byID(silent))
	require.Nil(t, r.byID(e.Client), "46 seconds after the clock was set back")
	r.pass(45)
	r.Sweep()
	require.Nil(t, r.byID(id))
	r.atRest()
}

func TestAtTheEndOfTheClock(t *testing.T) {
	r := newRig(t)
	r.clock.Store(1<<32 - 10)
	id, _ := r.client("owner", 1, alice)
	r.pass(9)
	r.Sweep()
	require.NotNil(t, r.byID(id))
	r.pass(1) // to 0
	r.Sweep()
	require.NotNil(t, r.byID(id))
	r.atRest()
}

func TestReclaimComplete(t *testing.T) {
	r := newRig(t)
	id, _ := r.client("owner", 1, alice)
	c := r.byID(id)
	require.Equal(t, OK, r.ReclaimComplete(c, true), "of one file system")
	require.False(t, c.Reclaimed(), "it says nothing of the others")
	require.Empty(t, r.store.records)

	// The rule: what could not be recorded has not happened, and is tried again.
	r.store.fail = true
	require.Equal(t, Delay, r.ReclaimComplete(c, false))
	require.False(t, c.Reclaimed())
	r.store.fail = false
	require.Equal(t, OK, r.ReclaimComplete(c, false))
	require.True(t, c.Reclaimed())
	require.Equal(t, map[string]Record{
		"owner": {Owner: "owner", Verifier: verifier(1), Principal: alice, Minor: 1, Complete: true},
	}, r.store.records)
	require.Equal(t, CompleteAlready, r.ReclaimComplete(c, false))
	require.Equal(t, OK, r.ReclaimComplete(c, true))

	// The later incarnation has to say it itself, and the record of the earlier one is
	// not taken for its own.
	later, _ := r.client("owner", 2, alice)
	require.False(t, r.byID(later).Reclaimed())
	require.Equal(t, OK, r.ReclaimComplete(r.byID(later), false))
	require.NoError(t, r.store.Forget([]Record{c.record()}))
	require.Equal(t, verifier(2), r.store.records["owner"].Verifier)
	r.atRest()
}

// The rule: a client that ends while its record is written leaves no record.
func TestARecordThatComesTooLate(t *testing.T) {
	r := newRig(t)
	id, s := r.client("owner", 1, alice)
	c := r.byID(id)
	r.store.during = func() {
		require.Equal(t, Delay, r.ReclaimComplete(c, false), "a second one at the same time")
		require.Equal(t, OK, r.DestroySession(s, 0))
		require.Equal(t, OK, r.DestroyClient(id))
	}
	require.Equal(t, StaleClientID, r.ReclaimComplete(c, false))
	require.Empty(t, r.store.records)
	r.atRest()
}

func TestWithoutAStoreNothingIsRecorded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Store = nil })
	id, s := r.client("owner", 1, alice)
	require.Equal(t, OK, r.ReclaimComplete(r.byID(id), false))
	require.Equal(t, OK, r.DestroySession(s, 0))
	require.Equal(t, OK, r.DestroyClient(id))
	r.atRest()
}

func TestMemoryIsMadeByWhoIsOverdueForLongest(t *testing.T) {
	r := newRig(t)
	var ids []ClientID
	for _, owner := range []string{"first", "second", "third"} {
		id, _ := r.client(owner, 1, alice)
		r.byID(id).Hold(1)
		ids = append(ids, id)
		r.pass(10)
	}
	require.False(t, r.Relieve(), "all are there")
	r.pass(30) // the third is there still
	r.byID(ids[0]).Hold(-1)
	require.True(t, r.Relieve(), "of those who hold something")
	require.Nil(t, r.byID(ids[1]))
	require.NotNil(t, r.byID(ids[0]))
	require.False(t, r.Relieve())
	require.NotNil(t, r.byID(ids[2]))
	r.atRest()
}
