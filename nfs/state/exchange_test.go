package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExchangeID goes through what there can be of an owner, and what EXCHANGE_ID makes of
// it: the cases of RFC 8881 section 18.35.5.
func TestExchangeID(t *testing.T) {
	const (
		nothing     = iota
		unconfirmed // by alice with verifier 1
		withSession // confirmed, by alice with verifier 1
		sessionless // confirmed, holds nothing
		holding     // confirmed, holds an open but has no session
		over        // holds an open, but its lease has ended
		version0    // confirmed by SETCLIENTID, holds an open
	)
	const same, other = true, false
	for _, tt := range []struct {
		name     string
		before   int
		verifier byte
		who      Principal
		update   bool
		want     Status
		id       bool // same: the client ID that there was
		confirms bool // EXCHGID4_FLAG_CONFIRMED_R
		survives bool // the client ID that there was is still good
	}{
		{"case 1: new owner", nothing, 1, alice, false, OK, other, false, false},
		{"case 2: once more", withSession, 1, alice, false, OK, same, true, true},
		{"case 2: once more, without a session", sessionless, 1, alice, false, OK, same, true, true},
		{"case 3: other principal, session", withSession, 1, mario, false, ClidInUse, other, false, true},
		{"case 3: other principal and verifier, session", withSession, 2, mario, false, ClidInUse,
			other, false, true},
		{"case 3: other principal, open", holding, 1, mario, false, ClidInUse, other, false, true},
		{"case 3: other principal, holds nothing", sessionless, 1, mario, false, OK, other, false, false},
		{"case 3: other principal and verifier, holds nothing", sessionless, 2, mario, false, OK,
			other, false, false},
		{"case 3: other principal, lease over", over, 1, mario, false, OK, other, false, false},
		{"case 3: other principal, version 4.0", version0, 1, mario, false, ClidInUse, other, false, true},
		{"case 4: same again", unconfirmed, 1, alice, false, OK, other, false, false},
		{"case 4: other verifier", unconfirmed, 2, alice, false, OK, other, false, false},
		{"case 4: other principal", unconfirmed, 1, mario, false, OK, other, false, false},
		{"case 4: both", unconfirmed, 2, mario, false, OK, other, false, false},
		{"case 5: client restart", withSession, 2, alice, false, OK, other, false, true},
		{"case 5: from version 4.0 on", version0, 1, alice, false, OK, other, false, true},
		{"case 6: update", withSession, 1, alice, true, OK, same, true, true},
		{"case 7: update of nothing", nothing, 1, alice, true, NoEnt, other, false, false},
		{"case 7: update of what is not confirmed", unconfirmed, 1, alice, true, NoEnt, other, false, true},
		{"case 7: by another verifier", unconfirmed, 2, alice, true, NoEnt, other, false, true},
		{"case 7: by another principal", unconfirmed, 1, mario, true, NoEnt, other, false, true},
		{"case 7: update of version 4.0", version0, 1, alice, true, NoEnt, other, false, true},
		{"case 8: update with another verifier", withSession, 2, alice, true, NotSame, other, false, true},
		{"case 8: and another principal", withSession, 2, mario, true, NotSame, other, false, true},
		{"case 9: update by another principal", withSession, 1, mario, true, Perm, other, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			var was ClientID
			switch tt.before {
			case unconfirmed:
				e, st := r.exchange("owner", 1, alice, 0)
				require.Equal(t, OK, st)
				require.Zero(t, e.Flags&ExchangeConfirmed)
				was = e.Client
			case withSession:
				was, _ = r.client("owner", 1, alice)
			case sessionless, holding, over:
				var s SessionID
				was, s = r.client("owner", 1, alice)
				require.Equal(t, OK, r.DestroySession(s, 0))
				if tt.before != sessionless {
					r.byID(was).Hold(1)
				}
				if tt.before == over {
					r.pass(46)
				}
			case version0:
				was = r.client0("owner", 1, alice)
				r.byID(was).Hold(1)
			}
			flags := ExchangeMovedRefer | ExchangeBindPrincipal
			if tt.update {
				flags |= ExchangeUpdate
			}
			e, st := r.exchange("owner", tt.verifier, tt.who, flags)
			require.Equal(t, tt.want, st)
			if st == OK {
				require.Equal(t, tt.id, e.Client == was)
				require.Equal(t, tt.confirms, e.Flags&ExchangeConfirmed != 0)
				require.NotZero(t, e.Flags&ExchangeNonPNFS, "one of USE_* is to be set")
				require.Zero(t, e.Flags&^(ExchangeNonPNFS|ExchangeConfirmed))
				if !tt.confirms {
					require.EqualValues(t, 1, e.Seqid)
				}
			}
			if was != 0 {
				require.Equal(t, tt.survives, r.byID(was) != nil)
			}
			r.atRest()
		})
	}
}

// client0 makes a confirmed client of version 4.0.
func (r *rig) client0(owner string, v byte, p Principal) ClientID {
	r.t.Helper()
	id, confirm, st := r.SetClientID(&SetClient{Owner: []byte(owner), Verifier: verifier(v), Principal: p})
	require.Equal(r.t, OK, st)
	require.Equal(r.t, OK, r.ConfirmClientID(id, confirm, p))
	return id
}

func TestFlagsThatClientsMaySet(t *testing.T) {
	for bit := range 32 {
		flag := uint32(1) << bit
		want := Inval
		switch flag {
		case 0x1, 0x2, 0x100, 0x10000, 0x20000, 0x40000:
			want = OK
		case 0x40000000:
			want = NoEnt // there is nothing to update
		}
		r := newRig(t)
		_, st := r.exchange("owner", 1, alice, flag)
		require.Equal(t, want, st, "flag %#x", flag)
	}
}

func TestOwnersHaveUpTo1024Bytes(t *testing.T) {
	r := newRig(t)
	for n, want := range map[int]Status{0: OK, 1: OK, 1023: OK, 1024: OK, 1025: Inval} {
		_, st := r.ExchangeID(&Exchange{Owner: make([]byte, n), Principal: alice})
		require.Equal(t, want, st)
		_, _, st = r.SetClientID(&SetClient{Owner: make([]byte, n), Principal: alice})
		require.Equal(t, want, st)
	}
	r.atRest()
}

// The rule: the protection of a client ID is settled when it is confirmed. No update weakens
// or strengthens it.
func TestProtectionStaysAsItWasConfirmed(t *testing.T) {
	r := newRig(t)
	id, s := r.client("owner", 1, alice)
	for protect, want := range map[Protection]Status{
		ProtectNone: OK, ProtectMachCred: Inval, ProtectSSV: EncrAlgUnsupp, 3: Inval,
	} {
		_, st := r.ExchangeID(&Exchange{
			Owner: []byte("owner"), Verifier: verifier(1), Principal: alice,
			Flags: ExchangeUpdate, Protect: protect,
		})
		require.Equal(t, want, st)
		_, st = r.ExchangeID(&Exchange{
			Owner: []byte("another"), Verifier: verifier(1), Principal: alice, Protect: protect,
		})
		require.Equal(t, want, st)
	}
	require.NotNil(t, r.byID(id))
	require.Equal(t, OK, r.DestroySession(s, 0))
	r.atRest()
}

func TestARestartedClientKeepsItsOldSessionUntilItHasANewOne(t *testing.T) {
	r := newRig(t)
	old, s := r.client("owner", 1, alice)
	r.byID(old).Hold(3)
	e, st := r.exchange("owner", 2, alice, 0)
	require.Equal(t, OK, st)
	require.NotEqual(t, old, e.Client)

	k := new(Ticket)
	v, _ := r.Begin(&Sequence{Session: s, Seqid: 1}, k)
	require.Equal(t, First, v, "the old session works")
	k.End(nil)
	require.EqualValues(t, 3, r.byID(old).held.Load())
	was := r.byID(old)

	// Somebody else does not confirm it, and neither does a session that cannot be made.
	_, st = r.CreateSession(createArgs(e.Client, 1, mario))
	require.Equal(t, ClidInUse, st)
	bad := createArgs(e.Client, 2, alice)
	bad.Fore.ReplyMax = 0
	_, st = r.CreateSession(bad)
	require.Equal(t, TooSmall, st)
	require.NotNil(t, r.byID(old))

	_, st = r.CreateSession(createArgs(e.Client, 3, alice))
	require.Equal(t, OK, st)
	_, st = r.Begin(&Sequence{Session: s, Seqid: 2}, k)
	require.Equal(t, BadSession, st, "the old session is over")
	require.Nil(t, r.byID(old))
	require.True(t, was.Gone())
	require.Zero(t, was.held.Load(), "what the earlier incarnation held is dropped")
	require.Equal(t, 1, r.Counts().Clients)
	r.atRest()
}

func TestAnEarlierIncarnationThatSpeaksAgainEndsTheLaterOne(t *testing.T) {
	r := newRig(t)
	old, _ := r.client("owner", 1, alice)
	later, st := r.exchange("owner", 2, alice, 0)
	require.Equal(t, OK, st)
	e, st := r.exchange("owner", 1, alice, 0)
	require.Equal(t, OK, st)
	require.Equal(t, old, e.Client)
	require.EqualValues(t, 2, e.Seqid, "the next CREATE_SESSION")
	_, st = r.CreateSession(createArgs(later.Client, 1, alice))
	require.Equal(t, StaleClientID, st)
	r.atRest()
}

// The rule: who is not the client's principal changes nothing of the client's, not even a
// restart that is under way.
func TestACollisionLeavesARestartAlone(t *testing.T) {
	r := newRig(t)
	r.client("owner", 1, alice)
	later, st := r.exchange("owner", 2, alice, 0)
	require.Equal(t, OK, st)
	_, st = r.exchange("owner", 3, mario, 0)
	require.Equal(t, ClidInUse, st)
	_, st = r.CreateSession(createArgs(later.Client, 1, alice))
	require.Equal(t, OK, st)
	r.atRest()
}

func TestDestroyClient(t *testing.T) {
	r := newRig(t)
	require.Equal(t, StaleClientID, r.DestroyClient(0))

	e, _ := r.exchange("fresh", 1, alice, 0)
	require.Equal(t, OK, r.DestroyClient(e.Client), "unconfirmed")
	require.Equal(t, StaleClientID, r.DestroyClient(e.Client), "twice")

	id, s := r.client("owner", 1, alice)
	require.Equal(t, OK, r.ReclaimComplete(r.byID(id), false))
	require.Contains(t, r.store.records, "owner")
	require.Equal(t, ClientIDBusy, r.DestroyClient(id), "has a session")
	require.Equal(t, OK, r.DestroySession(s, 0))
	r.byID(id).Hold(1)
	require.Equal(t, ClientIDBusy, r.DestroyClient(id), "holds an open")
	r.byID(id).Hold(-1)
	require.Equal(t, OK, r.DestroyClient(id))
	require.Equal(t, StaleClientID, r.DestroyClient(id), "twice")
	require.NotContains(t, r.store.records, "owner")

	require.Equal(t, StaleClientID, r.DestroyClient(r.client0("v0", 1, alice)), "of version 4.0")
	r.atRest()
}
