package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// asking is a server that asks its peers, and whose lanes tick when the test says so.
func asking(t *testing.T, change func(*Config)) *testServer {
	t.Helper()
	return startWhere(t, nil, change, func(s *Server) { s.tick = time.Hour })
}

// number returns the number of the connection c.
func number(t *testing.T, c net.Conn) uint64 {
	t.Helper()
	_, err := c.Write(message(9, procConn, nil))
	require.NoError(t, err)
	_, res := reply(t, c)
	return binary.BigEndian.Uint64(res)
}

// told is what became of an ask.
type told struct {
	results []byte
	err     error
}

// ask asks the peer of a connection for the echo of data. It fails the test if the server tells
// twice what became of that.
func (ts *testServer) ask(conn uint64, data string, timeout time.Duration) (<-chan told, error) {
	record := make([]byte, 4096)
	var e xdr.Encoder
	e.Reset(record)
	rpc.PutHeader(&e, 7, 1, 3, &rpc.Caller{Flavor: rpc.AuthSys, Machine: "here", UID: 1, GIDs: []uint32{5}})
	e.String(data)
	var n atomic.Int32
	to := make(chan told, 2)
	err := ts.srv.Ask(conn, &rpc.Ask{Record: e.Bytes(), Timeout: timeout, Answered: func(d *xdr.Decoder, err error) {
		if n.Add(1) > 1 {
			ts.t.Error("told twice")
		}
		if err == nil {
			err = rpc.Accepted(d)
		}
		if err != nil {
			to <- told{err: err}
			return
		}
		to <- told{results: bytes.Clone(d.Fixed(d.Left()))}
	}})
	return to, err
}

func (ts *testServer) mustAsk(conn uint64, data string) <-chan told {
	ts.t.Helper()
	to, err := ts.ask(conn, data, time.Second)
	require.NoError(ts.t, err)
	return to
}

// question reads a call of the server, and returns its XID and its argument.
func question(t testing.TB, c io.Reader) (xid uint32, data []byte) {
	t.Helper()
	patiently(c)
	var h [4]byte
	_, err := io.ReadFull(c, h[:])
	require.NoError(t, err)
	b := make([]byte, binary.BigEndian.Uint32(h[:])&(1<<31-1))
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	var d xdr.Decoder
	d.Reset(b)
	xid = d.Uint32()
	for _, want := range []uint32{0, 2, 7, 1, 3, rpc.AuthSys, 28, 0} {
		require.Equal(t, want, d.Uint32())
	}
	require.Equal(t, "here", string(d.Opaque(255)))
	for _, want := range []uint32{1, 0, 1, 5, 0, 0} {
		require.Equal(t, want, d.Uint32())
	}
	data = d.Opaque(4096)
	require.NoError(t, d.Err())
	require.Zero(t, d.Left())
	return xid, data
}

// accepted is a reply to a call of the server.
func accepted(xid uint32, results []byte) []byte {
	b := make([]byte, 4)
	for _, v := range []uint32{xid, 1, 0, 0, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, results...)
	binary.BigEndian.PutUint32(b, rpc.Mark(len(b)-4))
	return b
}

func write(t testing.TB, c net.Conn, b ...[]byte) {
	t.Helper()
	_, err := c.Write(bytes.Join(b, nil))
	require.NoError(t, err)
}

// tickAt makes each lane tick at a time.
func (ts *testServer) tickAt(at time.Time) {
	ts.t.Helper()
	for _, l := range ts.srv.all() {
		done := make(chan struct{})
		require.NoError(ts.t, l.loop.Post(loop.TaskFunc(func() { l.Tick(at); close(done) })))
		<-done
	}
}

// left reports whether the time of the first ask by a connection has begun.
func (ts *testServer) left(conn uint64) (left bool) {
	cn := ts.srv.directory.find(conn)
	done := make(chan struct{})
	require.NoError(ts.t, cn.lane.loop.Post(loop.TaskFunc(func() {
		left = !cn.asks.asked[0].left.IsZero()
		close(done)
	})))
	<-done
	return left
}

func (ts *testServer) total() (n Stats) {
	for _, s := range ts.srv.Stats() {
		n.Asked += s.Asked
		n.Answered += s.Answered
		n.Silent += s.Silent
		n.Late += s.Late
	}
	return n
}

func TestAPeerAnswersCallsOfTheServerBetweenItsOwn(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	one, two := ts.mustAsk(id, "one"), ts.mustAsk(id, "two")
	x1, d1 := question(t, c)
	x2, d2 := question(t, c)
	require.Equal(t, "one", string(d1))
	require.Equal(t, "two", string(d2))
	// In any order, and between calls of its own.
	write(t, c, message(3, procEcho, opaque([]byte("x"))), accepted(x2, opaque(d2)), accepted(x1, opaque(d1)),
		message(4, procEcho, opaque([]byte("y"))))
	for _, want := range []uint32{3, 4} {
		xid, _ := reply(t, c)
		require.Equal(t, want, xid)
	}
	require.Equal(t, told{results: opaque([]byte("one"))}, <-one)
	require.Equal(t, told{results: opaque([]byte("two"))}, <-two)
	require.EqualValues(t, 2, ts.total().Asked)
	require.EqualValues(t, 2, ts.total().Answered)
}

// An answer that comes byte by byte, or in fragments, is one as well.
func TestAnAnswerMayComeInPieces(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	to := ts.mustAsk(id, "abc")
	xid, data := question(t, c)
	body := accepted(xid, opaque(data))[4:]
	for i := range body {
		write(t, c, mark(i == len(body)-1, 1), body[i:i+1])
	}
	require.Equal(t, told{results: opaque([]byte("abc"))}, <-to)
	exchange(t, c, 5, procEcho)
}

func TestAPeerThatDeniesIsAnError(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	whole := accepted(0, nil)
	for _, reply := range [][]byte{
		mark(true, 8), // nothing behind the message type
		append(mark(true, 20), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5), // AUTH_ERROR
		append(whole[:len(whole)-1:len(whole)-1], 1),                                       // PROG_UNAVAIL
		append(mark(true, 24), append(bytes.Clone(whole[4:20]), 255, 255, 255, 255, 0, 0, 0, 0)...),
	} {
		to := ts.mustAsk(id, "abc")
		xid, _ := question(t, c)
		if len(reply) == 4 {
			reply = append(reply, 0, 0, 0, 0, 0, 0, 0, 1)
		}
		binary.BigEndian.PutUint32(reply[4:], xid)
		write(t, c, reply)
		require.Error(t, (<-to).err)
		exchange(t, c, 5, procEcho)
	}
}

// Whom nobody has asked gains nothing by answers, and who answers twice neither.
func TestAnswersToNothingEndTheConnection(t *testing.T) {
	ts := asking(t, nil)
	for _, c := range []struct {
		name   string
		asked  int
		answer func(xid uint32) []byte
	}{
		{"never asked", 0, func(uint32) []byte { return accepted(1, nil) }},
		{"another XID", 1, func(xid uint32) []byte { return accepted(xid+1, nil) }},
		{"twice", 2, func(xid uint32) []byte { return append(accepted(xid, nil), accepted(xid, nil)...) }},
		{"no message type", 1, func(xid uint32) []byte {
			b := accepted(xid, nil)
			b[11] = 2
			return b
		}},
		{"cut within the message type", 1, func(xid uint32) []byte {
			b := accepted(xid, nil)[:11]
			binary.BigEndian.PutUint32(b, rpc.Mark(7))
			return b
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := ts.dial()
			id := number(t, conn)
			var all []<-chan told
			var xid uint32
			for range c.asked {
				all = append(all, ts.mustAsk(id, "abc"))
				xid, _ = question(t, conn)
			}
			write(t, conn, c.answer(xid))
			closedByServer(t, conn)
			for i, to := range all {
				if c.name == "twice" && i == 1 {
					require.NoError(t, (<-to).err)
				} else {
					require.ErrorIs(t, (<-to).err, rpc.ErrGone)
				}
			}
			_, err := ts.ask(id, "abc", time.Second)
			require.ErrorIs(t, err, rpc.ErrGone)
		})
	}
	ts.works()
}

// The time of an ask begins when its record has left. An answer that comes too late is passed over,
// but no further one.
func TestAPeerThatDoesNotAnswerIsToldSo(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	to, err := ts.ask(id, "abc", 10*time.Second)
	require.NoError(t, err)
	xid, _ := question(t, c)
	now := time.Now().Add(time.Hour) // the clock has gone on while the record waited
	until(t, func() bool {
		ts.tickAt(now)
		return ts.left(id)
	}, "the lane has seen that the record has left")
	ts.tickAt(now.Add(10*time.Second - 1))
	require.Empty(t, to)
	ts.tickAt(now.Add(10 * time.Second))
	require.ErrorIs(t, (<-to).err, rpc.ErrSilent)
	write(t, c, accepted(xid, nil))
	exchange(t, c, 5, procEcho)
	require.Equal(t, [4]uint64{1, 0, 1, 1}, func(s Stats) [4]uint64 {
		return [4]uint64{s.Asked, s.Answered, s.Silent, s.Late}
	}(ts.total()))
	write(t, c, accepted(xid, nil))
	closedByServer(t, c)
}

func TestARecordThatWaitsBehindOthersCostsNoTime(t *testing.T) {
	cn := new(conn)
	cn.queued, cn.unsent = 100, 1
	cn.asks.asked = []sentAsk{{Ask: &rpc.Ask{Timeout: time.Second}, end: 100}}
	now := time.Now()
	cn.overdue(now)
	require.True(t, cn.asks.asked[0].left.IsZero(), "a byte of it has not left")
	cn.unsent = 0
	now = now.Add(time.Hour)
	cn.overdue(now)
	require.Equal(t, now, cn.asks.asked[0].left)
	cn.queued, cn.unsent = 200, 100 // what comes behind it does not matter
	cn.overdue(now.Add(time.Second - 1))
	require.Len(t, cn.asks.asked, 1)
}

func TestOneConnectionHas64CallsOfTheServerUnderWay(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	var all []<-chan told
	for range 64 {
		all = append(all, ts.mustAsk(id, "abc"))
	}
	_, err := ts.ask(id, "abc", time.Second)
	require.ErrorIs(t, err, rpc.ErrNoRoom)
	xid, _ := question(t, c)
	write(t, c, accepted(xid, nil))
	require.NoError(t, (<-all[0]).err)
	all = append(all[1:], ts.mustAsk(id, "abc"))
	_, err = ts.ask(id, "abc", time.Second)
	require.ErrorIs(t, err, rpc.ErrNoRoom)
	require.NoError(t, c.Close())
	for _, to := range all {
		require.ErrorIs(t, (<-to).err, rpc.ErrGone)
	}
	c = ts.dial()
	id = number(t, c)
	require.ErrorIs(t, ts.srv.Ask(id, &rpc.Ask{Record: make([]byte, 8193)}), rpc.ErrNoRoom)
	most := bytes.Repeat([]byte("most"), 2048)
	end := make(chan error, 1)
	require.NoError(t, ts.srv.Ask(id, &rpc.Ask{
		Record: most, Timeout: time.Second, Answered: func(_ *xdr.Decoder, err error) { end <- err },
	}))
	patiently(c)
	got := make([]byte, 4+8192)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.EqualValues(t, 1<<31|8192, binary.BigEndian.Uint32(got))
	require.Equal(t, string(most[4:]), string(got[8:]))
	write(t, c, accepted(binary.BigEndian.Uint32(got[4:]), nil))
	require.NoError(t, <-end)
}

// What is asked is told once, whenever the connection ends.
func TestTheEndOfAConnectionIsToldToAllWhoAskBy(t *testing.T) {
	ts := asking(t, func(c *Config) { c.Lanes = 2 })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 30 {
		c := ts.dial()
		id := number(t, c)
		var askers sync.WaitGroup
		var asked, heard atomic.Int32
		for range 3 {
			askers.Go(func() {
				for {
					to, err := ts.ask(id, "abc", time.Second)
					switch err {
					case nil:
						asked.Add(1)
						if (<-to).err == rpc.ErrGone {
							heard.Add(1)
							return
						}
						heard.Add(1)
					case rpc.ErrGone:
						return
					}
				}
			})
		}
		for range rng.IntN(6) {
			xid, data := question(t, c)
			write(t, c, accepted(xid, opaque(data)))
		}
		require.NoError(t, c.Close())
		askers.Wait()
		require.Equal(t, asked.Load(), heard.Load())
	}
}

// A connection that goes to another lane takes along what its peer has been asked, and what is
// asked meanwhile reaches the peer from there.
func TestAConnectionThatMovesTakesAlongWhatIsAsked(t *testing.T) {
	hold := make(chan struct{})
	ts := startStalling(t, hold, 1)
	one := ts.dial()
	exchange(t, one, 1, procNull)
	until(t, func() bool { return ts.srv.reserve.count.Load() == 0 }, "an ordinary lane has it")
	write(t, one, message(2, procStall, opaque([]byte("abc"))))
	until(t, func() bool { return ts.running.Load() == 1 }, "the lane stands still")
	c := ts.dial()
	id := number(t, c)
	before, err := ts.ask(id, "before", time.Hour)
	require.NoError(t, err)
	xid, _ := question(t, c)
	close(hold)
	var meanwhile []<-chan told
	for i := 0; ts.srv.reserve.count.Load() > 0; i++ {
		if i < 60 {
			to, err := ts.ask(id, "meanwhile", time.Hour)
			require.NoError(t, err)
			meanwhile = append(meanwhile, to)
		}
		time.Sleep(time.Millisecond)
	}
	write(t, c, accepted(xid, nil))
	require.NoError(t, (<-before).err)
	for _, to := range meanwhile {
		xid, _ := question(t, c)
		write(t, c, accepted(xid, nil))
		require.NoError(t, (<-to).err)
	}
}

// While a connection is on its way to a lane, what is asked waits for its arrival. A task of the
// lane that it has left takes nothing.
func TestWhatIsAskedOnTheWayToALaneWaits(t *testing.T) {
	ts := asking(t, nil)
	c := ts.dial()
	id := number(t, c)
	cn := ts.srv.directory.find(id)
	cn.asks.mu.Lock()
	l := cn.asks.lane // cn.lane is the lane's own
	cn.asks.mu.Unlock()
	onLane := func(f func()) {
		done := make(chan struct{})
		require.NoError(t, l.loop.Post(loop.TaskFunc(func() { f(); close(done) })))
		<-done
	}
	onLane(cn.unreached)
	to := ts.mustAsk(id, "abc")
	onLane(func() { cn.takeAsks(l) })
	require.Zero(t, ts.total().Asked)
	onLane(func() { cn.reached(l) })
	require.EqualValues(t, 1, ts.total().Asked)
	xid, data := question(t, c)
	require.Equal(t, "abc", string(data))
	write(t, c, accepted(xid, nil))
	require.NoError(t, (<-to).err)
	onLane(cn.unreached)
	to = ts.mustAsk(id, "abc")
	onLane(cn.hangUp)
	require.Len(t, to, 1)
	require.ErrorIs(t, (<-to).err, rpc.ErrGone)
}

func TestAskingEndsWithTheServer(t *testing.T) {
	ts := startTest(t, nil)
	c := ts.dial()
	id := number(t, c)
	to := ts.mustAsk(id, "abc")
	question(t, c)
	drain(t, ts.srv)
	require.ErrorIs(t, (<-to).err, rpc.ErrGone)
	_, err := ts.ask(id, "abc", time.Second)
	require.ErrorIs(t, err, rpc.ErrGone)
}
