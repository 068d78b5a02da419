package endtoend

import (
	"context"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

func TestAPortThatTheServerItselfHasIsNotAnothersFault(t *testing.T) {
	link := nfstest.NewVeth(t) // port 111 of a namespace of its own
	noLeaks(t)
	cfg := config(t, exportDir(t))
	cfg.Port, cfg.MountPort, cfg.Portmap = 2049, nfs.PortmapPort, nfs.PortmapAuto
	why := ""
	link.In(link.Server, func() error {
		s, err := nfs.New(cfg)
		if err != nil {
			return err
		}
		why = s.Info().PortmapWhy
		return s.Close()
	})
	require.Contains(t, why, "this server's own MOUNT has it")
	cfg = config(t, exportDir(t))
	cfg.Listen = []netip.Addr{netip.IPv4Unspecified(), netip.MustParseAddr("127.0.0.1")}
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "all of this machine's addresses")
}

func TestTooFewDescriptorsAreNamedWithTheRemedy(t *testing.T) {
	needRing(t)
	noLeaks(t)
	dir, state := exportDir(t), keyDir(t)
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
	open := uint64(0)
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for range entries {
		open++
	}
	failures := 0
	for more := uint64(1); more < 4096; more *= 2 {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: open + more, Max: before.Max}))
		cfg := config(t, dir)
		cfg.StateDir = state
		s, err := nfs.New(cfg)
		if err == nil {
			served := make(chan error, 1)
			go func() { served <- s.Serve(context.Background()) }()
			select {
			case <-s.Ready():
				require.NoError(t, s.Close())
				require.NoError(t, <-served)
				require.Positive(t, failures)
				return
			case err = <-served:
			}
		}
		failures++
		require.ErrorContains(t, err, "LimitNOFILE")
	}
	t.Fatal("it needs more descriptors than 2048")
}
