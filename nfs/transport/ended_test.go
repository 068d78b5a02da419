package transport

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// Connections have numbers of their own, which their calls have, and the end of each is told once.
func TestTheEndOfAConnectionIsToldByTheNumberOfItsCalls(t *testing.T) {
	over := make(chan uint64, 8)
	ts := startTest(t, func(c *Config) { c.Lanes, c.Ended = 2, func(conn uint64) { over <- conn } })
	var seen []uint64
	for range 3 {
		c := ts.dial()
		for range 2 {
			_, err := c.Write(message(7, procConn, nil))
			require.NoError(t, err)
			_, res := reply(t, c)
			seen = append(seen, binary.BigEndian.Uint64(res))
		}
		require.NoError(t, c.Close())
		require.Equal(t, seen[len(seen)-1], <-over)
	}
	require.Equal(t, []uint64{1, 1, 2, 2, 3, 3}, seen)
	require.Empty(t, over)
}
