package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// world is everything outside of a server with one lane: the lane's ring, and the peers of its
// connections. It runs on the lane's thread, whenever the lane submits or waits. So its seed alone
// decides what happens when, apart from the workers.
//
// Descriptors are real, so that the server can shut them down and close them: a connection's
// descriptor is one end of a socket pair. The other end, which the world keeps, shows both. Data is
// sent and received by the ring alone.
//
// There is no clock: the world counts how often it has looked in vain. over says who may read its
// fields. Until over is closed the lane's thread may. Afterwards the test may, while the world
// stands still, until the test makes something run on the lane (on) or ends the server.
type world struct {
	t     *testing.T
	ts    *testServer
	rng   *rand.Rand
	ring  *uringtest.Ring
	group *uringtest.Group
	seed  uint64
	peers []*peer
	files map[uint64]uint64 // inode of each operation's descriptor, by user data
	// cancelled are the operations that the server wants to end. Also after a cancellation that
	// found its target running (EALREADY), the target ends.
	cancelled map[uint64]bool
	lasting   bool // unless this is true
	cancels   int
	// acceptErrors are the errors of the next accepts.
	acceptErrors []unix.Errno
	// act answers one operation and returns true, or leaves it in flight. It is also asked when
	// an operation starts; now is true then. It returns true whenever it has posted a
	// completion, also another operation's, so that the lane sees it.
	act func(w *world, op *uringtest.Op, p *peer, now bool) bool
	// zero is act for zero-copy sends.
	zero func(op *uringtest.Op, p *peer, now bool) bool
	// spliced says that replies may be spliced: the world answers the waits for room.
	spliced bool
	// deaf says that the peers read nothing that arrives by system calls.
	deaf bool
	// turned is called when a turn has ended.
	turned func()
	// still is asked when nothing has happened, and may make something happen.
	still func() bool
	// quiet is called when only the test can make anything happen. It is stop, unless the test
	// says otherwise.
	quiet func()
	// over is closed by stop, and by the first failure.
	over chan struct{}
	stop func()
	// release, if not nil, releases what the test holds, at the end of a test that failed.
	release func()
	served  bool // the server accepts
	blind   int  // looks in a row that found nothing
	lost    bool // the test has failed
	// ending is the way in which the server is being ended.
	ending atomic.Int32
	// rests counts the timeouts that have been answered, careful the receives by system
	// calls.
	rests   int
	careful int
	faulty  bool // system calls go wrong in every way that they may
	checked atomic.Int64
	failed  bool // the test breaks the lane
	// noMemory counts the connections that were closed for want of memory.
	noMemory int
}

// closings is a log handler that looks for connections that the server closes.
type closings struct {
	slog.Handler
	w *world
}

func (*closings) Enabled(context.Context, slog.Level) bool { return true }

func (c *closings) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "why" && strings.HasPrefix(a.Value.String(), "no memory for a record") {
			c.w.noMemory++
		}
		return true
	})
	return nil
}

// peer is the client of one connection.
type peer struct {
	fd, far int
	inode   uint64
	in      []byte            // what it will send
	got     []byte            // bytes that it has received and not understood yet
	want    map[uint32][]byte // results by XID of the calls without a reply
	sending map[uint64][]byte // what the sends in flight should send, by user data
	replies int
	when    func() bool // it connects when this is nil or true
	dealt   bool        // the server has it
	done    bool        // it sends no more once in is empty
	reset   bool        // it is gone
	half    bool        // the server has shut its output down
	killed  bool        // the server has shut both ways down, or closed
}

// fakeRing makes a scripted ring a lane's.
type fakeRing struct {
	*uringtest.Ring
	w       *world
	without uring.Feature
}

func (r *fakeRing) Has(f uring.Feature) bool { return r.without&f == 0 }

func (r *fakeRing) Provide(id uring.GroupID, entries int, incremental bool) (provided, error) {
	r.w.group = r.NewGroup(id, entries, incremental)
	return r.w.group, nil
}

func (r *fakeRing) RegisterBuffer(int, []byte) error { return errors.New("nothing can be registered") }

// Close ends the ring. The ring of a failed lane has operations in flight; the kernel would end
// them.
func (r *fakeRing) Close() error {
	if r.w.failed {
		r.CancelAll()
		for r.Ring.Harvest(make([]uring.CQE, 64)) > 0 {
		}
	}
	return r.Ring.Close()
}

// Wait submits everything before it waits, as a real ring does.
func (r *fakeRing) Wait(min uint32, timeout time.Duration) error {
	for r.Pending() > 0 {
		if _, err := r.Submit(); err != nil {
			return err
		}
	}
	if err := r.Ring.Wait(min, timeout); err != nil || !r.w.lost {
		return err
	}
	return errors.New("the test has failed")
}

func (r *fakeRing) Harvest(dst []uring.CQE) int {
	r.w.verify()
	r.w.turned()
	return r.Ring.Harvest(dst)
}

// newWorld starts a server over a scripted ring. tick is never unless change says otherwise.
func newWorld(t *testing.T, seed uint64, opt uringtest.Options, change func(*Config, *Server)) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)),
		files: make(map[uint64]uint64), cancelled: make(map[uint64]bool), act: (*world).kind, turned: func() {},
		over: make(chan struct{}),
	}
	w.stop = sync.OnceFunc(func() { close(w.over) })
	w.quiet = w.stop
	cfg := Config{
		Log:   slog.New(&closings{slog.DiscardHandler, w}),
		Lanes: 1, Workers: 2, SendBytes: 14 << 20, ReceiveBytes: 1 << 20,
		Attach:     func(*rpc.Place) error { return nil },
		Detach:     func(*rpc.Place) {},
		Duplicates: drc.New(drc.Config{}),
	}
	srv, err := New(cfg)
	require.NoError(t, err)
	srv.tick = time.Hour
	if change != nil {
		change(&srv.cfg, srv)
	}
	opt.Seed = seed
	opt.Script = w.script
	opt.Idle = func(*uringtest.Ring) bool { return w.idle() }
	srv.newRing = func(without uring.Feature) (ring, error) {
		w.ring = uringtest.New(t, opt)
		return &fakeRing{Ring: w.ring, w: w, without: without}, nil
	}
	w.ts = &testServer{t: t, srv: srv}
	t.Cleanup(func() {
		for _, p := range w.peers {
			_ = unix.Close(p.far)
			if !p.dealt {
				_ = unix.Close(p.fd)
			}
		}
	})
	return w
}

// start begins to serve. The peers must have been added.
func (w *world) start() {
	w.t.Helper()
	fd, _ := listenTCP(w.t)
	require.NoError(w.t, w.ts.srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(w.ts.program())}}))
}

// Ways to end a server.
const (
	endByDrain int32 = 1 + iota
	endByAbort
)

// until starts to serve, and waits until only the test can make anything happen.
func (w *world) until() {
	w.t.Helper()
	w.start()
	w.await()
}

// await waits for over. A failure ends the test here.
func (w *world) await() {
	w.t.Helper()
	<-w.over
	if w.t.Failed() {
		if w.release != nil {
			w.release()
		}
		_ = w.ts.srv.Close()
		w.t.FailNow()
	}
}

// on runs f on the lane's thread, while the world stands still.
func (w *world) on(f func()) {
	w.t.Helper()
	done := make(chan struct{})
	require.NoError(w.t, w.ts.srv.lanes[0].loop.Post(taskFunc(func() { f(); close(done) })))
	<-done
}

// tick makes the lane tick at a given time, soon. It is called on the lane's thread.
func (w *world) tick(at time.Time) {
	l := w.ts.srv.lanes[0]
	_ = l.loop.Post(taskFunc(func() { l.Tick(at) }))
}

// conn returns the connection of a peer. It is called on the lane's thread.
func (w *world) conn(p *peer) *conn {
	for cn := w.ts.srv.lanes[0].conns; cn != nil; cn = cn.nxt {
		if cn.fd == p.fd {
			return cn
		}
	}
	return nil
}

// fail ends the test at once. It also ends the lane, by an error of its ring, because what is
// broken in the lane may keep it from ending in order. fail is called on the lane's thread, which
// goes on until then.
func (w *world) fail(format string, args ...any) {
	if w.lost {
		return
	}
	w.lost, w.failed = true, true
	w.t.Errorf("%s, seed %d\n%s", fmt.Sprintf(format, args...), w.seed, w.state())
	w.stop()
}

// end drains the server and asserts that nothing is left.
func (w *world) end(ctx context.Context) {
	w.t.Helper()
	w.ending.Store(endByDrain)
	if ctx.Err() != nil {
		w.ending.Store(endByAbort)
	}
	err := w.ts.srv.Drain(ctx)
	if w.lost {
		w.t.FailNow()
	}
	require.NoError(w.t, err, "seed %d", w.seed)
	require.Zero(w.t, w.ts.srv.Connections())
	l := w.ts.srv.lanes[0]
	require.Zero(w.t, l.count.Load())
	for _, p := range w.peers {
		w.look(p)
		w.receiveAll(p)
		if p.dealt {
			require.True(w.t, p.killed, "a connection was not closed, seed %d", w.seed)
			require.NotEqual(w.t, p.inode, inode(p.fd), "a descriptor was not closed, seed %d", w.seed)
		}
	}
}

// idle is what happens while the lane waits. Without a tick the lane does not turn before something
// has happened, so what it forgot to do stays undone.
func (w *world) idle() bool {
	for !w.lost {
		if w.step() {
			return true
		}
	}
	return false
}

const (
	// stuckMax is how many looks in a row may find nothing while only the world can do
	// something. An answer that the world puts off by chance comes far sooner.
	stuckMax = 1000
	// briskMax is how many of these looks come without a pause. Later ones pause: a worker
	// whose call the queue has forgotten may not have posted the reply yet, and others may have
	// its processor.
	briskMax = 100
	// blindMax is stuckMax for when others, such as workers, can do something.
	blindMax = 60_000
)

// step lets some things happen. It returns false if nothing could happen.
func (w *world) step() bool {
	for _, p := range w.peers {
		w.look(p)
	}
	ops := w.ring.Ops()
	w.rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	acted := !w.deaf && w.receiveSome()
	for _, op := range ops {
		if acted && w.rng.IntN(3) == 0 {
			break
		}
		if w.answer(op) {
			acted = true
		}
	}
	if acted || w.still != nil && w.still() {
		w.blind = 0
		return true
	}
	satisfied := true
	for _, p := range w.peers {
		satisfied = satisfied && p.satisfied()
	}
	if satisfied && w.ending.Load() == 0 {
		if w.quiet(); w.isOver() {
			return w.wakeUp(-1)
		}
	}
	alone, patience := w.alone(satisfied), 1
	if alone && w.blind < briskMax {
		patience = 0
	}
	if w.wakeUp(patience) {
		w.blind = 0
		return true
	}
	switch w.blind++; {
	case alone && w.blind > stuckMax:
		w.fail("nothing goes on")
	case w.blind > blindMax:
		w.fail("nothing has happened in %d looks", w.blind)
	}
	return false
}

// alone reports whether only the world can do something while something is still to be done.
func (w *world) alone(satisfied bool) bool {
	q := &w.ts.srv.queue
	q.mu.Lock()
	working := q.busy > 0 || q.calls > 0
	q.mu.Unlock()
	switch {
	case working || !w.served:
		return false
	case w.ending.Load() == 0:
		return !satisfied && !w.isOver()
	default:
		return w.ending.Load() == endByDrain && w.ts.srv.lanes[0].draining
	}
}

func (w *world) isOver() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

func (w *world) answer(op *uringtest.Op) bool {
	if w.cancelled[op.UserData] && !w.lasting && w.rng.IntN(2) == 0 {
		op.Fail([]unix.Errno{unix.ECANCELED, unix.EINTR}[w.rng.IntN(2)])
		return true
	}
	switch op.Code {
	case "READ":
		return w.wakeUp(0)
	case "ACCEPT":
		return w.accept(op)
	case "TIMEOUT":
		w.rests++
		op.Fail(unix.ETIME)
		return true
	case "RECV", "SEND", "SENDMSG", "SEND_ZC", "SENDMSG_ZC":
		if p := w.of(op); p != nil {
			return w.ask(op, p, false)
		}
	case "POLL_ADD":
		p := w.of(op)
		switch {
		case p == nil:
		case op.OpFlags&unix.POLLIN != 0:
			return w.readable(op, p)
		case w.spliced:
			return w.room(op, p)
		}
	}
	return false
}

// wakeUp completes the read of the loop's eventfd if the eventfd can be read within so many
// milliseconds; -1 means without a limit.
func (w *world) wakeUp(milliseconds int) bool {
	op := w.ring.Find("READ")
	if op == nil {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(op.FD), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds, milliseconds); n < 1 {
		return false
	}
	n, err := unix.Read(op.FD, op.Memory())
	if err == nil {
		op.Complete(int32(n))
	}
	return err == nil
}

// accept deals the next peer.
func (w *world) accept(op *uringtest.Op) bool {
	if len(w.acceptErrors) > 0 {
		op.Fail(w.acceptErrors[0])
		w.acceptErrors = w.acceptErrors[1:]
		return true
	}
	for _, p := range w.peers {
		if !p.dealt && (p.when == nil || p.when()) {
			p.dealt = true
			op.More(int32(p.fd))
			return true
		}
	}
	return false
}

// kind is a world without faults.
func (w *world) kind(op *uringtest.Op, p *peer, now bool) bool {
	switch {
	case now:
		return false
	case op.Code != "RECV":
		w.take(op, p, len(p.sending[op.UserData]))
	case len(p.in) > 0 && !p.killed:
		p.deliver(op, len(p.in))
	case p.half || p.killed || p.done:
		op.Complete(0)
	default:
		return false
	}
	return true
}
