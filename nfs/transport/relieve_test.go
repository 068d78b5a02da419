package transport

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
)

// takeSlabs takes all slabs of a class but so many, until the server ends or the function that it
// returns is called.
func (f *frozen) takeSlabs(class bufring.Class, but int) {
	f.t.Helper()
	var held []*bufring.Buffer
	f.on(func(l *lane) int {
		for l.slabs.Free(class) > but {
			held = append(held, l.slabs.Take(class))
		}
		return 0
	})
	f.giveBack(&held)
}

// takeBuffers takes the receive buffers that the kernel does not have, until the test ends.
func (f *frozen) takeBuffers() {
	f.t.Helper()
	var held []*bufring.Buffer
	f.on(func(l *lane) int {
		for b := l.group.Take(); b != nil; b = l.group.Take() {
			held = append(held, b)
		}
		return 0
	})
	f.giveBack(&held)
}

func (f *frozen) giveBack(held *[]*bufring.Buffer) {
	f.t.Cleanup(func() {
		f.on(func(*lane) int {
			for _, b := range *held {
				b.Release()
			}
			return 0
		})
	})
}

// is asserts that a condition comes true on the lane.
func (f *frozen) is(what string, cond func(*lane) bool) {
	f.t.Helper()
	until(f.t, func() bool {
		return f.on(func(l *lane) int {
			if cond(l) {
				return 1
			}
			return 0
		}) > 0
	}, what)
}

// of returns the connection of a client: the one that the lane has, or a dead one.
func (l *lane) of(c net.Conn) *conn {
	for cn := l.conns; cn != nil; cn = cn.nxt {
		if cn.peer.String() == c.LocalAddr().String() {
			return cn
		}
	}
	return &conn{lane: l, life: lifeDead}
}

func (f *frozen) alive(c net.Conn) bool {
	return f.on(func(l *lane) int {
		if l.of(c).life >= lifeDead {
			return 0
		}
		return 1
	}) > 0
}

// write sends while the test goes on.
func (f *frozen) write(c net.Conn, b []byte) { f.sent.Go(func() { _, _ = c.Write(b) }) }

// later makes the lane tick at a time so much later.
func (f *frozen) later(d time.Duration) {
	f.on(func(l *lane) int {
		l.Tick(l.loop.Now().Add(d))
		return 0
	})
}

// work returns a call of so many bytes that depends on nothing that hangs.
func work(xid uint32, size int) []byte {
	return message(xid, procWork, opaque(bytes.Repeat([]byte{9}, size)))
}

// answered asserts that the next reply is that to work.
func answered(t *testing.T, c net.Conn, xid uint32, size int) {
	t.Helper()
	got, res := reply(t, c)
	require.Equal(t, xid, got)
	require.True(t, bytes.Equal(opaque(bytes.Repeat([]byte{9}, size)), res))
}

// A connection that waits in the middle of a record, and finds no slab for it, is ended when it has
// waited for long, even if nothing else happens on the lane. Nobody behind it waits for that.
func TestARecordWithoutMemoryDoesNotWaitForWhatOthersDo(t *testing.T) {
	f := startUntimed(t)
	f.hang("127.0.0.1", 40, 2, 1<<20)
	f.takeSlabs(bufring.Large, 0)
	large := f.dialFrom("127.0.0.2")
	exchange(t, large, 1, procNull)
	f.write(large, work(2, 1<<20))
	f.is("a record waits for memory", func(l *lane) bool {
		cn := l.of(large)
		if cn.in != &l.holding || cn.intake != intakeStarved {
			return false
		}
		cn.since = cn.since.Add(time.Hour) // however slow the machine is
		return true
	})

	medium := f.dialFrom("127.0.0.3")
	m := work(2, 20_000)
	_, err := medium.Write(m[:10_000])
	require.NoError(t, err)
	f.is("one behind it has a slab", func(l *lane) bool { return l.of(medium).spill != nil })
	_, err = medium.Write(m[10_000:])
	require.NoError(t, err)
	answered(t, medium, 2, 20_000)

	f.later(time.Minute)
	require.True(t, f.alive(large), "it has not waited for long")
	f.later(2 * time.Hour)
	require.False(t, f.alive(large), "it has")
	closedByServer(t, large)
}

// A record that has its slab needs no more memory. So the lane reads it even while its own
// connection waits for memory.
func TestARecordInASlabIsReadToItsEnd(t *testing.T) {
	f := startUntimed(t)
	f.hang("127.0.0.1", 40, 2, 1<<20)
	c := f.dialFrom("127.0.0.2")
	_, err := c.Write(message(1, procSleep, opaque(make([]byte, 100))))
	require.NoError(t, err)
	m := work(2, 1<<20)
	_, err = c.Write(m[:200_000])
	require.NoError(t, err)
	f.is("the record has a slab", func(l *lane) bool { return l.of(c).spill != nil })
	f.takeBuffers()
	f.write(c, m[200_000:])
	answered(t, c, 2, 1<<20)
}

// When receive memory is short, a peer that takes no replies is given up early only if it keeps
// some of that memory.
func TestPeersThatKeepNoReceiveMemoryAreNotEndedForIt(t *testing.T) {
	f := startUntimed(t)
	f.hang("127.0.0.1", 40, 2, 1<<20)
	slow := f.dialSlow("127.0.0.2")
	for xid := range uint32(16) {
		_, err := slow.Write(message(xid, procFill, fill(1<<20-100)))
		require.NoError(t, err)
	}
	f.is("its replies wait for it", func(l *lane) bool {
		cn := l.of(slow)
		return cn.waiting > 0 || cn.unsent >= l.srv.cfg.OutputMax
	})
	for i := range 5 {
		f.later(time.Duration(1+i) * 7 * time.Second)
		require.True(t, f.alive(slow))
	}
	f.later(time.Hour)
	f.later(2 * time.Hour)
	require.False(t, f.alive(slow), "the usual limit holds")
}
