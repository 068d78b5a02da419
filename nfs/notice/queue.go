package notice

import (
	"context"
	"log/slog"
	"time"

	"github.com/ringnfs/ringnfs/uring/futex"
)

const (
	// QueueMax is how many lines wait at most for a handler that is slow or stands still.
	QueueMax = 1000
	// FlushMax is how long the end of a program should wait for the last lines.
	FlushMax = time.Second
)

// Queue is a [slog.Handler] that passes lines to another handler in a goroutine of its own. So the
// writer of a line never waits, although standard error may be a pipe that nobody reads, a terminal
// that has been stopped, or a file on a disc that hangs. Lines keep their order. When [QueueMax]
// lines wait, the Queue leaves out further ones; a line says how many when the other handler moves
// again.
//
// The goroutine, runWrite, runs while there are lines, so a Queue needs no end; [Queue.Flush] waits
// for the last line. Any goroutine may call the methods. Handle keeps what the attributes refer to
// until the line is written.
type Queue struct {
	to    slog.Handler
	lines *lines // shared with the results of WithAttrs and WithGroup
}

// lines are the lines that wait.
type lines struct {
	base slog.Handler // says how many are missing

	mu   futex.Mutex
	list []line        // guarded by mu
	lost int           // lines left out since the last line that told; guarded by mu
	idle chan struct{} // closed when the goroutine ends, nil without one; guarded by mu
}

type line struct {
	to     slog.Handler
	record slog.Record
}

// Behind returns a handler that writes to the handler to and never waits for it. If to is a Queue,
// Behind returns to.
func Behind(to slog.Handler) *Queue {
	if q, ok := to.(*Queue); ok {
		return q
	}
	return &Queue{to: to, lines: &lines{base: to}}
}

// Enabled implements [slog.Handler]. It asks the other handler, whose Enabled must not block.
func (q *Queue) Enabled(ctx context.Context, level slog.Level) bool { return q.to.Enabled(ctx, level) }

// Handle implements [slog.Handler]. It does not block, and never fails.
func (q *Queue) Handle(_ context.Context, r slog.Record) error {
	l := q.lines
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= QueueMax || l.lost > 0 {
		l.lost++
		return nil
	}
	l.list = append(l.list, line{to: q.to, record: r.Clone()})
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.runWrite()
	}
	return nil
}

// WithAttrs implements [slog.Handler].
func (q *Queue) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Queue{to: q.to.WithAttrs(attrs), lines: q.lines}
}

// WithGroup implements [slog.Handler].
func (q *Queue) WithGroup(name string) slog.Handler {
	return &Queue{to: q.to.WithGroup(name), lines: q.lines}
}

// Flush waits until all lines are written, but at most for longest. It reports whether they are.
func (q *Queue) Flush(longest time.Duration) bool {
	q.lines.mu.Lock()
	idle := q.lines.idle
	q.lines.mu.Unlock()
	if idle == nil {
		return true
	}
	end := time.NewTimer(longest)
	defer end.Stop()
	select {
	case <-idle:
		return true
	case <-end.C:
		return false
	}
}

// runWrite writes the lines that wait, and ends when there are none.
func (l *lines) runWrite() {
	ctx := context.Background()
	for {
		next, ok := l.next()
		if !ok {
			return
		}
		if next.to.Enabled(ctx, next.record.Level) {
			_ = next.to.Handle(ctx, next.record) // as always with slog, nobody hears of an error
		}
	}
}

// next takes the oldest line. The line about a gap comes in its place, behind all lines that came
// before the gap. A gap lasts until half of the lines are written. If it ended as soon as there was
// room, a slow log would be full of lines about gaps.
func (l *lines) next() (next line, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) > 0 {
		next = l.list[0]
		l.list[0] = line{} // frees what the line refers to
		l.list = l.list[1:]
		if l.lost > 0 && len(l.list) <= QueueMax/2 {
			l.list = append(l.list, line{to: l.base, record: l.gap()})
		}
		return next, true
	}
	close(l.idle)
	l.idle, l.list = nil, nil
	return line{}, false
}

// gap returns the line about what is missing. The caller holds mu.
func (l *lines) gap() slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "the log was not taken in time: lines are missing here", 0)
	r.AddAttrs(slog.Int("left_out", l.lost))
	l.lost = 0
	return r
}
