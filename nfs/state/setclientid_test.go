package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func setArgs(owner string, v byte, p Principal, program uint32) *SetClient {
	return &SetClient{
		Owner: []byte(owner), Verifier: verifier(v), Principal: p,
		Callback: Callback0{Program: program, NetID: "tcp", Addr: "192.0.2.1.8.1"},
	}
}

// TestSetClientID goes through the cases of RFC 7530 section 16.33.5. {v, x, c, k, s} there
// is verifier, owner, client ID, callback, confirm verifier.
func TestSetClientID(t *testing.T) {
	const (
		nothing = iota
		unconfirmed
		isConfirmed
		holding
		both // confirmed, and an unconfirmed one of a restart with verifier 3
		over // holding, but the lease has ended
		minor1
	)
	for _, tt := range []struct {
		name   string
		before int
		v      byte
		who    Principal
		want   Status
		same   bool // the client ID of the confirmed record
	}{
		{"none for the owner", nothing, 1, alice, OK, false},
		{"an unconfirmed one is replaced", unconfirmed, 1, alice, OK, false},
		{"by another verifier as well", unconfirmed, 2, alice, OK, false},
		{"by another principal as well", unconfirmed, 1, mario, OK, false},
		{"a callback is changed", isConfirmed, 1, alice, OK, true},
		{"a callback of one that holds opens is changed", holding, 1, alice, OK, true},
		{"a callback is changed while a restart is unconfirmed", both, 1, alice, OK, true},
		{"a restart", isConfirmed, 2, alice, OK, false},
		{"a restart of one that holds opens", holding, 2, alice, OK, false},
		{"a restart after an unconfirmed one", both, 2, alice, OK, false},
		{"the same restart again", both, 3, alice, OK, false},
		{"another principal, nothing is held", isConfirmed, 1, mario, OK, false},
		{"another principal", holding, 1, mario, ClidInUse, false},
		{"another principal and verifier", holding, 2, mario, ClidInUse, false},
		{"another principal, lease over", over, 1, mario, OK, false},
		{"an owner that speaks 4.1", minor1, 1, alice, ClidInUse, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			var was, restart ClientID
			switch tt.before {
			case unconfirmed:
				was, _, _ = r.SetClientID(setArgs("owner", 1, alice, 7))
			case isConfirmed, holding, both, over:
				was = r.client0("owner", 1, alice)
				if tt.before != isConfirmed {
					r.byID(was).Hold(1)
				}
				if tt.before == both {
					restart, _, _ = r.SetClientID(setArgs("owner", 3, alice, 7))
				}
				if tt.before == over {
					r.pass(46)
				}
			case minor1:
				was, _ = r.client("owner", 1, alice)
			}
			id, confirm, st := r.SetClientID(setArgs("owner", tt.v, tt.who, 8))
			require.Equal(t, tt.want, st)
			if restart != 0 {
				require.Nil(t, r.byID(restart), "an unconfirmed record is replaced")
			}
			require.Equal(t, was != 0 && tt.before != unconfirmed, r.byID(was) != nil)
			if st == OK {
				require.Equal(t, tt.same, id == was)
				require.NotZero(t, confirm)
				require.Equal(t, OK, r.ConfirmClientID(id, confirm, tt.who))
				require.EqualValues(t, 8, r.byID(id).Callback0().Program)
				require.Equal(t, 1, r.Counts().Clients)
			}
			r.atRest()
		})
	}
}

// TestConfirmClientID goes through the cases of RFC 7530 section 16.34.5.
func TestConfirmClientID(t *testing.T) {
	r := newRig(t)
	require.Equal(t, StaleClientID, r.ConfirmClientID(0, Verifier{}, alice))

	id, confirm, _ := r.SetClientID(setArgs("owner", 1, alice, 7))
	require.Equal(t, StaleClientID, r.ConfirmClientID(id, Verifier{1}, alice), "another verifier")
	require.Equal(t, ClidInUse, r.ConfirmClientID(id, confirm, mario), "another principal")
	require.Equal(t, OK, r.ConfirmClientID(id, confirm, alice))
	require.Equal(t, OK, r.ConfirmClientID(id, confirm, alice), "again")
	require.Equal(t, ClidInUse, r.ConfirmClientID(id, confirm, mario), "again by another principal")

	// A change of the callback. What the client holds survives it.
	r.byID(id).Hold(5)
	c := r.byID(id)
	same, second, _ := r.SetClientID(setArgs("owner", 1, alice, 8))
	require.Equal(t, id, same)
	require.NotEqual(t, confirm, second)
	require.EqualValues(t, 7, c.Callback0().Program, "only confirmation changes it")
	require.Equal(t, OK, r.ConfirmClientID(id, confirm, alice), "the first one again")
	require.EqualValues(t, 7, c.Callback0().Program)
	require.Equal(t, ClidInUse, r.ConfirmClientID(id, second, mario))
	require.EqualValues(t, 7, c.Callback0().Program)
	require.Equal(t, OK, r.ConfirmClientID(id, second, alice))
	require.EqualValues(t, 8, c.Callback0().Program)
	require.Equal(t, OK, r.ConfirmClientID(id, second, alice), "again")
	require.Equal(t, StaleClientID, r.ConfirmClientID(id, confirm, alice), "the first one is over")
	require.Same(t, c, r.byID(id))
	require.EqualValues(t, 5, c.held.Load(), "an open outlives SETCLIENTID")

	// A restart: what was held goes with its confirmation.
	later, third, _ := r.SetClientID(setArgs("owner", 2, alice, 9))
	require.NotEqual(t, id, later)
	require.Equal(t, OK, r.Renew(id))
	require.EqualValues(t, 5, c.held.Load())
	require.Equal(t, OK, r.ConfirmClientID(later, third, alice))
	require.Zero(t, c.held.Load())
	require.Equal(t, StaleClientID, r.Renew(id))
	require.Equal(t, StaleClientID, r.ConfirmClientID(id, second, alice))
	require.Equal(t, OK, r.Renew(later))
	r.atRest()
}

// The rule: who has come to hold something between SETCLIENTID of another principal and its
// confirmation keeps it.
func TestConfirmationLooksAgainWhoHasTheName(t *testing.T) {
	r := newRig(t)
	id := r.client0("owner", 1, alice)
	foreign, confirm, st := r.SetClientID(setArgs("owner", 1, mario, 7))
	require.Equal(t, OK, st)
	r.byID(id).Hold(1)
	require.Equal(t, ClidInUse, r.ConfirmClientID(foreign, confirm, mario))
	require.Equal(t, OK, r.Renew(id))
	r.atRest()
}

func TestRenew(t *testing.T) {
	r := newRig(t)
	require.Equal(t, StaleClientID, r.Renew(0))
	fresh, _, _ := r.SetClientID(setArgs("fresh", 1, alice, 7))
	require.Equal(t, StaleClientID, r.Renew(fresh), "unconfirmed")
	minor1, _ := r.client("minor1", 1, alice)
	require.Equal(t, StaleClientID, r.Renew(minor1), "of version 4.1")

	id := r.client0("owner", 1, alice)
	c := r.byID(id)
	c.Hold(1)
	r.pass(40)
	require.Equal(t, OK, r.Renew(id))
	r.pass(40)
	require.False(t, c.Courteous())
	require.False(t, r.Expire(c))
	r.pass(6)
	require.True(t, c.Courteous())
	require.Equal(t, OK, r.Renew(id), "nobody needed what it holds")
	require.False(t, c.Courteous())
	require.False(t, r.Expire(c), "it has come back")

	// The rule: a client that slept is told EXPIRED, but not for ever.
	r.pass(46)
	require.True(t, r.Expire(c))
	require.False(t, r.Expire(c), "once")
	require.Zero(t, c.held.Load())
	require.True(t, c.Gone())
	for range 45 {
		require.Equal(t, Expired, r.Renew(id))
		r.pass(1)
		r.Sweep()
	}
	require.Equal(t, Expired, r.Renew(id))
	r.pass(1)
	r.Sweep()
	require.Equal(t, StaleClientID, r.Renew(id))
	r.atRest()
}

func TestAClientWhoseStateWasTakenBeginsAnew(t *testing.T) {
	for _, who := range []Principal{alice, mario} {
		r := newRig(t)
		id := r.client0("owner", 1, alice)
		r.byID(id).Hold(1)
		r.pass(46)
		require.True(t, r.Expire(r.byID(id)))
		later, confirm, st := r.SetClientID(setArgs("owner", 1, who, 7)) // the same incarnation
		require.Equal(t, OK, st)
		require.NotEqual(t, id, later)
		require.Equal(t, StaleClientID, r.ConfirmClientID(id, confirm, alice))
		require.Equal(t, OK, r.ConfirmClientID(later, confirm, who))
		require.Equal(t, OK, r.Renew(later))
		require.Equal(t, StaleClientID, r.Renew(id))
		r.atRest()
	}
}
