package transport

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/futex"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// Server runs lanes, workers and datagram sockets.
//
//	New -> Start -> Drain (or Close)
//
// Any goroutine may call Drain, Close and Wait, also at the same time and again.
type Server struct {
	cfg     Config
	newRing func(uring.Feature) (ring, error)
	tick    time.Duration
	look    func(fd int) (tcpFacts, bool)
	// doubtMax is how long a call is in doubt.
	doubtMax time.Duration
	// renewAfter is how old the answer about a user may become, renewEvery how often a lane
	// looks for older ones.
	renewAfter, renewEvery time.Duration

	// life is held by Start; Drain, Close and Wait wait for it.
	life  futex.Mutex
	began bool // guarded by life: Start was called, or the end before it

	mu      futex.Mutex
	running []*lane // guarded by mu
	aborted bool    // guarded by mu

	lanes     []*lane // immutable once Start has returned: those that get connections
	reserve   *lane   // immutable like lanes; nil without Config.Reserve
	queue     workQueue
	workers   sync.WaitGroup
	datagram  []*datagramSocket
	udp       sync.WaitGroup
	conns     atomic.Int32
	accepted  atomic.Uint64 // connections, ever
	peers     census
	directory directory
	lookUps   lookUps
	limits    limits
	shedding  atomic.Bool // Config.Shed runs
	closing   sync.Once
	done      chan struct{}
	err       error
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:        cfg,
		newRing:    newKernelRing,
		tick:       tick,
		look:       tcpLook,
		doubtMax:   quietMax,
		renewAfter: renewAfter,
		renewEvery: renewEvery,
		done:       make(chan struct{}),
	}
	s.limits.init()
	s.queue.init(Lanes(cfg.Lanes, cfg.Reserve), cfg.Workers, cfg.Volumes)
	return s, nil
}

// Lanes returns how many lanes a server has in all, with the reserve one.
func Lanes(lanes int, reserve bool) int {
	if reserve {
		lanes++
	}
	return lanes
}

// Places returns how many places a server has with this many lanes (with the reserve one), workers
// and datagram sockets. The indices that Attach is called with are below that number.
func Places(lanes, workers, datagrams int) int { return lanes + workers + datagrams }

// Start makes the rings and threads and begins to serve the listeners. It owns the listeners even
// when it fails. When it returns nil, calls are being answered. It works once, and fails after
// Drain or Close.
func (s *Server) Start(listeners []Listener) (err error) {
	s.life.Lock()
	defer s.life.Unlock()
	defer func() {
		if err != nil {
			closeListeners(listeners)
		}
	}()
	if s.began {
		return ErrOver
	}
	s.began = true
	places := 0
	ready := make(chan error)
	for i := range Lanes(s.cfg.Lanes, s.cfg.Reserve) {
		l := newLane(s, places)
		l.reserve = i == s.cfg.Lanes
		places++
		go l.runLane(ready)
		if err := <-ready; err != nil {
			s.finish()
			return err
		}
		if l.reserve {
			s.reserve = l
		} else {
			s.lanes = append(s.lanes, l)
		}
		s.mu.Lock()
		s.running = append(s.running, l)
		s.mu.Unlock()
	}
	s.workers.Go(s.queue.runPatrol)
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
	if err := s.listen(listeners); err != nil {
		return err
	}
	s.mu.Lock()
	failed := s.aborted
	s.mu.Unlock()
	if failed {
		s.finish()
		return s.err
	}
	return nil
}

// ErrOver is what Start returns when the Server was started or ended before.
var ErrOver = errors.New("transport: the server was started or ended before")

// shed starts a goroutine that closes descriptors, unless one is running.
func (s *Server) shed() {
	if s.cfg.Shed == nil || !s.shedding.CompareAndSwap(false, true) {
		return
	}
	s.workers.Go(s.runShed)
}

// runShed is the goroutine that closes descriptors.
func (s *Server) runShed() {
	s.cfg.Shed()
	s.shedding.Store(false)
}

// all returns all lanes, with the reserve one.
func (s *Server) all() []*lane {
	if s.reserve == nil {
		return s.lanes
	}
	return append(slices.Clip(s.lanes), s.reserve)
}

// listen starts to accept, on the reserve lane or, without it, on the first.
func (s *Server) listen(listeners []Listener) error {
	first := s.reserve
	if first == nil {
		first = s.lanes[0]
	}
	for i := range listeners {
		ln := &listeners[i]
		if ln.Datagram {
			continue
		}
		a := &acceptor{lane: first, fd: ln.FD, programs: ln.Programs, congestion: unpace(ln.FD)}
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
	at := new(sleeper)
	for j := s.queue.take(idle, at); j != nil; {
		done := j.share
		var next *job
		switch {
		case j.batch != nil:
			last := s.queue.runBatch(place, j, giveBack)
			done = s.queue.nearly(done)
			giveBack(last)
		case j.brief:
			s.run(place, j)
			var back *job
			next, back = s.queue.swap(j)
			done = idle
			giveBack(back)
		default:
			s.run(place, j)
			done = s.queue.nearly(done)
			giveBack(j)
		}
		if j = next; j == nil {
			j = s.queue.take(done, at)
		}
	}
	s.cfg.Detach(place)
}

// run does a job that has no company.
func (s *Server) run(place *rpc.Place, j *job) {
	if j.task.work(place) {
		j.task.settle()
	}
}

// Connections returns how many connections there are.
func (s *Server) Connections() int { return int(s.conns.Load()) }

// Wait blocks until the server has ended, and returns why: nil after Drain or Close.
func (s *Server) Wait() error {
	s.settle()
	for _, l := range s.all() {
		<-l.stopped
	}
	s.closing.Do(func() { go s.shut() })
	<-s.done
	return s.err
}

// Drain stops accepting and reading, lets the calls that have been received finish, sends their
// replies, closes the connections and ends all threads. When ctx ends first, Drain drops the
// remaining connections; calls that are with a worker run to their end even then.
func (s *Server) Drain(ctx context.Context) error {
	s.settle()
	for _, l := range s.all() {
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

// settle waits for a Start that is under way, and keeps a later Start from beginning.
func (s *Server) settle() {
	s.life.Lock()
	s.began = true
	s.life.Unlock()
}

// abort drops all connections.
func (s *Server) abort() {
	s.mu.Lock()
	s.aborted = true
	lanes := s.running
	s.mu.Unlock()
	for _, l := range lanes {
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

// shut waits for the lanes to end, and then ends what serves them.
func (s *Server) shut() {
	for _, d := range s.datagram {
		d.close()
	}
	s.udp.Wait()
	var errs []error
	for _, l := range s.all() {
		<-l.stopped
		errs = append(errs, l.err)
	}
	s.queue.close()
	s.workers.Wait()
	s.err = errors.Join(errs...)
	close(s.done)
}

// drain is Drain on a lane's thread.
func (l *lane) drain() {
	l.draining = true
	l.offers.end()
	for _, a := range slices.Clone(l.acceptors) {
		a.stop()
	}
	for cn := l.conns; cn != nil; cn = cn.nxt {
		cn.endInput()
	}
}

// abort is Close on a lane's thread.
func (l *lane) abort() {
	l.drain()
	for cn := l.conns; cn != nil; cn = cn.nxt {
		cn.kill("")
	}
}
