package transport

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/uring"
)

// frozen is a server on which calls of procSleep hang, as calls do that change a frozen file
// system, together with what clients have sent it.
type frozen struct {
	*testServer
	lane    *lane
	release func()
	stuck   []net.Conn
	sent    sync.WaitGroup
}

// startFrozen starts one that never ticks: on a busy machine the test itself would be the peer that
// takes its replies too slowly.
func startFrozen(t *testing.T, change func(*Config)) *frozen {
	t.Helper()
	return startFrozenWhere(t, change, func(s *Server) { s.tick = time.Hour })
}

// startUntimed is startFrozen with 8 MiB of receive memory; the test ticks.
func startUntimed(t *testing.T) *frozen {
	t.Helper()
	return startFrozen(t, func(c *Config) { c.ReceiveBytes = 8 << 20 })
}

func startFrozenWhere(t *testing.T, change func(*Config), other func(*Server)) *frozen {
	t.Helper()
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	f := &frozen{release: release}
	f.testServer = startWhere(t, hold, func(c *Config) {
		c.Workers, c.Volumes = 8, 2
		change(c)
	}, other)
	t.Cleanup(func() { // before the server ends
		release()
		f.sent.Wait()
	})
	f.lane = f.srv.lanes[0]
	return f
}

// standStill makes the only ordinary lane wait for the file system.
func (f *frozen) standStill() {
	f.t.Helper()
	c := f.dial()
	exchange(f.t, c, 1, procNull)
	until(f.t, func() bool { return f.srv.reserve.count.Load() == 0 }, "an ordinary lane has it")
	_, err := c.Write(message(2, procStall, opaque([]byte("abc"))))
	require.NoError(f.t, err)
	until(f.t, func() bool { return f.running.Load() == 1 }, "the lane stands still")
	f.lane = f.srv.reserve
}

// on calls a function on the lane.
func (f *frozen) on(do func(*lane) int) int {
	f.t.Helper()
	got := make(chan int, 1)
	require.NoError(f.t, f.lane.loop.Post(taskFunc(func() { got <- do(f.lane) })))
	return <-got
}

// hang makes clients at an address send so many calls that hang, with so many bytes each. It waits
// until nothing more is read from them.
func (f *frozen) hang(from string, clients, calls, size int) {
	f.t.Helper()
	for range clients {
		c := f.dialFrom(from)
		exchange(f.t, c, 1000, procNull)
		f.stuck = append(f.stuck, c)
		f.sent.Go(func() {
			for xid := range uint32(calls) {
				if _, err := c.Write(message(xid, procSleep, opaque(make([]byte, size)))); err != nil {
					return
				}
			}
		})
	}
	until(f.t, func() bool {
		return f.on(func(l *lane) (waiting int) {
			for cn := l.conns; cn != nil; cn = cn.nxt {
				if !cn.receiving() && (cn.calls > 0 || cn.intake == intakeStarved) || cn.calls == calls {
					waiting++
				}
			}
			return waiting
		}) == len(f.stuck)
	}, "calls hang until no more are read")
}

// others asserts that everything else is answered, NULL and calls that depend on another volume, on
// new connections and on those that existed.
func (f *frozen) others(existing ...net.Conn) {
	f.t.Helper()
	for range 40 {
		existing = append(existing, f.dial())
	}
	for i, c := range existing {
		exchange(f.t, c, 3, procNull)
		exchange(f.t, c, 4, procWork)
		for _, size := range []int{3000, 20_000}[:1+i%20/19] { // a link, and a small file
			if size > scrapRecordMax && f.crowded() {
				continue
			}
			data := bytes.Repeat([]byte{7}, size)
			_, err := c.Write(message(5, procWork, opaque(data)))
			require.NoError(f.t, err)
			_, res := reply(f.t, c)
			require.Equal(f.t, opaque(data), res)
		}
	}
}

// crowded reports whether connections that hold no receive memory can still get some.
func (f *frozen) crowded() bool {
	return f.on(func(l *lane) int {
		if l.group.Open() {
			return 0
		}
		return 1
	}) > 0
}

// thaw lets everything go on, and asserts that every call is answered.
func (f *frozen) thaw(calls, size int) {
	f.t.Helper()
	f.release()
	for _, c := range f.stuck {
		seen := make(map[uint32]bool)
		for range calls {
			xid, res := reply(f.t, c)
			require.Len(f.t, res, 4+size)
			seen[xid] = true
		}
		require.Len(f.t, seen, calls)
	}
	until(f.t, func() bool {
		return f.on(func(l *lane) int { return l.group.Outstanding() + l.scraps.Outstanding() }) == 0
	},
		"all memory comes back")
}

// Whatever hangs at one file system, the lane reads from others.
func TestCallsThatHangLeaveReceiveMemoryToOthers(t *testing.T) {
	again.Long(t)
	const large = 1 << 20
	for _, c := range []struct {
		name                 string
		still                bool // the lanes stand still, too
		clients, calls, size int
		change               func(*Config)
	}{
		{"the reserve lane", true, 2, 3, large, func(c *Config) { c.Reserve, c.ReserveReceive = true, 4<<20 }},
		{"large writes", false, 6, 32, large, func(c *Config) { c.ReceiveBytes = 8 << 20 }},
		{"large writes by many", false, 40, 2, large, func(c *Config) { c.ReceiveBytes = 8 << 20 }},
		{"large writes, plain", false, 6, 32, large, func(c *Config) {
			c.ReceiveBytes, c.Without = 8<<20, uring.IncBufRing|uring.Bundle
		}},
		{"writes, plain", false, 10, 100, 4096, func(c *Config) {
			c.ReceiveBytes, c.Without = 8<<20, uring.IncBufRing
		}},
		{"small calls, plain", false, 10, 250, 200, func(c *Config) {
			c.ReceiveBytes, c.Without = 8<<20, uring.IncBufRing
		}},
	} {
		if again.Now() && c.size == large && !c.still {
			continue // copying takes long under the race detector
		}
		t.Run(c.name, func(t *testing.T) {
			f := startFrozen(t, c.change)
			if c.still {
				f.standStill()
			}
			var existing []net.Conn
			for range 5 {
				existing = append(existing, f.dial())
				exchange(t, existing[len(existing)-1], 1, procNull)
			}
			f.hang("127.0.0.1", c.clients, c.calls, c.size)
			f.others(existing...)
			// Another household has a share of its own.
			guest := f.dialFrom("127.0.0.2")
			for range 3 {
				data := bytes.Repeat([]byte{9}, large)
				_, err := guest.Write(message(6, procWork, opaque(data)))
				require.NoError(t, err)
				_, res := reply(t, guest)
				require.True(t, bytes.Equal(opaque(data), res))
			}
			f.thaw(c.calls, c.size)
			f.others(existing...)
		})
	}
}

// Small calls that hang keep no memory that others receive with.
func TestSmallCallsThatHangKeepNoReceiveMemory(t *testing.T) {
	for name, without := range map[string]uring.Feature{"incremental": 0, "plain": uring.IncBufRing} {
		t.Run(name, func(t *testing.T) {
			const calls, size = 250, 200
			f := startFrozen(t, func(c *Config) { c.ReceiveBytes, c.Without = 8<<20, without })
			f.hang("127.0.0.1", 1, calls, size)
			require.Zero(t, f.on(func(l *lane) int { return l.group.Outstanding() }))
			f.thaw(calls, size)
		})
	}
}
