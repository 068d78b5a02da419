package state

import (
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
			var dropped []ClientID
			var r *rig
			r = newRig(t, func(c *Config) {
				c.ClientsMax = 1
				c.Dropped = func(id ClientID) {
					require.True(t, r.mu.TryLock(), "no lock is held")
					r.mu.Unlock()
					dropped = append(dropped, id)
				}
			})
			id, s := r.client(name, 1, alice)
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
