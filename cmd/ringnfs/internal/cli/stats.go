package cli

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/ringnfs/ringnfs/nfs"
)

// figures is where a server's figures come from.
type figures struct {
	lanes   func() []nfs.LaneStats
	clients func(most int) (nfs.ClientStats, bool)
	// withdrawn returns the exclusive exports that somebody else has changed.
	withdrawn func() []string
}

// tellWhenAsked logs the figures of each lane, and of the clients of version 4, whenever a signal
// comes from asked. The caller calls end at the end, which logs them once more at debug level. end
// first answers the signals that have come, and nothing is logged after it.
func tellWhenAsked(asked <-chan os.Signal, x figures, log *slog.Logger) (end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-asked:
				x.tell(log, slog.LevelInfo)
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
		select {
		case <-asked:
			x.tell(log, slog.LevelInfo)
		default:
		}
		x.tell(log, slog.LevelDebug)
	}
}

const (
	// toldMax is how many clients are told of one by one.
	toldMax = 32
	// ownerMax is how many bytes of a client's name are told.
	ownerMax = 100
)

// tell logs a line for each lane, one for all clients, and one for each of those that hold most.
// docs/operations.md explains the words.
func (x figures) tell(log *slog.Logger, level slog.Level) {
	ctx := context.Background()
	lanes := x.lanes()
	for i := range lanes {
		s := &lanes[i]
		log.Log(ctx, level, "lane", "lane", i, "connections", s.Connections,
			"plain", s.Plain, "spliced", s.Spliced, "zero_copy", s.ZeroCopy, "copied", s.Copied,
			"pinned", s.Pinned, "pinned_most", s.PinnedMost,
			"sent_p50", s.Sent.Quantile(0.5), "sent_p99", s.Sent.Quantile(0.99),
			"acks", s.Ack.Count(), "ack_p10", s.Ack.Quantile(0.1), "ack_p50", s.Ack.Quantile(0.5), "ack_p99", s.Ack.Quantile(0.99))
	}
	for _, dir := range x.withdrawn() {
		log.Log(ctx, level, "exclusive export", "dir", dir, "state", "withdrawn")
	}
	c, ok := x.clients(toldMax)
	if !ok {
		return
	}
	log.Log(ctx, level, "clients", "clients", c.Clients, "courteous", c.Courteous, "unconfirmed", c.Unconfirmed,
		"sessions", c.Sessions, "connections", c.Connections, "files", c.Files, "opens", c.Opens,
		"locks", c.Locks, "ranges", c.Ranges, "waiters", c.Waiters, "bytes", c.Bytes, "in_grace", c.InGrace,
		"told", len(c.Busiest))
	for i := range c.Busiest {
		y := &c.Busiest[i]
		version := "4.1"
		if y.Minor == 0 {
			version = "4.0"
		}
		log.Log(ctx, level, "client", "owner", y.Owner[:min(len(y.Owner), ownerMax)], "peer", y.Peer,
			"version", version, "silent", y.Idle, "courteous", y.Courteous, "sessions", y.Sessions,
			"opens", y.Opens, "locks", y.Locks, "ranges", y.Ranges)
	}
}
