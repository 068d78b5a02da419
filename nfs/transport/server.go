package transport

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// Server runs lanes, workers and datagram sockets.
//
//	New -> Start -> Drain (or Close) ; each once
type Server struct {
	cfg      Config
	newRing  func(uring.Feature) (ring, error)
	lanes    []*lane
	queue    workQueue
	workers  sync.WaitGroup
	datagram []*datagramSocket
	udp      sync.WaitGroup
	conns    atomic.Int32
	closing  sync.Once
	done     chan struct{}
	err      error
}

// New checks the configuration. Nothing runs yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, newRing: newKernelRing, done: make(chan struct{})}
	s.queue.init()
	return s, nil
}

// Places returns how many places a server with this many lanes, workers and
// datagram sockets has: the indices that Attach is called with are below it.
func Places(lanes, workers, datagrams int) int { return lanes + workers + datagrams }

// Start makes the rings and threads and begins to serve the listeners, which it
// takes over even when it fails. When it returns nil, calls are being answered.
func (s *Server) Start(listeners []Listener) (err error) {
	defer func() {
		if err != nil {
			closeListeners(listeners)
		}
	}()
	places := 0
	for range s.cfg.Lanes {
		s.lanes = append(s.lanes, newLane(s, places))
		places++
	}
	ready := make(chan error)
	started := s.lanes[:0:0]
	for _, l := range s.lanes {
		go l.runLane(ready)
		if err := <-ready; err != nil {
			s.lanes = started
			s.finish()
			return err
		}
		started = append(started, l)
	}
	for range s.cfg.Workers {
		place := &rpc.Place{Index: places, Thread: &vfs.Thread{MayWait: true}}
		places++
		s.workers.Add(1)
		go s.runWorker(place, ready)
		if err := <-ready; err != nil {
			s.finish()
			return err
		}
	}
	for i := range listeners {
		if !listeners[i].Datagram {
			continue
		}
		d, err := openDatagram(s, &listeners[i], places)
		if err != nil {
			s.finish()
			return err
		}
		listeners[i].FD = -1
		places++
		s.datagram = append(s.datagram, d)
		s.udp.Add(1)
		go d.runDatagram(ready)
		if err := <-ready; err != nil {
			s.finish()
			return err
		}
	}
	return s.listen(listeners)
}

// listen starts to accept, on the first lane.
func (s *Server) listen(listeners []Listener) error {
	first := s.lanes[0]
	for i := range listeners {
		ln := &listeners[i]
		if ln.Datagram {
			continue
		}
		a := &acceptor{lane: first, fd: ln.FD, programs: ln.Programs}
		if err := first.loop.Post(loop.TaskFunc(func() {
			first.acceptors = append(first.acceptors, a)
			a.arm()
		})); err != nil {
			s.finish()
			return err
		}
		ln.FD = -1
	}
	return nil
}

// runWorker is a worker's goroutine.
func (s *Server) runWorker(place *rpc.Place, ready chan<- error) {
	// As in runLane, the thread ends with the goroutine.
	runtime.LockOSThread()
	defer s.workers.Done()
	if err := s.cfg.Attach(place); err != nil {
		ready <- fmt.Errorf("transport: worker: %w", err)
		return
	}
	ready <- nil
	for c := s.queue.take(); c != nil; c = s.queue.take() {
		c.Place = place
		cn := c.conn
		c.outcome = cn.programs.Run(&c.Call)
		// The lane runs as long as it has calls, so the post cannot fail.
		_ = cn.lane.loop.Post(c)
	}
	s.cfg.Detach(place)
}

// Connections returns how many connections there are.
func (s *Server) Connections() int { return int(s.conns.Load()) }

// Wait blocks until the server has ended, and returns why, nil after Drain or
// Close.
func (s *Server) Wait() error {
	for _, l := range s.lanes {
		<-l.stopped
	}
	s.closing.Do(func() { go s.shut() })
	<-s.done
	return s.err
}

// Drain stops accepting and reading, lets the calls that have been received
// finish, sends their replies, closes the connections and ends all threads. When
// ctx ends first, the remaining connections are dropped; calls that are with a
// worker run to their end even then.
func (s *Server) Drain(ctx context.Context) error {
	for _, l := range s.lanes {
		_ = l.loop.Post(loop.TaskFunc(l.drain))
	}
	s.closing.Do(func() { go s.shut() })
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
	}
	s.abort()
	<-s.done
	return s.err
}

// abort drops all connections.
func (s *Server) abort() {
	for _, l := range s.lanes {
		// A lane that has ended has no connections.
		_ = l.loop.Post(loop.TaskFunc(l.abort))
	}
}

// Close drops all connections and ends all threads.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Drain(ctx)
}

// finish ends what a failed Start has begun.
func (s *Server) finish() {
	s.abort()
	s.closing.Do(func() { go s.shut() })
	<-s.done
}

// shut waits for the lanes and ends what serves them.
func (s *Server) shut() {
	for _, d := range s.datagram {
		d.close()
	}
	s.udp.Wait()
	var errs []error
	for _, l := range s.lanes {
		<-l.stopped
		errs = append(errs, l.err)
	}
	s.queue.close()
	s.workers.Wait()
	s.err = errors.Join(errs...)
	close(s.done)
}

// drain runs on the lane.
func (l *lane) drain() {
	l.draining = true
	for _, a := range slices.Clone(l.acceptors) {
		a.stop()
	}
	for cn := l.conns; cn != nil; cn = cn.nxt {
		cn.endInput()
	}
}

// abort runs on the lane.
func (l *lane) abort() {
	l.drain()
	for cn := l.conns; cn != nil; cn = cn.nxt {
		cn.kill("")
	}
}

// endInput forgets what has not been parsed; the connection ends when its
// replies are sent.
func (cn *conn) endInput() {
	if cn.dead {
		return
	}
	cn.draining = true
	cn.dropInput()
	cn.touch()
}
