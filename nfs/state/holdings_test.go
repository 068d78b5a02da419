package state

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatAClientHeldIsDroppedOnce(t *testing.T) {
	const name = "owner"
	for what, end := range map[string]func(r *rig, id ClientID, s SessionID){
		"restart": func(r *rig, _ ClientID, _ SessionID) { r.client(name, 2, alice) },
		"other principal": func(r *rig, _ ClientID, _ SessionID) {
			r.pass(46)
			_, st := r.exchange(name, 1, mario, 0)
			require.Equal(r.t, OK, st)
		},
		"conflict":        func(r *rig, id ClientID, _ SessionID) { r.pass(46); require.True(r.t, r.ExpireID(id)) },
		"end of courtesy": func(r *rig, _ ClientID, _ SessionID) { r.pass(46 + 86400); r.Sweep() },
		"full table": func(r *rig, _ ClientID, _ SessionID) {
			r.pass(46)
			r.client("another", 1, alice)
		},
		"DESTROY_CLIENTID": func(r *rig, id ClientID, s SessionID) {
			r.Hold(id, -3)
			require.Equal(r.t, OK, r.DestroySession(s, 0))
			require.Equal(r.t, OK, r.DestroyClient(id))
		},
	} {
		t.Run(what, func(t *testing.T) {
			var known, dropped []ClientID
			var r *rig
			r = newRig(t, func(c *Config) {
				c.ClientsMax = 1
				c.Confirmed = func(id ClientID, minor uint8) {
					require.EqualValues(t, 1, minor)
					known = append(known, id)
				}
				c.Dropped = func(id ClientID) {
					require.True(t, r.mu.TryLock(), "no lock is held")
					r.mu.Unlock()
					dropped = append(dropped, id)
				}
			})
			id, s := r.client(name, 1, alice)
			require.Equal(t, []ClientID{id}, known)
			r.Hold(id, 3)
			require.False(t, r.Courteous(id))
			end(r, id, s)
			require.Equal(t, []ClientID{id}, dropped)
			require.True(t, r.Courteous(id), "a client that is gone is in nobody's way")
			require.True(t, r.ExpireID(id))
			r.Hold(id, 1)
			require.Equal(t, []ClientID{id}, dropped)
			r.atRest()
		})
	}
}

// The rule: a client is known before it can ask for anything, and never again once it has been
// dropped.
func TestEachClientIsConfirmedOnceAndThenDropped(t *testing.T) {
	var known sync.Map
	r := newRig(t, func(c *Config) {
		c.Confirmed = func(id ClientID, _ uint8) {
			if _, isThere := known.LoadOrStore(id, true); isThere {
				t.Error("a client is confirmed again")
			}
		}
		c.Dropped = func(id ClientID) {
			if _, isThere := known.LoadAndDelete(id); !isThere {
				t.Error("a client is dropped that was never confirmed, or for the second time")
			}
		}
	})
	var wg sync.WaitGroup
	for thread := range byte(3) {
		wg.Go(func() {
			for i := range 3000 {
				e, st := r.exchange("owner", byte(i)*3+thread, alice, 0)
				if i%10 == 0 {
					r.DestroyClient(e.Client)
				} else if st == OK {
					_, _ = r.CreateSession(createArgs(e.Client, e.Seqid, alice))
				}
			}
		})
	}
	wg.Wait()
	r.atRest()
	known.Range(func(any, any) bool {
		t.Error("a client is still known")
		return false
	})
}

func TestWhatAClientOf40HeldIsDroppedOnce(t *testing.T) {
	var dropped []ClientID
	r := newRig(t, func(c *Config) { c.Dropped = func(id ClientID) { dropped = append(dropped, id) } })
	id := r.client0("owner", 1, alice)
	r.Hold(id, 1)
	r.pass(46)
	require.True(t, r.ExpireID(id))
	r.pass(46)
	r.Sweep()
	require.Nil(t, r.byID(id))
	require.Equal(t, []ClientID{id}, dropped)
	later := r.client0("owner", 1, alice)
	last := r.client0("owner", 2, alice)
	require.Equal(t, []ClientID{id, later}, dropped)
	r.Hold(last, 1)
	r.pass(46)
	require.True(t, r.ExpireID(last))
	r.client0("owner", 2, alice)
	require.Equal(t, []ClientID{id, later, last}, dropped, "not again when the name is used again")
	r.atRest()
}

// Who is told of both ends can answer EXPIRED in between.
func TestWhatAClientOf40HeldLapsesAndIsDroppedLater(t *testing.T) {
	var lapsed, dropped []ClientID
	r := newRig(t, func(c *Config) {
		c.Lapsed = func(id ClientID) { lapsed = append(lapsed, id) }
		c.Dropped = func(id ClientID) { dropped = append(dropped, id) }
	})
	id, other := r.client0("owner", 1, alice), r.client0("other", 1, alice)
	later, _ := r.client("of 4.1", 1, alice)
	for _, c := range []ClientID{id, other, later} {
		r.Hold(c, 1)
	}
	r.pass(46)
	for _, c := range []ClientID{id, other, later} {
		require.True(t, r.ExpireID(c))
	}
	require.Equal(t, []ClientID{id, other}, lapsed)
	require.Equal(t, []ClientID{later}, dropped)
	again := r.client0("other", 2, alice)
	require.Equal(t, []ClientID{later, other}, dropped, "its name is used again")
	require.Equal(t, OK, r.Renew(again))
	require.Equal(t, Expired, r.Renew(id))
	r.pass(46)
	r.Sweep()
	require.Contains(t, dropped, id)
	require.Len(t, lapsed, 2)
	r.atRest()
}
