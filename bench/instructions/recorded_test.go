//go:build instructions

package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCallsCostWhatWasRecorded is the check's short form, which CI runs.
func TestCallsCostWhatWasRecorded(t *testing.T) {
	t.Chdir("../..")
	err := run(context.Background(), []string{"-check", "-short"})
	if missing(err) {
		t.Skip(err)
	}
	require.NoError(t, err)
}
