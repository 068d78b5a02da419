package posixfs

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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

func TestDecidingOnAWayAllocatesNothing(t *testing.T) {
	fs := &FS{io: IOAuto, ioLeast: bigRequest, large: someStreaming}
	e := &entry{}
	v := &View{fs: fs}
	v.passed(e, toRead, 0, 1<<20, 8<<30) // makes what it needs
	at := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_ = fs.wayOf(e, toRead, at, 1<<20)
		v.passed(e, toRead, at, 1<<20, 128<<30)
		_ = fs.wayOf(e, toRead, 4<<30+at*7919%(64<<30), 1<<20)
		v.passed(e, toRead, 4<<30+at*7919%(64<<30), 1<<20, 128<<30)
		at += 1 << 20
	}))
	require.Equal(t, dropping, fs.wayOf(e, toRead, at, 1<<20))
	require.Equal(t, keeping, fs.wayOf(e, toWrite, at, 1<<20), "a stream of READs says nothing of WRITEs")
	require.Equal(t, keeping, fs.wayOf(e, toRead, at, bigRequest-1), "small ones never")
	small := &entry{}
	v.passed(small, toRead, 0, 1<<20, fs.large.size-1)
	require.Nil(t, small.Own.way.streams.Load(), "a file that can be kept")
}

func TestTheMemoryOfAControlGroupIsWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	put := func(path, text string) string {
		p := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
		return p
	}
	var m unix.Sysinfo_t
	require.NoError(t, unix.Sysinfo(&m))
	all := uint64(m.Totalram) * uint64(m.Unit)
	put("a/b/memory.max", "max\n")
	put("a/b/memory.high", "20000000\n")
	put("a/memory.max", "30000000\n")
	put("memory/c/memory.limit_in_bytes", "10000000\n")
	put("memory/memory.limit_in_bytes", "9223372036854771712\n")
	for own, want := range map[string]uint64{
		"0::/a/b\n":                  20_000_000,
		"0::/a\n":                    30_000_000,
		"0::/a/other\n":              30_000_000,
		"0::/\n":                     all,
		"0::/elsewhere/x\n":          all,
		"4:cpu,memory:/c/d\n0::/a\n": 10_000_000,
		"4:cpu:/c\n":                 all,
		"4:memory:/\n":               all,
		"rubbish\n\n":                all,
	} {
		require.Equal(t, want, memoryLimit(dir, put("own", own)), own)
	}
	require.Equal(t, all, memoryLimit(dir, filepath.Join(dir, "missing")))
}
