package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"
)

const (
	// drainMax is how long calls in flight and their replies may take after the first signal.
	// Then connections are dropped: a peer that does not read its replies must not keep the
	// server running.
	drainMax = 15 * time.Second
	// hangMax is how long the server may take to end after that. Only a server with a file
	// system that hangs needs it.
	hangMax = 10 * time.Second
)

// engine is the part of [nfs.Server] that runEngine needs.
type engine interface {
	// Serve blocks until the server has been drained or has failed, and closes
	// everything before it returns.
	Serve(ctx context.Context) error
	// Ready is closed when Serve has started everything.
	Ready() <-chan struct{}
	// Drain stops accepting, lets calls in flight end, and ends Serve. When ctx ends first,
	// Drain drops connections, and returns the reason.
	Drain(ctx context.Context) error
}

// runEngine serves until the server ends or a signal arrives. When the server has started,
// runEngine calls ready in a goroutine of its own, because ready may wait for the reader of what it
// writes. The first signal drains. A second one other than SIGHUP makes runEngine return at once,
// with the server still running, for the process to exit. runEngine blocks.
func runEngine(
	e engine,
	signals <-chan os.Signal,
	drain, hang time.Duration,
	log *slog.Logger,
	ready func(),
) error {
	served := make(chan error, 1)
	go func() { served <- e.Serve(context.Background()) }()

	starting := e.Ready()
	for draining := false; !draining; {
		select {
		case <-starting:
			starting = nil
			go ready()
		case err := <-served:
			return failed(err)
		case first := <-signals:
			log.Info(
				"draining: calls in flight are finished, a second signal ends at once",
				"signal",
				first.String(),
			)
			draining = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	hung := time.NewTimer(drain + hang)
	defer hung.Stop()
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(ctx) }()

	for {
		select {
		case err := <-served:
			errDrain := <-drained
			if errors.Is(errDrain, context.DeadlineExceeded) {
				log.Warn("connections were dropped that did not take their replies", "after", drain.String())
				errDrain = nil
			}
			if err = errors.Join(err, errDrain); err == nil {
				log.Info("drained")
			}
			return failed(err)
		case again := <-signals:
			if again == syscall.SIGHUP {
				continue // a terminal that is closed sends two: the kernel's and the shell's
			}
			return killed{code: 128 + number(again)}
		case <-hung.C:
			return failed(
				fmt.Errorf("not ended %s after the signal: a call is stuck in a file system", drain+hang),
			)
		}
	}
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

func number(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}
