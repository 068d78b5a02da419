package transport

import (
	"log/slog"
	"time"

	"github.com/ringnfs/ringnfs/nfs/notice"
)

// limits bound the log lines that peers can cause. Each kind of line has a limit of its own.
type limits struct {
	full, peerFull, userFull, guestsFull, accept, acceptDebug, still, abandoned, closed notice.Limit
}

func (l *limits) init() {
	for _, x := range []*notice.Limit{&l.full, &l.peerFull, &l.userFull, &l.guestsFull, &l.accept, &l.still} {
		x.Burst = 1 // all lines of such a kind say the same
	}
	// An administrator who asks for debugging wants to see connections, but not a flood of
	// them.
	l.closed.Burst, l.closed.Every = 1000, 10*time.Millisecond
}

// say writes a line, if the limit of its kind allows one now.
func (s *Server) say(kind *notice.Limit, level slog.Level, message string, args ...any) {
	kind.Log(s.cfg.Log, level, message, func() []any { return args })
}

// abandoned logs a call that the server itself cannot answer.
func (s *Server) abandoned(c *call, why string) {
	name := "none"
	if p := c.Procedure(); p != nil {
		name = p.Name
	}
	s.say(&s.limits.abandoned, slog.LevelError, "call abandoned", "procedure", name, "peer", c.Peer, "why", why)
}
