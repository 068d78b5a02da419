package cli

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ringnfs/ringnfs/nfs"
)

// page is a log that can be read while it is written.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestFiguresAreLoggedWhenAskedForAndAtTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out page
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	lanes := make([]nfs.LaneStats, 2)
	lanes[0].Connections = 7
	lanes[1].ZeroCopy = 10
	lanes[1].Pinned, lanes[1].PinnedMost = 4096, 8192
	lanes[1].Ack.Counts[len(lanes[1].Ack.Counts)-1] = 10
	asked := make(chan os.Signal, 1)
	end := tellWhenAsked(asked, func() []nfs.LaneStats { return lanes }, log)
	asked <- syscall.SIGUSR1
	require.Eventually(
		t,
		func() bool { return strings.Count(out.String(), "\n") == 2 },
		2*time.Minute,
		time.Millisecond,
	)
	require.Contains(t, out.String(), "level=INFO msg=lane lane=0 connections=7 plain=0 ")
	require.Contains(
		t,
		out.String(),
		"lane=1 connections=0 plain=0 spliced=0 zero_copy=10 copied=0 pinned=4096 pinned_most=8192 sent_p50=0s ",
	)
	require.Regexp(t, `acks=10 ack_p10=2m\S+ ack_p50=2m\S+ ack_p99=2m\S+\n`, out.String())
	end()
	require.Equal(t, 2, strings.Count(out.String(), "level=DEBUG msg=lane"))
}
