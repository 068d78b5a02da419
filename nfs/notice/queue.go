package notice

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// QueueMax is how many lines wait at most for a handler that does not take them.
	QueueMax = 1000
	// FlushMax is for how long the end of a program should wait for the last lines.
	FlushMax = time.Second
)

// Queue is a [slog.Handler] that hands lines on to another one in a goroutine of its own,
// so that whoever writes a line never waits: standard error may be a pipe that nobody
// reads, a terminal that has been stopped, or a file on a disc that hangs. Lines keep
// their order. When [QueueMax] of them wait, further ones are left out; a line says how
// many when the other handler moves again.
//
// The goroutine runs while there are lines, so that a Queue needs no end; [Queue.Flush]
// waits for the last of them. The methods may be called from any goroutine. Handle keeps
// what the attributes refer to until it is written.
type Queue struct {
	to    slog.Handler
	lines *lines // shared with what WithAttrs and WithGroup return
}

// lines is what waits.
type lines struct {
	base slog.Handler // says how many are missing

	mu   sync.Mutex
	list []line        // guarded by mu
	lost int           // lines left out since the last that was told; guarded by mu
	idle chan struct{} // closed when the goroutine ends, nil when there is none; guarded by mu
}

type line struct {
	to     slog.Handler
	record slog.Record
}

// Behind returns a handler that writes to to and never waits for it. A Queue is returned
// as it is.
func Behind(to slog.Handler) *Queue {
	if q, ok := to.(*Queue); ok {
		return q
	}
	return &Queue{to: to, lines: &lines{base: to}}
}

// Enabled implements [slog.Handler]: it asks the other handler, which must not block here.
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

// Flush waits until all lines are written, but for longest at most, and reports whether
// they are.
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

// runWrite writes what waits, and ends when that is nothing.
func (l *lines) runWrite() {
	ctx := context.Background()
	for {
		next, ok := l.next()
		if !ok {
			return
		}
		if next.to.Enabled(ctx, next.record.Level) {
			_ = next.to.Handle(ctx, next.record) // there is nobody to tell, as ever with slog
		}
	}
}

// next takes the oldest line. A gap is told where it is, behind all lines that came before
// it. It ends when half of them are written: were it as soon as there is room, a log that
// is slow would be full of such lines.
func (l *lines) next() (next line, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) > 0 {
		next = l.list[0]
		l.list[0] = line{} // what it refers to is free
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

// gap is the line for what is missing. The caller holds mu.
func (l *lines) gap() slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "the log was not taken in time: lines are missing here", 0)
	r.AddAttrs(slog.Int("left_out", l.lost))
	l.lost = 0
	return r
}
