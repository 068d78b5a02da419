package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATableNeedsAClockRandomnessAndNumbers(t *testing.T) {
	now := func() uint32 { return 0 }
	require.Panics(t, func() { New(Config{Random: failing{}}) })
	require.Panics(t, func() { New(Config{Now: now}) })
	require.Panics(t, func() {
		New(Config{Now: now, Random: failing{}, ClientsMax: 1<<20 - 1, UnconfirmedMax: 1})
	})
	require.EqualValues(t, 45, New(Config{Now: now, Random: failing{}}).LeaseSeconds())
}

func TestWhatIsToldOfClientsAndSessions(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.LeaseSeconds = 90
		c.Server = Server{Minor: 1, Major: []byte("major"), Scope: []byte("scope")}
	})
	require.Equal(t, Server{Minor: 1, Major: []byte("major"), Scope: []byte("scope")}, r.Server())
	require.EqualValues(t, 90, r.LeaseSeconds())
	s := r.session(linuxFore)
	k := new(Ticket)
	require.Nil(t, k.Session())
	v, _ := r.Begin(request(s, 1), k)
	require.Equal(t, First, v)
	require.Same(t, s, k.Session())
	c := s.Client()
	require.Equal(t, "client", c.Owner())
	require.Equal(t, alice, c.Principal())
	require.EqualValues(t, 1, c.Minor())
	require.Same(t, c, r.byID(c.ID()))
	require.EqualValues(t, 64, s.Fore().Slots)
	require.EqualValues(t, 16, s.Back().Slots)
	require.Equal(t, Counts{
		Clients: 1, Sessions: 1, SlotsBusy: 1, Bytes: int64(s.bytes() + groupBytes),
	}, r.Counts())
	k.End(nil)
	require.False(t, c.Gone())
	r.atRest()
}
