package transport

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring/checks"
)

func TestStatesOfAConnectionHaveNamesAndSuccessors(t *testing.T) {
	require.Len(t, lifeNext, len(lifeNames))
	require.Len(t, outputNext, len(outputNames))
	names := map[string]bool{"": true}
	for l := lifeDealt; l <= lifeClosed; l++ {
		require.False(t, names[l.String()], l)
		names[l.String()] = true
		require.Equal(
			t,
			l == lifeClosed,
			lifeNext[l] == 0,
			"only a connection that is closed stays so: %v",
			l,
		)
		require.True(
			t,
			l == lifeClosed || l == lifeDealt || lifeNext[l]&(1<<lifeClosed|1<<lifeDead) != 0,
			"%v has no end",
			l,
		)
		if l >= lifeDead {
			require.Zero(t, lifeNext[l]&(1<<l-1), "%v comes back to life", l)
		}
	}
	for i := intakeNone; i <= intakeEnding; i++ {
		require.NotEmpty(t, i.String())
	}
	for o := outputReady; o <= outputLent; o++ {
		require.NotEmpty(t, o.String())
		require.NotZero(t, outputNext[o])
	}
}

func TestImpossibleTransitionsPanicUnderChecks(t *testing.T) {
	if !checks.Enabled {
		t.Skip("needs the build tag checks")
	}
	for _, c := range []struct{ from, to life }{
		{lifeDead, lifeOpen}, {lifeDead, lifeDead}, {lifeClosed, lifeDead}, {lifeClosed, lifeClosed}, {lifeFinishing, lifeDraining},
		{lifeDraining, lifeOpen}, {lifeDealt, lifeDead}, {lifeAsking, lifeLeaving}, {lifeOwing, lifeOpen},
	} {
		cn := newConn(nil, -1)
		cn.life = c.from
		require.Panics(t, func() { cn.become(c.to) }, "%v becomes %v", c.from, c.to)
		require.Equal(t, c.from, cn.life)
	}
	cn := newConn(nil, -1)
	require.Panics(t, func() { cn.now(outputSending) }, "nothing is in flight")
	cn.sending = 1
	require.Panics(t, func() { cn.now(outputReady) }, "something is in flight")
	cn.now(outputSending)
	require.Panics(t, func() { cn.now(outputSending) }, "there is one send at a time")
	cn.sending = 0
	cn.now(outputReady)
}
