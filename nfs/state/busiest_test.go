package state

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheClientsThatHoldMostAreToldOfFirst(t *testing.T) {
	r := newRig(t)
	require.Empty(t, r.Busiest(5))
	at := netip.MustParseAddrPort("192.0.2.1:700")
	_, st := r.ExchangeID(&Exchange{Owner: []byte("fresh"), From: at})
	require.Equal(t, OK, st)
	require.Empty(t, r.Busiest(5), "it is not confirmed")
	for i, name := range []string{"a", "b", "c"} {
		r.confirmedAs(name, byte(i)).Hold([]int{1, 0, 7}[i])
		r.pass(10)
	}
	id, confirm, st := r.SetClientID(&SetClient{Owner: []byte("old"), Verifier: Verifier{9}, From: at})
	require.Equal(t, OK, st)
	require.Equal(t, OK, r.ConfirmClientID(id, confirm, Principal{}))
	got := r.Busiest(9)
	var owners []string
	for _, x := range got {
		owners = append(owners, x.Owner)
	}
	require.Equal(t, []string{"c", "a", "old", "b"}, owners)
	require.Equal(t, Info{ID: id, Owner: "old", From: at}, got[2])
	require.Equal(t, []any{uint8(1), uint32(10), 1, int64(7), false},
		[]any{got[0].Minor, got[0].Idle, got[0].Sessions, got[0].Held, got[0].Courteous})
	require.Len(t, r.Busiest(2), 2)
	r.pass(15)
	require.False(t, r.Busiest(9)[1].Courteous, "45 s after its last word")
	r.pass(1)
	require.True(t, r.Busiest(9)[1].Courteous)
}

func TestAClientIsWhereItHasLastSaidItsName(t *testing.T) {
	r := newRig(t)
	c := r.confirmedAs("a", 1)
	at := netip.MustParseAddrPort("192.0.2.2:800")
	_, st := r.ExchangeID(&Exchange{
		Owner: []byte("a"), Verifier: Verifier{1}, Principal: Principal{Flavor: 1}, From: at,
	})
	require.Equal(t, OK, st)
	require.Equal(t, at, r.Busiest(1)[0].From)
	require.Equal(t, c.ID(), r.Busiest(1)[0].ID)
}
