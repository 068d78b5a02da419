package transport

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// messageAs is message with the credential of a user in a group.
func messageAs(xid, proc, uid, gid uint32) []byte {
	b := make([]byte, 4)
	for _, v := range []uint32{xid, 0, 2, testProgram, 1, proc, 1, 20, 0, 0, uid, gid, 0, 0, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	binary.BigEndian.PutUint32(b, rpc.Mark(len(b)-4))
	return b
}

// in reports whether a call as the user in the group is accepted.
func in(t *testing.T, c net.Conn, uid, gid uint32) bool {
	t.Helper()
	_, err := c.Write(messageAs(7, procEcho, uid, gid))
	require.NoError(t, err)
	mark := make([]byte, markLen)
	_, err = io.ReadFull(c, mark)
	require.NoError(t, err)
	b := make([]byte, binary.BigEndian.Uint32(mark)&^(1<<31))
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	return b[11] == 0 // MSG_ACCEPTED
}

func TestGroupsThatAreTakenAwayAreNotKeptByConnections(t *testing.T) {
	const before, after = 50, 60
	var asked, changed atomic.Int32
	stuck := make(chan struct{})
	ts := startWhere(t, nil, func(c *Config) {
		c.Lanes = 2
		c.Origin = func(e Ends) (*rpc.Origin, func() *rpc.Origin) {
			is, _ := userByAddress(e)
			is.GIDs = []uint32{before}
			return is, nil
		}
		c.Renew = func(old *rpc.Origin) *rpc.Origin {
			switch old.UID {
			case 1002:
				asked.Add(1)
				return nil // nobody knows
			case 1003:
				asked.Add(1)
				<-stuck
				return nil
			}
			if changed.Load() == 0 {
				return old
			}
			return &rpc.Origin{Trust: rpc.Bound, UID: old.UID, GIDs: []uint32{after}}
		}
	}, func(s *Server) { s.tick, s.renewEvery, s.renewAfter = time.Millisecond, time.Millisecond, 0 })
	t.Cleanup(func() { close(stuck) })
	var hers []net.Conn
	for range 6 { // on both lanes
		hers = append(hers, ts.dialFrom("127.0.0.1"))
	}
	others := []net.Conn{ts.dialFrom("127.0.0.2"), ts.dialFrom("127.0.0.3")}
	for _, c := range hers {
		require.True(t, in(t, c, 1001, before))
		require.False(t, in(t, c, 1001, after))
	}
	until(t, func() bool { return asked.Load() >= 3 }, "it is tried again where there was none")
	changed.Store(1)
	for _, c := range hers {
		until(t, func() bool { return !in(t, c, 1001, before) }, "the group is gone")
		require.True(t, in(t, c, 1001, after))
	}
	for i, c := range others {
		require.True(t, in(t, c, uint32(1002+i), before), "who cannot be asked keeps what was known")
	}
}

func TestUsersAreAskedAboutSeldomAndAFewAtOnce(t *testing.T) {
	var asked atomic.Int32
	hang := make(chan struct{})
	ts := startWhere(t, nil, func(c *Config) {
		c.Renew = func(old *rpc.Origin) *rpc.Origin {
			asked.Add(1)
			<-hang
			return old
		}
	}, func(s *Server) { s.tick, s.renewEvery = time.Hour, 0 })
	var all []net.Conn
	for i := range 20 {
		c := ts.dialFrom(fmt.Sprintf("127.0.0.%d", 2+i%10))
		answers(t, c)
		all = append(all, c)
	}
	// The lane's clock shows the time that the test gives it.
	tickAt := func(after time.Duration) (running int) {
		return ts.onLane(func(l *lane) int {
			l.renew(time.Now().Add(after))
			return l.renewals.running
		})
	}
	require.Zero(t, tickAt(9*time.Minute))
	require.Equal(t, 8, tickAt(11*time.Minute), "few at once")
	require.Equal(t, 8, tickAt(12*time.Minute))
	until(t, func() bool { return asked.Load() == 8 }, "they are asked about")
	close(hang)
	running := func() int { return ts.onLane(func(l *lane) int { return l.renewals.running }) }
	until(t, func() bool { return running() == 0 }, "it is known")
	require.Equal(t, 2, tickAt(13*time.Minute), "each of the others once, for all connections")
	until(t, func() bool { return running() == 0 }, "it is known")
	require.Zero(t, tickAt(14*time.Minute))
	require.EqualValues(t, 10, asked.Load())
	for _, c := range all {
		answers(t, c)
	}
}

func TestGroupsThatCouldNotBeLookedUpAreSoonAskedForAgain(t *testing.T) {
	var asked atomic.Int32
	ts := startWhere(t, nil, func(c *Config) {
		c.Origin = func(e Ends) (*rpc.Origin, func() *rpc.Origin) {
			is, _ := userByAddress(e)
			switch is.UID {
			case 1002: // an earlier connection asked for it in vain
				is.Unsure = true
				return is, nil
			case 1003: // it is asked for in vain
				return &rpc.Origin{Trust: rpc.Nameless, UID: is.UID}, func() *rpc.Origin {
					return &rpc.Origin{Trust: rpc.Bound, UID: is.UID, Unsure: true}
				}
			}
			is.GIDs = []uint32{50}
			return is, nil
		}
		c.Renew = func(old *rpc.Origin) *rpc.Origin {
			if asked.Add(1) <= 2 {
				return nil // it is away still
			}
			return &rpc.Origin{Trust: rpc.Bound, UID: old.UID, GIDs: []uint32{50}}
		}
	}, func(s *Server) { s.tick = time.Hour })
	var unsure []net.Conn
	for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		c := ts.dialFrom(from)
		answers(t, c)
		unsure = append(unsure, c)
	}
	unsure = unsure[1:]
	for i, c := range unsure {
		require.False(t, in(t, c, uint32(1002+i), 50))
	}
	// The lane's clock shows the time that the test gives it.
	now := time.Now()
	running := func() int { return ts.onLane(func(l *lane) int { return l.renewals.running }) }
	look := func() int {
		began := ts.onLane(func(l *lane) int {
			l.renew(now)
			return l.renewals.running
		})
		until(t, func() bool { return running() == 0 }, "the answers are there")
		now = now.Add(renewEvery)
		return began
	}
	require.Equal(t, 2, look(), "not who is known")
	require.Equal(t, 2, look(), "again where there was no answer")
	for i, c := range unsure {
		require.True(t, in(t, c, uint32(1002+i), 50), "the same connection has the groups")
	}
	require.Zero(t, look(), "now they are known")
}

// There are at least as many users without an answer as can be asked for at once.
func TestUsersOfWhomThereIsNoAnswerDoNotKeepItFromOthers(t *testing.T) {
	asked := make(chan uint32, 100)
	ts := startWhere(t, nil, func(c *Config) {
		c.Renew = func(old *rpc.Origin) *rpc.Origin { asked <- old.UID; return nil }
	}, func(s *Server) { s.tick = time.Hour })
	const users = 2*renewalsMax + 3
	for i := range 2 * users {
		answers(t, ts.dialFrom(fmt.Sprintf("127.0.0.%d", 1+i%users)))
	}
	running := func() int { return ts.onLane(func(l *lane) int { return l.renewals.running }) }
	now, times := time.Now().Add(renewAfter), make(map[uint32]int)
	for range 3 {
		now = now.Add(renewEvery)
		require.Equal(t, renewalsMax, ts.onLane(func(l *lane) int {
			l.renew(now)
			return l.renewals.running
		}))
		until(t, func() bool { return running() == 0 }, "there is no answer")
		for range renewalsMax {
			times[<-asked]++
		}
	}
	require.Len(t, times, users, "all are asked about")
	for uid, n := range times {
		require.LessOrEqual(t, n, 2, uid)
	}
}
