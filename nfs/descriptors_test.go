package nfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionsLeaveDescriptorsForFiles(t *testing.T) {
	for _, limit := range []uint64{64, 400, 1024, 20000, 1 << 20, 1 << 40} {
		for _, exports := range []int{1, 8} {
			caches, connections := descriptors(limit, exports)
			require.Positive(t, caches)
			require.Positive(t, connections)
			used := uint64(caches*exports + connections)
			require.LessOrEqual(t, used+min(limit/8, 512), limit, "limit %d, %d exports", limit, exports)
		}
	}
}
