package nfs

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestOpenFilesAreSharedOutBehindWhatIsTakenInAnyCase(t *testing.T) {
	for _, limit := range []uint64{400, 512, 1024, 4096, 20000, 1 << 20, 1 << 40} {
		for _, lanes := range []int{2, 3, 11, 13, 65} {
			for _, exports := range []int{1, 8} {
				h := holders{open: 20, lanes: lanes, splice: true, workers: 32, exports: exports}
				s, err := h.share(limit)
				if limit < uint64(h.least()) {
					require.ErrorContains(t, err, "LimitNOFILE=")
					continue
				}
				require.NoError(t, err)
				pipes := 0
				if s.pipes > 0 {
					pipes = lanes * (2*s.pipes + 1)
				}
				require.GreaterOrEqual(t, s.caches, 64)
				require.GreaterOrEqual(t, s.connections, 32)
				sum := 20 + 2*lanes + 4*32 + (8+20)*exports + 24 + pipes + exports*s.caches + s.connections
				require.LessOrEqual(t, uint64(sum), limit, "%d lanes, %d exports: %+v", lanes, exports, s)
				require.LessOrEqual(t, uint64(s.expected(h)), limit)
			}
		}
	}
}

func TestPipesShrinkWithTheLimitOnOpenFiles(t *testing.T) {
	h := holders{open: 20, lanes: 3, splice: true, workers: 32, exports: 1}
	for limit, want := range map[uint64]int{h64(h): -1, 1024: 29, 4096: transport.PipesDefault} {
		s, err := h.share(limit)
		require.NoError(t, err)
		require.Equal(t, want, s.pipes, "limit %d", limit)
	}
	for more, want := range map[uint64]int{107: -1, 108: 4, 131: 4, 132: 5} { // four are worth it
		s, err := h.share(h64(h) + more)
		require.NoError(t, err)
		require.Equal(t, want, s.pipes, "%d more than the least", more)
	}
	h.splice = false
	s, err := h.share(4096)
	require.NoError(t, err)
	require.Equal(t, -1, s.pipes)
}

func h64(h holders) uint64 { return uint64(h.least()) }

// shedFS is a back end that can only close what it keeps open.
type shedFS struct {
	vfs.FS
	shed func()
}

func (fs *shedFS) Shed() { fs.shed() }

func TestAnExportThatHangsKeepsNoOtherFromClosingDescriptors(t *testing.T) {
	entered, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}, 2)
	hung := &shedFS{shed: func() { entered <- struct{}{}; <-release }}
	other := &shedFS{shed: func() { closed <- struct{}{} }}
	s := &Server{shedders: newShedders([]Export{{FS: hung}, {FS: other}})}
	s.shed()
	<-entered
	<-closed
	for s.shedders[1].running.Load() {
		runtime.Gosched()
	}
	s.shed() // the first still runs, so no second one starts
	<-closed
	close(release)
	s.shedding.Wait()
	select {
	case <-entered:
		t.Fatal("twice at once")
	default:
	}
}
