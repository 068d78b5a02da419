package cli

import (
	"bytes"
	"log/slog"
	"net/netip"
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
	var most int
	clients := nfs.ClientStats{
		Clients: 40, Courteous: 1, Unconfirmed: 2, Sessions: 3, Connections: 4, Files: 5, Opens: 6, Locks: 7,
		Ranges: 8, Waiters: 9, Bytes: 10, InGrace: true,
		Busiest: []nfs.ClientStat{
			{
				Owner: "Linux NFSv4.2 \xff" + strings.Repeat("h", 100), Peer: netip.MustParseAddrPort("192.0.2.1:700"),
				Minor: 1, Idle: 3 * time.Second, Sessions: 1, Opens: 2, Locks: 3, Ranges: 4,
			},
			{Owner: "mac", Courteous: true},
		},
	}
	end := tellWhenAsked(asked, figures{
		lanes:     func() []nfs.LaneStats { return lanes },
		clients:   func(n int) (nfs.ClientStats, bool) { most = n; return clients, true },
		withdrawn: func() []string { return []string{"/srv/shared"} },
	}, log)
	asked <- syscall.SIGUSR1
	require.Eventually(
		t,
		func() bool { return strings.Count(out.String(), "\n") == 6 },
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
	require.Contains(t, out.String(), "level=INFO msg=clients clients=40 courteous=1 unconfirmed=2 sessions=3 "+
		"connections=4 files=5 opens=6 locks=7 ranges=8 waiters=9 bytes=10 in_grace=true told=2\n")
	require.Contains(t, out.String(), "level=INFO msg=client owner=\"Linux NFSv4.2 \\xff"+strings.Repeat("h", 85)+
		"\" peer=192.0.2.1:700 version=4.1 silent=3s courteous=false sessions=1 opens=2 locks=3 ranges=4\n")
	require.Contains(t, out.String(), "level=INFO msg=\"exclusive export\" dir=/srv/shared state=withdrawn\n")
	require.Contains(t, out.String(), "owner=mac peer=\"\" version=4.0 silent=0s courteous=true")
	end()
	require.Equal(t, 32, most)
	require.Equal(t, 1, strings.Count(out.String(), "level=DEBUG msg=clients"))
	require.Equal(t, 2, strings.Count(out.String(), "level=DEBUG msg=lane"))
}

func TestAServerOfVersion3HasNoClientsToTellOf(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out page
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tellWhenAsked(nil, figures{
		lanes:     func() []nfs.LaneStats { return make([]nfs.LaneStats, 1) },
		clients:   func(int) (nfs.ClientStats, bool) { return nfs.ClientStats{}, false },
		withdrawn: func() []string { return nil },
	}, log)()
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.NotContains(t, out.String(), "client")
}
