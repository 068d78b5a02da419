package uring

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTooMuchMemoryIsRefusedWithTheRemedy(t *testing.T) {
	_, err := Map(1 << 60) // no address space is that large
	require.ErrorIs(t, err, ErrMemory)
	require.ErrorContains(t, err, "RLIMIT_AS")
}
