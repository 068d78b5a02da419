package iopolicy

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// limits of a machine with 4 GiB: 1 GiB, 128 MiB, 32 MiB.
var someStreaming = streamsOf(4 << 30)

func TestAStreamIsSeenHoweverItsRequestsOvertakeEachOther(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	const n = 1 << 20
	for _, start := range []uint64{0, 700 << 20} {
		for _, depth := range []int{1, 4, 16} {
			var tr track
			var waiting []uint64
			at, passed := start, uint64(0)
			for passed < 2*someStreaming.proof {
				for len(waiting) < depth {
					waiting = append(waiting, at)
					at += n
				}
				i := rng.IntN(depth)
				tr.pass(&someStreaming, waiting[i], n)
				passed += n
				waiting = append(waiting[:i], waiting[i+1:]...)
				if passed < someStreaming.proof/2 {
					require.False(t, tr.has(&someStreaming, at), "after %d MiB", passed>>20)
				}
			}
			require.True(t, tr.has(&someStreaming, at), "depth %d", depth)
			require.False(t, tr.has(&someStreaming, at+400<<20), "another place of the file")
			require.False(t, tr.has(&someStreaming, at-at/2+200<<20))
		}
	}
}

func TestFourStreamsOfOneFileAreTold(t *testing.T) {
	var tr track
	for i := range uint64(160) {
		for k := range uint64(4) {
			tr.pass(&someStreaming, k<<30+i<<20, 1<<20)
		}
	}
	for k := range uint64(4) {
		require.True(t, tr.has(&someStreaming, k<<30+160<<20), k)
	}
}

func TestRequestsHereAndThereAreNoStream(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, n := range []uint64{128 << 10, 1 << 20} {
		for _, size := range []uint64{someStreaming.size, 2 << 30, 16 << 30} {
			var tr track
			for range 20_000 {
				off := rng.Uint64N(size)
				require.False(t, tr.has(&someStreaming, off), "%d in %d", n, size)
				tr.pass(&someStreaming, off, n)
			}
		}
	}
}

func TestReadingOnePlaceAgainAndAgainIsNoStream(t *testing.T) {
	var tr track
	for i := range uint64(10_000) {
		off := i % 12 << 20
		require.False(t, tr.has(&someStreaming, off))
		tr.pass(&someStreaming, off, 1<<20)
	}
}

func TestAStreamGoesOnAmongOthersAndIsForgottenWithoutIt(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	var tr track
	const n = 1 << 20
	at := uint64(0)
	for ; at < 2*someStreaming.proof; at += n {
		tr.pass(&someStreaming, at, n)
	}
	elsewhere := func() uint64 { return 4<<30 + rng.Uint64N(64<<30) }
	for range 200 {
		require.True(t, tr.has(&someStreaming, at))
		tr.pass(&someStreaming, at, n)
		tr.pass(&someStreaming, elsewhere(), n)
		at += n
	}
	for i := 0; tr.has(&someStreaming, at); i++ {
		require.Less(t, i, 10_000)
		tr.pass(&someStreaming, elsewhere(), n)
	}
}
