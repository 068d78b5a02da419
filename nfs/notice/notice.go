// Package notice bounds how often the log has lines that peers can cause, and counts the lines that
// it leaves out. Each kind of line has one [Limit], so that a flood of one kind hides no other.
package notice

import (
	"context"
	"log/slog"
	"time"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// The limit of most lines: a burst for news, then one line from time to time.
const (
	BurstDefault = 10
	EveryDefault = 10 * time.Second
)

// Limit lets a line of one kind pass from time to time. Its zero value has the defaults. Any
// goroutine may call its methods, which do not allocate.
type Limit struct {
	// Burst is how many lines may come at once, Every how long it takes until one more may
	// come. They are set before the first Take.
	Burst int
	Every time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu   futex.Mutex
	free int       // lines that may be written now; guarded by mu
	last time.Time // when free last grew, zero before the first line; guarded by mu
	left int       // lines left out since the last one; guarded by mu
}

// Take reports whether a line may be written now, and how many were left out before it.
func (l *Limit) Take() (left int, ok bool) {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	burst, every := l.Burst, l.Every
	if burst <= 0 {
		burst = BurstDefault
	}
	if every <= 0 {
		every = EveryDefault
	}
	switch t := now(); {
	case l.last.IsZero():
		l.free, l.last = burst, t
	case t.Sub(l.last) >= every:
		n := t.Sub(l.last) / every
		l.free = int(min(int64(burst), int64(l.free)+int64(n)))
		l.last = l.last.Add(n * every)
	}
	if l.free == 0 {
		l.left++
		return 0, false
	}
	l.free--
	left, l.left = l.left, 0
	return left, true
}

// Log writes a line to log if log wants lines of that level and the limit allows one now. The line
// says how many were left out before it (left_out). args is called only if the line is written.
func (l *Limit) Log(log *slog.Logger, level slog.Level, message string, args func() []any) {
	if !log.Enabled(context.Background(), level) {
		return
	}
	left, ok := l.Take()
	if !ok {
		return
	}
	words := args()
	if left > 0 {
		words = append(words, "left_out", left)
	}
	log.Log(context.Background(), level, message, words...)
}
