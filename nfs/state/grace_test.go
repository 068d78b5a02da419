package state

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// shelf is a store in memory that can fail.
type shelf struct {
	before  []Record
	records map[string]Record
	ended   int
	fails   bool
}

var errShelf = errors.New("the disc is full")

func (s *shelf) Load() ([]Record, error) { return s.before, nil }

func (s *shelf) Record(rs []Record) error {
	if s.fails {
		return errShelf
	}
	if s.records == nil {
		s.records = make(map[string]Record)
	}
	for _, r := range rs {
		s.records[r.Owner] = r
	}
	return nil
}

func (s *shelf) Forget(rs []Record) error {
	for _, r := range rs {
		delete(s.records, r.Owner)
	}
	return nil
}

func (s *shelf) EndGrace() error {
	if s.fails {
		return errShelf
	}
	s.ended++
	return nil
}

// confirmed returns a client of 4.1 that has a session.
func (r *rig) confirmedAs(name string, v byte) *Client {
	r.t.Helper()
	e, st := r.ExchangeID(&Exchange{Owner: []byte(name), Verifier: Verifier{v},
		Principal: Principal{Flavor: 1}})
	require.Equal(r.t, OK, st)
	channel := Channel{RequestMax: 4096, ReplyMax: 4096, KeptMax: 1024, Ops: 8, Slots: 4}
	_, st = r.CreateSession(&Create{Client: e.Client, Seqid: e.Seqid, Fore: channel,
		Principal: Principal{Flavor: 1}})
	require.Equal(r.t, OK, st)
	return r.Table.client(e.Client)
}

func before(name string, minor uint8) Record {
	return Record{Owner: name, Verifier: Verifier{1}, Principal: Principal{Flavor: 1}, Minor: minor,
		Complete: true}
}

func TestWithoutClientsOfBeforeThereIsNoGrace(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Store = &shelf{} })
	require.NoError(t, r.Recover())
	require.False(t, r.InGrace())
}

func TestGraceEndsWhenAllOfBeforeHaveReclaimed(t *testing.T) {
	s := &shelf{before: []Record{before("a", 1), before("b", 1)}}
	r := newRig(t, func(c *Config) { c.Store = s })
	require.NoError(t, r.Recover())
	require.True(t, r.InGrace())
	a, b, c := r.confirmedAs("a", 1), r.confirmedAs("b", 2), r.confirmedAs("c", 1)
	require.True(t, a.MayReclaim())
	require.True(t, b.MayReclaim(), "also when it was started anew meanwhile")
	require.False(t, c.MayReclaim())
	for _, x := range []*Client{a, c, a} {
		r.ReclaimComplete(x, false)
		require.True(t, r.InGrace(), "b is not done")
	}
	require.Equal(t, OK, r.ReclaimComplete(b, true))
	require.True(t, r.InGrace(), "it has said something of one file system only")
	require.Equal(t, OK, r.ReclaimComplete(b, false))
	require.False(t, r.InGrace())
	require.Equal(t, 1, s.ended)
	require.False(t, a.MayReclaim())
}

func TestAClientThatGoesIsNotWaitedFor(t *testing.T) {
	s := &shelf{before: []Record{before("a", 1)}}
	r := newRig(t, func(c *Config) { c.Store = s })
	require.NoError(t, r.Recover())
	a := r.confirmedAs("a", 1)
	for len(a.sessions) > 0 {
		require.Equal(t, OK, r.DestroySession(a.sessions[0].ID(), 0))
	}
	require.Equal(t, OK, r.DestroyClient(a.ID()))
	require.False(t, r.InGrace())
}

func TestGraceLastsALeaseUnlessToldOtherwise(t *testing.T) {
	s := &shelf{before: []Record{before("a", 0), before("b", 1)}}
	r := newRig(t, func(c *Config) { c.Store = s })
	require.NoError(t, r.Recover())
	b := r.confirmedAs("b", 1)
	require.Equal(t, OK, r.ReclaimComplete(b, false))
	require.True(t, r.InGrace(), "clients of 4.0 never say that they are done")
	r.clock.Add(r.LeaseSeconds() - 1)
	r.Sweep()
	require.True(t, r.InGrace())
	r.clock.Add(1)
	s.fails = true
	r.Sweep()
	require.True(t, r.InGrace(), "as long as the store is not told")
	s.fails = false
	r.Sweep()
	require.False(t, r.InGrace())
	require.Equal(t, 1, s.ended)
}

func TestGraceGoesOnWhileSomebodyReclaims(t *testing.T) {
	r := newRig(t, func(c *Config) { c.LeaseSeconds, c.Store = 40, &shelf{before: []Record{before("a", 0)}} })
	require.NoError(t, r.Recover())
	pass := func(seconds uint32) bool {
		r.clock.Add(seconds)
		r.Sweep()
		return r.InGrace()
	}
	r.ExtendGrace()
	require.True(t, pass(39), "39 s")
	r.ExtendGrace()
	require.True(t, pass(9), "48 s")
	require.False(t, pass(1), "a quarter of a lease after the last one")

	r = newRig(t, func(c *Config) { c.LeaseSeconds, c.Store = 40, &shelf{before: []Record{before("a", 0)}} })
	require.NoError(t, r.Recover())
	for range 15 {
		require.True(t, pass(5))
		r.ExtendGrace()
	}
	require.True(t, pass(4), "79 s")
	r.ExtendGrace()
	require.False(t, pass(1), "two leases are the end")
}

func TestGraceMayLastLongerThanALease(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Store = &shelf{before: []Record{before("a", 0)}}
		c.GraceSeconds = 100
	})
	require.NoError(t, r.Recover())
	require.EqualValues(t, 45, r.LeaseSeconds())
	r.pass(99)
	r.Sweep()
	require.True(t, r.InGrace())
	r.pass(1)
	r.Sweep()
	require.False(t, r.InGrace())
}

func TestSomebodyElseByTheNameDoesNotReclaim(t *testing.T) {
	other := before("a", 1)
	other.Principal.UID = 7
	r := newRig(t, func(c *Config) { c.Store = &shelf{before: []Record{other, before("b", 0)}} })
	require.NoError(t, r.Recover())
	require.False(t, r.confirmedAs("a", 1).MayReclaim())
	require.False(t, r.confirmedAs("b", 1).MayReclaim(), "what 4.0 held is not 4.1's")
}

func TestAClientOfVersion0IsRecordedOnceBeforeItsFirstState(t *testing.T) {
	s := &shelf{fails: true}
	r := newRig(t, func(c *Config) { c.Store = s })
	id, confirm, st := r.SetClientID(&SetClient{Owner: []byte("z"), Verifier: Verifier{1}})
	require.Equal(t, OK, st)
	require.Equal(t, OK, r.ConfirmClientID(id, confirm, Principal{}))
	require.Equal(t, Delay, r.Ensure(id), "nothing is granted that could not be reclaimed")
	s.fails = false
	require.Equal(t, OK, r.Ensure(id))
	require.Contains(t, s.records, "z")
	s.fails = true
	require.Equal(t, OK, r.Ensure(id), "it is recorded")
	require.Equal(t, StaleClientID, r.Ensure(id+1))
}
