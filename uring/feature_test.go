package uring

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func TestEveryFeatureCanBeSwitchedOff(t *testing.T) {
	for f := Feature(1); f < featureEnd; f <<= 1 {
		t.Run(f.String(), func(t *testing.T) {
			r := newRing(t, Config{Without: f})
			require.False(t, r.Features().Has(f))
			s := r.Features().State(f)
			if s.Presence == Missing {
				t.Skipf("kernel feature %v: %s", f, s.Reason)
			}
			require.Equal(t, Disabled, s.Presence)
			require.Equal(t, "switched off", s.Reason)
			ok(t, r, (*SQE).PrepNop)
		})
	}
	r := newRing(t, Config{Without: SingleIssuer})
	require.Equal(t, FeatureState{DeferTaskrun, Disabled, "useless without SINGLE_ISSUER"},
		r.Features().State(DeferTaskrun))
	if s := r.Features().State(NoSQArray); s.Presence != Missing {
		require.Equal(t, Found, s.Presence)
	}
	n := 0
	for s := range r.Features().All() {
		require.NotEmpty(t, s.Feature.String())
		require.NotEmpty(t, s.Feature.Since())
		require.Equal(t, s.Presence == Found, s.Reason == "")
		n++
	}
	require.Equal(t, len(featureText), n)
}

func TestRingsBeyondTheRegisteredOnesStillWork(t *testing.T) {
	first := newRing(t, Config{})
	need(t, first, RegisteredRing)
	last := first
	for range 17 {
		last = newRing(t, Config{Entries: 1})
	}
	require.Equal(t, Missing, last.Features().State(RegisteredRing).Presence)
	ok(t, last, (*SQE).PrepNop)
}

// refusing is a kernel that does not know these set-up flags.
func refusing(flags uint32) setupFunc {
	return func(entries uint32, p *abi.Params) (int, unix.Errno) {
		if p.Flags&flags != 0 {
			return -1, unix.EINVAL
		}
		return sysSetup(entries, p)
	}
}

func TestUnknownSetupFlagIsDroppedAndRecorded(t *testing.T) {
	k, err := probeFresh(refusing(abi.SetupNoSQArray))
	require.NoError(t, err)
	require.Equal(t, FeatureState{NoSQArray, Missing, "needs Linux 6.6"}, k.features.State(NoSQArray))
	require.True(t, k.features.Has(SingleIssuer|DeferTaskrun))
	require.Equal(t, "missing", Missing.String())
}

func TestKernelBelowTheFloorIsRefused(t *testing.T) {
	_, err := probeFresh(refusing(abi.SetupNoSQArray | abi.SetupDeferTaskrun))
	require.ErrorIs(t, err, ErrKernelOld)
	require.ErrorContains(t, err, "run Linux 6.1 or later")
	_, err = probeFresh(func(uint32, *abi.Params) (int, unix.Errno) { return -1, unix.ENOMEM })
	require.ErrorIs(t, err, ErrMemory)
}

func TestSetsOfFeaturesHaveNames(t *testing.T) {
	require.Equal(t, "SINGLE_ISSUER+SEND_ZC", (SingleIssuer | SendZC).String())
	require.Empty(t, Feature(0).String())
}
