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
	// drainMax bounds how long calls in flight and their replies may take after
	// the first signal. Then connections are dropped: a peer that does not read
	// its replies must not keep the server.
	drainMax = 15 * time.Second
	// hangMax is how long the server may take to end after that. Only a file
	// system that has hung needs it.
	hangMax = 10 * time.Second
)

// engine is the server as its life needs it; [nfs.Server] is one.
type engine interface {
	// Serve blocks until the server has been drained or has failed, and closes
	// everything before it returns.
	Serve(ctx context.Context) error
	// Ready is closed when Serve has started everything.
	Ready() <-chan struct{}
	// Drain stops accepting, lets calls in flight end, and ends Serve. When ctx
	// ends first it drops connections, and returns the reason.
	Drain(ctx context.Context) error
}

// runEngine serves until the server ends by itself or a signal arrives, and calls
// ready when it has started, in a goroutine of its own: ready may wait for whoever reads
// what it writes. The first signal drains; a second one other than SIGHUP returns at once, with the server
// still running, for the process to exit. It blocks.
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
