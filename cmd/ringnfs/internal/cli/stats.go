package cli

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/ringnfs/ringnfs/nfs"
)

// tellWhenAsked logs the figures of each lane whenever a signal comes from asked. The caller calls
// end at the end, which logs them once more at debug level. end first answers the signals that have
// come, and nothing is logged after it.
func tellWhenAsked(asked <-chan os.Signal, stats func() []nfs.LaneStats, log *slog.Logger) (end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-asked:
				tell(stats(), log, slog.LevelInfo)
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
			tell(stats(), log, slog.LevelInfo)
		default:
		}
		tell(stats(), log, slog.LevelDebug)
	}
}

// tell logs a line for each lane. docs/operations.md explains the words.
func tell(lanes []nfs.LaneStats, log *slog.Logger, level slog.Level) {
	for i := range lanes {
		s := &lanes[i]
		log.Log(context.Background(), level, "lane", "lane", i, "connections", s.Connections,
			"plain", s.Plain, "spliced", s.Spliced, "zero_copy", s.ZeroCopy, "copied", s.Copied,
			"pinned", s.Pinned, "pinned_most", s.PinnedMost,
			"sent_p50", s.Sent.Quantile(0.5), "sent_p99", s.Sent.Quantile(0.99),
			"acks", s.Ack.Count(), "ack_p10", s.Ack.Quantile(0.1), "ack_p50", s.Ack.Quantile(0.5), "ack_p99", s.Ack.Quantile(0.99))
	}
}
