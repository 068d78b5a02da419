package nfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/uring"
)

func TestWhatAKernelHasWrongIsNotUsedAndSaidWithItsReason(t *testing.T) {
	old := tryRing
	t.Cleanup(func() { tryRing = old })
	tryRing = func(without uring.Feature, _ int) ([]transport.Unfit, error) {
		require.Equal(t, uring.SendMsgZC, without)
		return []transport.Unfit{{Feature: uring.Bundle, Why: "bytes were out of order"}}, nil
	}
	state := t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700))
	require.NoError(t, os.Chmod(filepath.Dir(state), 0o700))
	s, err := New(Config{
		Exports: []Export{{Dir: "/mem", FS: memfs.New(memfs.Config{})}}, StateDir: state, Portmap: PortmapOff,
		Without: []string{uring.SendMsgZC.String()},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, uring.Bundle|uring.SendMsgZC, s.without)
	why := map[string]string{}
	for _, f := range s.Info().Features {
		if !f.On {
			why[f.Name] = f.Why
		}
	}
	require.Equal(t, "bytes were out of order", why[uring.Bundle.String()])
	require.Equal(t, "switched off", why[uring.SendMsgZC.String()])
}
