package notice

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is a writer that takes nothing while it is shut.
type gate struct {
	bytes.Buffer
	entered chan struct{} // a write waits
	open    chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 1), open: make(chan struct{})} }

func (g *gate) Write(b []byte) (int, error) {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	<-g.open
	return g.Buffer.Write(b)
}

func text(w interface{ Write([]byte) (int, error) }) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

func TestNobodyWaitsForALogThatIsNotRead(t *testing.T) {
	g := newGate()
	q := Behind(text(g))
	log := slog.New(q)
	log.Info("line", "n", 0)
	<-g.entered // the handler has the line, and hangs; the queue is empty
	for i := 1; i <= QueueMax+7; i++ {
		log.Info("line", "n", i)
	}
	require.False(t, q.Flush(0), "nothing has been written")
	close(g.open)
	require.True(t, q.Flush(time.Hour))
	lines := strings.Split(strings.TrimSpace(g.String()), "\n")
	require.Len(t, lines, 1+QueueMax+1)
	for i := range 1 + QueueMax {
		require.Equal(t, fmt.Sprintf("level=INFO msg=line n=%d", i), lines[i])
	}
	require.Equal(
		t,
		`level=WARN msg="the log was not taken in time: lines are missing here" left_out=7`,
		lines[1+QueueMax],
	)

	log.Info("again")
	require.True(t, q.Flush(time.Hour))
	require.True(
		t,
		strings.HasSuffix(g.String(), "\nlevel=INFO msg=again\n"),
		"it goes on, and the gap is told once",
	)
}

// stepper is a writer that takes one line for each step, and all once steps is closed.
type stepper struct {
	bytes.Buffer
	entered chan struct{} // a write waits
	steps   chan struct{}
}

func (s *stepper) Write(b []byte) (int, error) {
	s.entered <- struct{}{}
	<-s.steps
	return s.Buffer.Write(b)
}

// There may be room again before the line about a gap is written. Lines that come then belong to
// the gap: otherwise they would stand before the line that says that older ones are missing.
func TestNoLineOvertakesTheGapBeforeIt(t *testing.T) {
	s := &stepper{entered: make(chan struct{}, QueueMax+2), steps: make(chan struct{})}
	q := Behind(text(s))
	log := slog.New(q)
	log.Info("line", "n", 0)
	<-s.entered
	for i := 1; i <= QueueMax+1; i++ { // the last finds no room
		log.Info("line", "n", i)
	}
	s.steps <- struct{}{}
	<-s.entered // there is room for one
	log.Info("early")
	for range 10 {
		s.steps <- struct{}{}
		<-s.entered
	}
	log.Info("early")
	close(s.steps)
	require.True(t, q.Flush(time.Hour))
	lines := strings.Split(strings.TrimSpace(s.String()), "\n")
	require.Len(t, lines, 1+QueueMax+1)
	require.Equal(t, fmt.Sprintf("level=INFO msg=line n=%d", QueueMax), lines[QueueMax])
	require.Equal(
		t,
		`level=WARN msg="the log was not taken in time: lines are missing here" left_out=3`,
		lines[QueueMax+1],
	)
}

func TestALineThatWaitedIsTheSameLine(t *testing.T) {
	var b bytes.Buffer
	q := Behind(text(&b))
	log := slog.New(q)
	log.Debug("not wanted")
	log.With("a", 1).WithGroup("g").Warn("m", "b", "two words")
	log.Error("n", "error", os.ErrNotExist)
	require.True(t, q.Flush(time.Hour))
	require.Equal(
		t,
		"level=WARN msg=m a=1 g.b=\"two words\"\nlevel=ERROR msg=n error=\"file does not exist\"\n",
		b.String(),
	)
	require.False(t, q.Enabled(context.Background(), slog.LevelDebug))
	require.Same(t, q, Behind(q), "one queue is enough, and keeps the order")
}
