package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBindConn(t *testing.T) {
	for _, tt := range []struct {
		asked    Direction
		want     Direction // with a back channel
		wantFore Direction // without; 0 is INVAL
	}{
		{Fore, Fore, Fore}, {Back, Back, 0}, {Both, Both, Fore}, {BackOrBoth, Both, 0},
		{0, 0, 0}, {4, 0, 0}, {5, 0, 0}, {6, 0, 0}, {8, 0, 0},
	} {
		r := newRig(t)
		e, _ := r.exchange("owner", 1, alice, 0)
		with, _ := r.CreateSession(createArgs(e.Client, 1, alice))
		a := createArgs(e.Client, 2, alice)
		a.Back = Channel{}
		without, _ := r.CreateSession(a)
		for id, want := range map[SessionID]Direction{with.Session: tt.want, without.Session: tt.wantFore} {
			dir, st := r.BindConn(id, 9, tt.asked)
			s := r.sessions.At(id.index())
			require.Equal(t, want, dir)
			if want == 0 {
				require.Equal(t, Inval, st)
				require.Empty(t, s.Bindings())
				continue
			}
			require.Equal(t, OK, st)
			require.Equal(t, []Binding{{9, want}}, s.Bindings())
		}
		r.atRest()
	}
}

func TestAConnectionThatEndsIsInNoSession(t *testing.T) {
	r := newRig(t)
	_, s1 := r.client("one", 1, alice)
	_, s2 := r.client("two", 1, alice)
	for _, s := range []SessionID{s1, s2} {
		for _, conn := range []uint64{1, 2} {
			_, st := r.BindConn(s, conn, Fore)
			require.Equal(t, OK, st)
		}
	}
	require.Equal(t, 2, r.Counts().Conns)
	r.Disconnect(1)
	r.Disconnect(3)
	for _, s := range []SessionID{s1, s2} {
		require.Equal(t, []Binding{{2, Fore}}, r.sessions.At(s.index()).Bindings())
	}
	require.Equal(t, 1, r.Counts().Conns)
	require.Equal(t, OK, r.DestroySession(s1, 2))
	r.Disconnect(2)
	require.Empty(t, r.sessions.At(s2.index()).Bindings())
	require.Zero(t, r.Counts().Conns)
	r.atRest()
}

func TestASessionHas64ConnectionsAtMost(t *testing.T) {
	r := newRig(t)
	_, id := r.client("owner", 1, alice)
	s := r.sessions.At(id.index())
	_, st := r.BindConn(id, 1, Both)
	require.Equal(t, OK, st)
	for conn := range uint64(200) {
		_, st = r.BindConn(id, 100+conn, Fore)
		require.Equal(t, OK, st)
	}
	require.Len(t, s.Bindings(), 64)
	require.Equal(t, Binding{1, Both}, s.Bindings()[0], "the one for callbacks stays")
	require.Equal(t, Binding{299, Fore}, s.Bindings()[63])
	require.Equal(t, Binding{237, Fore}, s.Bindings()[1])
	require.Equal(t, 64, r.Counts().Conns)
	r.atRest()
}

// The rule: a client that cannot be called back any more is told so, until it has bound
// another connection.
func TestAClientHearsThatItCannotBeCalledBack(t *testing.T) {
	r := newRig(t)
	e, _ := r.exchange("owner", 1, alice, 0)
	var ids [2]SessionID
	for i := range ids {
		a := createArgs(e.Client, uint32(i)+1, alice)
		a.Conn, a.Flags = uint64(i)+1, CreateBackChan
		s, st := r.CreateSession(a)
		require.Equal(t, OK, st)
		ids[i] = s.Session
	}
	seqids := [2]uint32{}
	flags := func(i int) uint32 {
		seqids[i]++
		k := new(Ticket)
		v, _ := r.Begin(&Sequence{Session: ids[i], Seqid: seqids[i], Conn: 50}, k)
		require.Equal(t, First, v)
		defer k.End(nil)
		return k.StatusFlags
	}
	require.Zero(t, flags(0))
	r.Disconnect(1)
	require.EqualValues(t, 0x200, flags(0), "CB_PATH_DOWN_SESSION")
	require.Zero(t, flags(1))
	r.Disconnect(2)
	require.EqualValues(t, 0x201, flags(0), "and CB_PATH_DOWN")
	require.EqualValues(t, 0x201, flags(1))
	_, st := r.BindConn(ids[1], 50, BackOrBoth)
	require.Equal(t, OK, st)
	require.EqualValues(t, 0x200, flags(0))
	require.Zero(t, flags(1))
	require.Equal(t, OK, r.DestroySession(ids[1], 50))
	require.EqualValues(t, 0x201, flags(0))

	c := r.byID(e.Client)
	c.SetFlags(StatusRecallRevoked)
	require.EqualValues(t, 0x241, flags(0))
	c.ClearFlags(StatusRecallRevoked)
	require.EqualValues(t, 0x201, flags(0))
	r.atRest()
}

func TestAClientThatWantsNoCallbacksHearsNothingOfThem(t *testing.T) {
	r := newRig(t)
	_, id := r.client("owner", 1, alice)
	k := new(Ticket)
	_, st := r.Begin(&Sequence{Session: id, Seqid: 1, Conn: 5}, k)
	require.Equal(t, OK, st)
	k.End(nil)
	r.Disconnect(5)
	_, st = r.Begin(&Sequence{Session: id, Seqid: 2, Conn: 6}, k)
	require.Equal(t, OK, st)
	require.Zero(t, k.StatusFlags)
	k.End(nil)
	r.atRest()
}

func TestSetCallback(t *testing.T) {
	r := newRig(t)
	s := r.session(linuxFore)
	cb := Callback{Program: 0x40000000, Security: []Security{{Flavor: 1, UID: 5, Machine: "box"}}}
	require.Equal(t, OK, s.SetCallback(cb))
	require.Equal(t, cb, s.Callback())
	require.Equal(t, OK, r.DestroySession(s.ID(), 0))
	require.Equal(t, BadSession, s.SetCallback(cb))
	r.atRest()
}
