package transport

import (
	"fmt"

	"github.com/ringnfs/ringnfs/bufring"
)

// state describes the connections for a failure. It is called on the lane's thread.
func (w *world) state() string {
	s := ""
	for i, p := range w.peers {
		s += fmt.Sprintf("peer %d: %d bytes to send, %d replies, %d missing, dealt %v killed %v reset %v\n",
			i, len(p.in), p.replies, len(p.want), p.dealt, p.killed, p.reset)
	}
	if !w.served {
		return s + "the server does not accept"
	}
	l := w.ts.srv.lanes[0]
	s += fmt.Sprintf(
		"%d buffers of %d, starved %d, slabs free %d %d %d, pinned %v, pipes free %d of %d, returned %v\n",
		l.group.Available(),
		l.group.Count(),
		len(l.starved),
		l.slabs.Free(
			bufring.Small,
		),
		l.slabs.Free(bufring.Medium),
		l.slabs.Free(bufring.Large),
		l.pinned,
		len(l.pipes.free),
		l.pipes.made,
		l.returned,
	)
	for class := range l.waiting {
		for c := l.waiting[class].head; c != nil; c = c.after {
			s += fmt.Sprintf("a call of fd %d waits for class %d\n", c.conn.fd, class)
		}
	}
	for cn := l.conns; cn != nil; cn = cn.nxt {
		s += fmt.Sprintf(
			"fd %d: %v, intake %v eof %v calls %d waiting %d unsent %d output %v sending %d zc %d batch %v spill %v "+
				"kept %d behind %v held %d listed %v ops %d\n",
			cn.fd,
			cn.life,
			cn.intake,
			cn.eof,
			cn.calls,
			cn.waiting,
			cn.unsent,
			cn.state,
			cn.sending,
			cn.zc.sends,
			cn.batch != nil,
			cn.spill != nil,
			len(cn.kept),
			cn.behind(),
			len(cn.held),
			cn.listed,
			cn.ops,
		)
	}
	return s
}

type taskFunc func()

func (f taskFunc) Run() { f() }
