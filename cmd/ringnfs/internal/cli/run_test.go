package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// scripted is an engine that does what the test tells it to.
type scripted struct {
	end   chan error // what Serve returns
	ready chan struct{}
	drain func(context.Context) error
}

func newScripted() *scripted {
	return &scripted{end: make(chan error, 1), ready: make(chan struct{})}
}

func (s *scripted) Serve(context.Context) error     { return <-s.end }
func (s *scripted) Ready() <-chan struct{}          { return s.ready }
func (s *scripted) Drain(ctx context.Context) error { return s.drain(ctx) }

func run(t *testing.T, s *scripted, signals <-chan os.Signal, drain, hang time.Duration) error {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	return runEngine(
		s,
		signals,
		drain,
		hang,
		slog.New(slog.DiscardHandler),
		func() { t.Error("it has not started") },
	)
}

func TestItIsSaidOnceThatTheServerHasStarted(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s, signals := newScripted(), make(chan os.Signal, 2)
	said := 0
	s.drain = func(context.Context) error { s.end <- nil; return nil }
	close(s.ready)
	require.NoError(t, runEngine(s, signals, time.Hour, time.Hour, slog.New(slog.DiscardHandler), func() {
		said++
		signals <- syscall.SIGTERM
	}))
	require.Equal(t, 1, said)
}

func TestASignalIsHeardWhileNobodyReadsThatTheServerHasStarted(t *testing.T) {
	s, signals, read := newScripted(), make(chan os.Signal, 2), make(chan struct{})
	t.Cleanup(func() { close(read); goleak.VerifyNone(t) })
	s.drain = func(context.Context) error { s.end <- nil; return nil }
	close(s.ready)
	require.NoError(t, runEngine(s, signals, time.Hour, time.Hour, slog.New(slog.DiscardHandler), func() {
		signals <- syscall.SIGTERM
		<-read
	}))
}

func TestASignalDrainsAndIsASuccess(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s, signals := newScripted(), make(chan os.Signal, 2)
		s.drain = func(context.Context) error { s.end <- nil; return nil }
		signals <- sig
		require.NoError(t, run(t, s, signals, time.Hour, time.Hour))
	}
}

func TestASecondSignalDoesNotWaitForTheDrain(t *testing.T) {
	s, signals := newScripted(), make(chan os.Signal, 2)
	release := make(chan struct{})
	s.drain = func(context.Context) error {
		signals <- syscall.SIGTERM
		<-release
		return nil
	}
	signals <- syscall.SIGINT
	err := run(t, s, signals, time.Hour, time.Hour)
	var end killed
	require.ErrorAs(t, err, &end)
	assert.Equal(t, 128+15, end.code)
	close(release)
	s.end <- nil
}

func TestAClosedTerminalDrainsHoweverOftenItSaysSo(t *testing.T) {
	s, signals := newScripted(), make(chan os.Signal) // each is taken
	s.drain = func(context.Context) error {
		signals <- syscall.SIGHUP
		signals <- syscall.SIGHUP
		s.end <- nil
		return nil
	}
	go func() { signals <- syscall.SIGHUP }()
	require.NoError(t, run(t, s, signals, time.Hour, time.Hour))
}

func TestAPeerThatDoesNotReadIsDroppedAndTheDrainASuccess(t *testing.T) {
	s, signals := newScripted(), make(chan os.Signal, 2)
	s.drain = func(ctx context.Context) error { <-ctx.Done(); s.end <- nil; return ctx.Err() }
	signals <- syscall.SIGTERM
	require.NoError(t, run(t, s, signals, time.Millisecond, time.Hour))
}

func TestACallThatNeverEndsDoesNotKeepTheProcess(t *testing.T) {
	s, signals := newScripted(), make(chan os.Signal, 2)
	release := make(chan struct{})
	s.drain = func(context.Context) error { <-release; return nil }
	signals <- syscall.SIGTERM
	err := run(t, s, signals, time.Millisecond, time.Millisecond)
	require.ErrorAs(t, err, &failure{})
	require.ErrorContains(t, err, "stuck")
	close(release)
	s.end <- nil
}

func TestAServerThatFailsByItselfFails(t *testing.T) {
	s := newScripted()
	broken := errors.New("ring broken")
	s.end <- broken
	err := run(t, s, nil, time.Hour, time.Hour)
	require.ErrorAs(t, err, &failure{})
	require.ErrorIs(t, err, broken)
}

func TestAFailureWhileDrainingIsNotASuccess(t *testing.T) {
	s, signals := newScripted(), make(chan os.Signal, 2)
	broken := errors.New("ring broken")
	s.drain = func(context.Context) error { s.end <- broken; return nil }
	signals <- syscall.SIGTERM
	require.ErrorIs(t, run(t, s, signals, time.Hour, time.Hour), broken)
}
