package cli

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ringnfs/ringnfs/nfs"
)

func TestASignalEndsAStartThatHangs(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	release := make(chan struct{})
	defer close(release)
	signals := make(chan os.Signal, 1)
	_, err := startHeeding(signals, func() (*nfs.Server, error) {
		signals <- syscall.SIGTERM
		<-release
		return nil, nil
	})
	var end killed
	require.ErrorAs(t, err, &end)
	require.Equal(t, 128+15, end.code)
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	_, err := startHeeding(nil, func() (*nfs.Server, error) { return nil, os.ErrPermission })
	require.ErrorIs(t, err, os.ErrPermission)
}
