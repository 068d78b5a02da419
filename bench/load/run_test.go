package load

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryWorkloadRunsAgainstAServer(t *testing.T) {
	target, _ := startServer(t)
	s := open(t, target)
	for _, text := range []string{
		"null", "getattr", "lookup", "access", "read-4k-rand", "read-64k", "read-1m", "write-4k-rand", "write-64k", "write-1m-seq",
		"mixed", "readdirplus", "create", "tree",
	} {
		for _, verify := range []bool{false, true} {
			t.Run(text+map[bool]string{true: " verified"}[verify], func(t *testing.T) {
				w, err := ParseWorkload(text, 0, false)
				require.NoError(t, err)
				res, err := s.Run(context.Background(), Job{
					Workload: w, Conns: 3, Depth: 4, Threads: 2, Time: 100 * time.Millisecond, Warmup: 20 * time.Millisecond,
					Verify: verify, ServerPIDs: []int{os.Getpid()},
				})
				require.NoError(t, err)
				require.Equal(t, verify, res.Verified)
				require.Positive(t, res.Ops)
				require.NotZero(t, res.Latency.Count)
				require.LessOrEqual(t, res.Latency.P50, res.Latency.P99)
				require.LessOrEqual(t, res.Latency.P99, res.Latency.Max)
				require.NotNil(t, res.Server)
				if w.Size > 0 {
					require.NotZero(t, res.Bytes)
				}
			})
		}
	}
}
