package transport

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/checks"
	"github.com/ringnfs/ringnfs/uring/loop"
)

const (
	// groupID is the lane's one group of receive buffers.
	groupID uring.GroupID = 1
	// classes is the number of slab classes.
	classes = 3
	// tick is how often a lane looks for peers that make no progress. Tests may set another
	// time.
	tick = time.Second
	// ringEntries is the length of the submission queue. A turn prepares at most two entries
	// per connection that it touched; if these are more, it submits in between.
	ringEntries = 512
	// completionEntries is how many completions can wait before the kernel takes its slow path.
	completionEntries = 8192
)

// lane is one thread with its ring and everything on it. Once the lane runs, all fields belong to
// its thread, except the atomic ones.
type lane struct {
	srv     *Server
	place   rpc.Place
	thread  vfs.Thread
	ring    ring
	bufs    provided
	loop    *loop.Loop
	group   *bufring.Group
	slabs   *bufring.Slabs
	bundle  bool
	stopped chan struct{}
	err     error

	count atomic.Int32 // connections, from when they are dealt out
	// missed counts connections that were offered to the lane and withdrawn, and of which the
	// lane has not heard that. While there are some, the lane does not move.
	missed atomic.Int32
	// reserve says that the lane waits for no file system, see reserve.go. It is set before the
	// lane runs.
	reserve bool
	offers  offers // the reserve lane's

	conns    *conn // list
	houses   map[netip.Addr]*house
	touched  []*conn
	working  []*conn           // touched, being served
	starved  []*conn           // wait for memory before they receive
	feeding  []*conn           // the memory of starved, while feed goes through that
	holding  connList          // in the middle of a record, in receive buffers
	spilled  connList          // in the middle of a record, in a send slab
	waiting  [classes]callList // calls that wait for a reply buffer
	doubts   doubts
	returned bool  // a slab has come back since the last look
	kick     kicks // workers have been given calls in this turn: see kicks
	calls    *call // pool
	parked   int   // calls that keep their record
	copied   int   // parked calls that keep it as a copy
	parsing  parsing
	segs     []bufring.Segment
	outlets
	stats laneStats
	// keptMax is how many receive buffers one connection may keep.
	keptMax   int
	scraps    bufring.Scraps // for careful receives
	acceptors []*acceptor
	draining  bool
	hurries   int  // connections that wait for a worker to return their output
	pressed   bool // calls waited for memory at the last tick
	renewals  renewals
}

// newLane makes the lane's memory. The lane's thread makes its ring, in open.
func newLane(s *Server, index int) *lane {
	l := &lane{srv: s, stopped: make(chan struct{})}
	l.place = rpc.Place{Index: index, Thread: &l.thread}
	return l
}

// hotBytes is how much receive memory the kernel has at a time when it fills buffers end to end:
// more than a turn should receive, and little enough to stay in the processor's cache.
const hotBytes = 2 << 20

// groupConfig lays out the receive memory. When the kernel fills buffers end to end, they are fewer
// and larger, so that large payloads lie in one piece.
func groupConfig(bytes int, incremental bool) bufring.GroupConfig {
	size := 64 << 10
	if incremental {
		size = 256 << 10
	}
	count := 1
	for count*2*size <= bytes && count < 1<<15 {
		count *= 2
	}
	gc := bufring.GroupConfig{Count: count, Size: size, Incremental: incremental, Floor: count / floorPart}
	if gc.Window = hotBytes / size; !incremental {
		// Each receive needs a buffer of its own, and many may be in flight at once.
		gc.Window = max(hotBytes/size, count/4)
	}
	return gc
}

// open makes the ring and what belongs to it. It runs on the lane's thread.
func (l *lane) open() (err error) {
	cfg := &l.srv.cfg
	if l.ring, err = l.srv.newRing(cfg.Without); err != nil {
		return err
	}
	if !l.ring.Has(uring.RecvMultishot) {
		return fmt.Errorf("transport: multishot receive is needed: %w", uring.ErrFeature)
	}
	l.bundle = l.ring.Has(uring.Bundle)
	l.reportUsage = l.ring.Has(uring.ZCReportUsage)
	receive, send := cfg.ReceiveBytes, cfg.SendBytes
	if l.reserve {
		receive, send = cfg.ReserveReceive, cfg.ReserveSend
	}
	gc := groupConfig(receive, l.ring.Has(uring.IncBufRing))
	if l.group, err = bufring.NewGroup(gc); err != nil {
		return err
	}
	if l.bufs, err = l.ring.Provide(groupID, gc.Count, gc.Incremental); err != nil {
		return err
	}
	l.group.Fill(l.bufs)
	l.keptMax = max(2*cfg.RecordMax/gc.Size+2, gc.Count/4)
	if l.slabs, err = bufring.NewSlabs(send, max(cfg.ReplyMax, cfg.RecordMax)+recordSlack, l.ring); err != nil {
		return err
	}
	l.slabs.Returned = func(bufring.Class) { l.returned = true }
	if l.vectors, err = uring.MapSlice[vector](vectorsMax); err != nil {
		return err
	}
	for i := range l.vectors {
		l.putVector(&l.vectors[i])
	}
	if cfg.ReadPath.Splices() && cfg.PipesMax > 0 && !l.reserve {
		l.pipes.open(cfg.ReplyMax, cfg.PipesMax)
	}
	if l.loop, err = loop.New(l.ring, l, l.srv.tick); err != nil {
		return err
	}
	l.loop.Spin = cfg.Spin
	giveWay()
	if l.reserve {
		return nil // the reserve lane runs no call that needs a file system
	}
	return cfg.Attach(&l.place)
}

// runLane is the lane's goroutine. It sends the outcome of open to ready.
func (l *lane) runLane(ready chan<- error) {
	// The thread has credentials, a umask and a ring of its own. The goroutine never unlocks
	// it, so it ends with the goroutine.
	runtime.LockOSThread()
	defer close(l.stopped)
	if err := l.open(); err != nil {
		if l.loop != nil {
			l.loop.Stop()
			err = errors.Join(err, l.loop.Run())
		}
		ready <- errors.Join(err, l.close())
		return
	}
	ready <- nil
	err := l.loop.Run()
	if !l.reserve {
		l.srv.cfg.Detach(&l.place)
	}
	l.err = errors.Join(err, l.close())
	if err != nil {
		l.abandon()
		l.srv.cfg.Log.Error("a lane has failed; the server ends", "lane", l.place.Index, "error", err)
		l.srv.abort()
	}
}

// close gives back the lane's memory. After a failure of the loop the kernel may still write to
// that memory; then close only closes the ring.
func (l *lane) close() error {
	var errs []error
	failed := l.loop != nil && l.loop.Err() != nil
	pipes := l.pipes.close() // no operation on the ring names a pipe
	if l.bufs != nil {
		errs = append(errs, l.bufs.Close())
	}
	if l.ring != nil {
		errs = append(errs, l.ring.Close())
	}
	if failed {
		return errors.Join(errs...)
	}
	if l.group != nil {
		errs = append(errs, l.group.Close())
	}
	if l.slabs != nil {
		errs = append(errs, l.slabs.Close())
	}
	errs = append(errs, l.scraps.Close())
	errs = append(errs, pipes)
	if l.vectors != nil {
		errs = append(errs, uring.UnmapSlice(l.vectors))
	}
	return errors.Join(errs...)
}

// abandon closes the sockets of a failed lane, whose ring is closed. It gives up the lane's calls,
// so that nobody waits for them.
func (l *lane) abandon() {
	for _, a := range slices.Clone(l.acceptors) {
		a.close()
	}
	l.offers.abandon()
	for l.conns != nil {
		cn := l.conns
		if cn.life != lifeClosed {
			cn.forgotten()
			cn.become(lifeClosed)
			if cn.state != outputLent { // else a worker may be about to name it; the process ends
				_ = unix.Close(cn.fd)
			}
		}
		l.remove(cn)
	}
	// Duplicates on other lanes may wait for these calls.
	for i := range l.waiting {
		for c := l.waiting[i].head; c != nil; c = c.after {
			l.forget(c)
		}
	}
}

// turnRounds is how often a turn serves the connections that have something to do before the lane
// looks for new completions. One round costs a little more in all. Many rounds let a peer that asks
// for much keep the others waiting: 6000 READs of 1 MiB in one go held up another peer's NULL for
// 300 ms without a limit, 30 ms with 8 rounds, 4 ms with 2.
const turnRounds = 2

// Turn implements loop.Owner. It serves the connections to which something happened, gives memory
// to calls that waited for it, and receives again where buffers were missing.
func (l *lane) Turn() {
	for range turnRounds {
		if !l.returned && len(l.touched) == 0 {
			break
		}
		if l.returned {
			l.returned = false
			l.serveWaiting()
		}
		l.touched, l.working = l.working[:0], l.touched
		for _, cn := range l.working {
			cn.listed = false
			cn.service()
		}
		clear(l.working)
		l.relieve(l.loop.Now(), relieveMax)
	}
	if l.doubts.due.head != nil {
		l.doubts.turn()
	}
	if l.kick != 0 {
		l.srv.queue.kick(l.place.Index, l.kick)
		l.kick = 0
	}
	l.group.Publish()
	l.feed()
	if l.returned || len(l.touched) > 0 {
		l.loop.Again()
	}
	if l.draining && l.conns == nil && len(l.acceptors) == 0 {
		l.loop.Stop()
	}
	l.loop.Patient(!l.waits())
	l.thread.Epoch++ // the loop harvests between turns, and only turns run calls
}

// serveWaiting gives returned slabs to the calls that wait for them, oldest first. It passes over
// calls whose connection has its share.
func (l *lane) serveWaiting() {
	for class := range l.waiting {
		q := &l.waiting[class]
		for c := q.take(); c != nil; {
			next := c.after
			l.serve(q, c, bufring.Class(class))
			c = next
		}
	}
}

// serve gives a waiting call its slab. If there is none for the call, serve puts it back at the end
// of q.
func (l *lane) serve(q *callList, c *call, class bufring.Class) {
	cn := c.conn
	if cn.life >= lifeDead {
		cn.waiting--
		l.forget(c)
		l.retire(c)
		return
	}
	b := l.slabFor(c, class)
	if b == nil {
		q.push(c)
		return
	}
	cn.waiting--
	c.reply = b
	cn.touch()
	l.proceed(c)
}

// feed arms the receives that ended for want of buffers, in the order in which they ended, and not
// more at once than there are buffers. A receive that is armed need not take a buffer, because the
// kernel says ENOBUFS before it looks whether there is data. So while buffers are left, the next
// turn arms further receives. feed also looks at connections that wait for their share.
func (l *lane) feed() {
	if len(l.starved) == 0 {
		return
	}
	list := l.starved
	l.starved = l.feeding[:0]
	n := l.group.Provided()
	for i, cn := range list {
		if n <= 0 && l.group.Open() {
			l.starved = append(l.starved, list[i:]...)
			if i > 0 {
				l.loop.Again()
			}
			break
		}
		cn.intake = intakeNone
		if cn.steer(); cn.intake == intakeMultishot { // else it may be back in the list
			n--
		}
		if cn.life == lifeLeaving {
			cn.touch() // it has no receive whose end would touch it
		}
	}
	clear(list)
	l.feeding = list[:0]
}

// relieve acts when few receive buffers are left. It makes connections in the middle of a record
// give their receive buffers back, those first that have waited longest.
//
// If there is no slab for a record, relieve ends the connection only when waiting would not help:
// no call is in progress that will give memory back, or the connection has waited for long. It then
// goes on to the next record, which may fit into a smaller slab. It looks at no more than looks
// connections.
func (l *lane) relieve(now time.Time, looks int) {
	low := l.group.Count() / 4
	for cn := l.holding.head; cn != nil && looks > 0 && l.group.Available() <= low; looks-- {
		next := cn.after
		if l.parked == 0 || cn.canSpill() || now.Sub(cn.since) >= pressedTimeout {
			cn.spillHeld() // takes it off the list
		}
		cn = next
	}
}

// relieveMax is how many records a turn looks at. A tick looks at all of them.
const relieveMax = 64

// Tick implements loop.Owner. It drops peers that do not take their replies. When other calls wait
// for memory, it also drops peers that hold it with an unfinished record.
func (l *lane) Tick(now time.Time) {
	limit := l.srv.cfg.SendTimeout
	keeping := limit // for those that keep receive memory
	waiting := l.starving()
	// A peer that the lane does not read from keeps receive memory, for what it has sent
	// already, as long as it leaves its replies unread.
	pressed := waiting || !l.group.Open() || l.starvingForInput()
	if pressed && l.pressed {
		keeping = min(limit, pressedTimeout)
		if waiting {
			limit = keeping
		}
		if cn := l.spilled.head; waiting && cn != nil && now.Sub(cn.since) > pressedTimeout {
			cn.kill("others wait for the memory of a record that arrives slowly")
		}
	}
	l.pressed = pressed
	// A connection that has waited for too long may not be touched by any turn, so look here.
	l.relieve(now, math.MaxInt)
	for cn := l.conns; cn != nil; cn = cn.nxt {
		limit := limit
		if len(cn.kept) > 0 {
			limit = keeping
		}
		switch {
		case cn.life >= lifeDead:
		case cn.inHands() && cn.stuck(now, limit):
			cn.kill("the peer does not take its replies")
		case cn.life == lifeOwing || cn.life == lifeFinishing:
			if now.Sub(cn.ended) > finishTimeout {
				cn.kill("")
			} else if cn.eof {
				cn.touch()
			}
		case cn.queued > 0 && cn.life < lifeDraining && cn.origin.Ends():
			cn.endInput() // the peer has been told why, and only takes the place of others
		case len(cn.asks.asked) > 0:
			cn.overdue(now)
		}
	}
	for _, a := range l.acceptors {
		a.retry()
	}
	if l.reserve {
		l.release()
	}
	l.renew(now)
}

const (
	// pressedTimeout is how long a peer may take nothing while calls of others wait for the
	// memory that it pins.
	pressedTimeout = 5 * time.Second
	// finishTimeout is how long a peer has to close its side at the end.
	finishTimeout = 2 * time.Second
)

// consume takes over the buffers of a receive completion.
func (l *lane) consume(res int32, flags uint32) ([]bufring.Segment, error) {
	c := uring.CQE{Res: res, Flags: flags}
	id, ok := c.BufferID()
	if !ok {
		return nil, errors.New("transport: the kernel received without a buffer")
	}
	clear(l.segs)
	var err error
	l.segs, err = l.group.Consume(l.segs[:0], id, int(res), c.BufMore())
	return l.segs, err
}

// call returns an empty call for cn.
func (l *lane) call(cn *conn) *call {
	c := l.calls
	if c == nil {
		c = newCall()
	} else {
		l.calls = c.after
	}
	c.after = nil
	c.conn = cn
	c.Peer, c.Local, c.Conn, c.Origin = cn.peer, cn.local, cn.id, cn.origin
	if l.pipes.made > 0 && cn.way() == waySplice {
		c.pipes = callPipes{account: &cn.account, lane: l, from: l.srv.cfg.SpliceFrom}
		c.Pipes = &c.pipes
	}
	return c
}

func (l *lane) remove(cn *conn) {
	if checks.Enabled && l.loop.Err() == nil {
		checks.Assert(
			len(cn.kept) == 0 && cn.reading == nil && cn.unsent == 0 && cn.waiting == 0 &&
				cn.in == nil && len(cn.out) == 0 && cn.zc.sends == 0,
			"transport: a connection ends with something left",
		)
	}
	if !l.unlink(cn) {
		return // removed before
	}
	l.srv.over(cn)
	l.moveOut(cn)
	l.count.Add(-1)
	l.srv.peers.leave(cn)
	l.srv.conns.Add(-1)
}

// unlink takes cn off the lane's list. It reports whether cn was there.
func (l *lane) unlink(cn *conn) bool {
	if cn.prev != nil {
		cn.prev.nxt = cn.nxt
	} else if l.conns == cn {
		l.conns = cn.nxt
	} else {
		return false
	}
	if cn.nxt != nil {
		cn.nxt.prev = cn.prev
	}
	cn.prev, cn.nxt = nil, nil
	return true
}
