package rpc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

func words32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// parsed returns a call of procMore on the given place, with memory for its reply.
func parsed(t testing.TB, s *rpc.Server, p *rpc.Place, memory int, args ...uint32) *rpc.Call {
	t.Helper()
	c := new(rpc.Call)
	call := rpctest.NewCall(xid, testProg, testVers, procMore, words(args...)).As(rpctest.Sys(1, 2))
	require.NoError(t, s.Parse(c, call.Bytes(), nil))
	c.Place = p
	c.Reply.Reset(make([]byte, memory))
	return c
}

func more(handle func(*rpc.Call) rpc.Outcome) *rpc.Server {
	return testServer(rpc.Procedure{Name: "MORE", Once: true, Handle: handle})
}

func decode(t testing.TB, c *rpc.Call) rpctest.Reply {
	t.Helper()
	r, err := rpctest.ParseReply(c.Reply.Bytes())
	require.NoError(t, err)
	require.EqualValues(t, xid, r.XID)
	return r
}

func TestOutcomesBecomeStatuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome rpc.Outcome
		want    rpctest.Reply
	}{
		{"Done", rpc.Done, rpctest.Reply{Results: words(7)}},
		{"GarbageArgs", rpc.GarbageArgs, rpctest.Reply{Accept: rpctest.GarbageArgs}},
		{"SystemErr", rpc.SystemErr, rpctest.Reply{Accept: rpctest.SystemErr}},
		{"TooWeak", rpc.TooWeak, rpctest.Reply{Denied: true, Reject: rpctest.AuthError, Auth: rpctest.AuthTooWeak}},
		{"unknown", 99, rpctest.Reply{Accept: rpctest.SystemErr}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := more(func(call *rpc.Call) rpc.Outcome {
				call.Reply.Uint32(7)
				return c.outcome
			})
			call := parsed(t, s, lane, rpc.ReplyMemoryMin)
			require.Equal(t, rpc.Done, s.Run(call))
			got := decode(t, call)
			if !got.Denied {
				got.Verf.Body = nil
			}
			c.want.XID = xid
			require.Equal(t, c.want, got, "results that were begun are gone")
			results, ok := call.Results()
			require.Equal(t, c.outcome == rpc.Done, ok)
			if ok {
				require.Equal(t, words(7), results)
			}
		})
	}
}

func TestWaitRewindsTheCallAndIsRunAgainOnAWorker(t *testing.T) {
	runs := 0
	s := more(func(c *rpc.Call) rpc.Outcome {
		runs++
		v := c.Args.Uint32()
		c.Reply.Uint32(v)
		if !c.Place.Thread.MayWait {
			return rpc.Wait
		}
		c.Reply.Uint32(c.Args.Uint32())
		return rpc.Done
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin, 11, 22)
	require.Equal(t, rpc.Wait, s.Run(c))
	assert.Zero(t, c.Reply.Len())
	assert.Equal(t, 8, c.Args.Left())
	c.Place = worker
	require.Equal(t, rpc.Done, s.Run(c))
	assert.Equal(t, words(11, 22), decode(t, c).Results)
	assert.Equal(t, 2, runs)
}

func TestWaitOnAWorkerIsAFault(t *testing.T) {
	s := more(func(*rpc.Call) rpc.Outcome { return rpc.Wait })
	var fault error
	s.OnFault = func(_ *rpc.Call, err error) { fault = err }
	c := parsed(t, s, worker, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Done, s.Run(c))
	require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept)
	require.ErrorIs(t, fault, rpc.ErrNoProgress)
}

func TestGrowRewindsTheCallAndSaysHowMuchMemoryIsNeeded(t *testing.T) {
	const size = 5000
	s := more(func(c *rpc.Call) rpc.Outcome {
		v := c.Args.Uint32()
		c.Reply.Uint32(v)
		if !c.Room(size) {
			return rpc.Grow
		}
		copy(c.Reply.Reserve(size), bytes.Repeat([]byte{9}, size))
		return rpc.Done
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin, 11)
	require.Equal(t, rpc.Grow, s.Run(c))
	assert.Zero(t, c.Reply.Len())
	assert.Equal(t, 4, c.Args.Left())
	assert.Equal(t, 24+4+size, c.Need)
	c.Reply.Reset(make([]byte, c.Need))
	require.Equal(t, rpc.Done, s.Run(c))
	assert.Equal(t, append(words(11), bytes.Repeat([]byte{9}, size)...), decode(t, c).Results)
}

func TestGrowWithoutNeedIsAFault(t *testing.T) {
	for name, grow := range map[string]func(*rpc.Call){
		"not said":           func(*rpc.Call) {},
		"negative":           func(c *rpc.Call) { c.Need = -1 },
		"little":             func(c *rpc.Call) { c.Need = 100 },
		"what is there":      func(c *rpc.Call) { c.Need = rpc.ReplyMemoryMin - 24 },
		"room that there is": func(c *rpc.Call) { c.Room(rpc.ReplyMin) },
	} {
		s := more(func(c *rpc.Call) rpc.Outcome {
			grow(c)
			return rpc.Grow
		})
		var fault error
		s.OnFault = func(_ *rpc.Call, err error) { fault = err }
		c := parsed(t, s, lane, rpc.ReplyMemoryMin)
		c.Need = 1 << 20 // left over from before
		require.Equal(t, rpc.Done, s.Run(c), name)
		require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept, name)
		require.ErrorIs(t, fault, rpc.ErrNoProgress, name)
	}
}

func TestAProcedureFindsReplyMinOfRoom(t *testing.T) {
	free := 0
	s := more(func(c *rpc.Call) rpc.Outcome {
		free = c.Reply.Free()
		return rpc.Done
	})
	for memory := range rpc.ReplyMemoryMin {
		c := parsed(t, s, lane, memory)
		free = -1
		if o := s.Run(c); o == rpc.Grow {
			require.Equal(t, -1, free, "the procedure has not run")
			require.Greater(t, c.Need, memory)
			require.LessOrEqual(t, c.Need, rpc.ReplyMemoryMin)
		} else {
			require.Equal(t, rpc.Done, o)
			require.GreaterOrEqual(t, free, rpc.ReplyMin)
		}
	}
}

func TestARefusalAsksForMemoryToo(t *testing.T) {
	s := testServer()
	c := new(rpc.Call)
	require.NoError(t, s.Parse(c, with(null0(), func(c *rpctest.Call) { c.Vers = 4 }), nil))
	c.Reply.Reset(make([]byte, 20))
	require.Equal(t, rpc.Grow, s.Run(c))
	c.Reply.Reset(make([]byte, c.Need))
	require.Equal(t, rpc.Done, s.Run(c))
	require.EqualValues(t, rpctest.ProgMismatch, decode(t, c).Accept)
}

func TestResultsBeyondTheMemoryAreAFaultAndNeverTorn(t *testing.T) {
	s := more(func(c *rpc.Call) rpc.Outcome {
		c.Reply.Uint32(1)
		c.Reply.Opaque(make([]byte, rpc.ReplyMemoryMin))
		c.Reply.Uint32(2)
		return rpc.Done
	})
	var fault error
	s.OnFault = func(c *rpc.Call, err error) {
		fault = err
		assert.Equal(t, "MORE", c.Procedure().Name)
	}
	c := parsed(t, s, lane, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, words(xid, 1, 0, 0, 0, rpctest.SystemErr), c.Reply.Bytes())
	require.ErrorIs(t, fault, rpc.ErrOverflow)
	_, ok := c.Results()
	require.False(t, ok)
}

func TestAPanicIsAnsweredAndReported(t *testing.T) {
	boom := errors.New("boom")
	s := more(func(c *rpc.Call) rpc.Outcome {
		c.Reply.Uint32(1)
		panic(boom)
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Done, s.Run(c), "also without a hook")
	var value any
	var stack []byte
	s.OnPanic = func(_ *rpc.Call, v any, st []byte) { value, stack = v, st }
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, words(xid, 1, 0, 0, 0, rpctest.SystemErr), c.Reply.Bytes())
	require.Equal(t, boom, value)
	require.Contains(t, string(stack), "TestAPanicIsAnsweredAndReported")
}

func TestReplayAnswersWithTheFirstResults(t *testing.T) {
	s := testServer()
	var c rpc.Call
	first, err := rpctest.Serve(s, lane, &c, hello().Bytes())
	require.NoError(t, err)
	results, ok := c.Results()
	require.True(t, ok)

	var again rpc.Call
	require.NoError(t, s.Parse(&again, hello().Bytes(), nil))
	require.Equal(t, rpc.Grow, s.Replay(&again, results))
	again.Reply.Reset(make([]byte, again.Need))
	require.Equal(t, rpc.Done, s.Replay(&again, results))
	require.Equal(t, first, again.Reply.Bytes())

	// A call that is refused is refused again.
	again.Reset()
	require.NoError(t, s.Parse(&again, with(hello(), func(c *rpctest.Call) { c.Vers = 4 }), nil))
	again.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	require.Equal(t, rpc.Done, s.Replay(&again, results))
	require.EqualValues(t, rpctest.ProgMismatch, decode(t, &again).Accept)
}

// dropped counts what a call's state hears.
type dropped struct{ times, sum int }

func (d *dropped) Drop() { d.times++ }

// A call goes on where it was: nothing of what it has done is done again.
func TestACallThatKeepsItsWayGoesOnFromThere(t *testing.T) {
	var state *dropped
	steps := 0
	s := more(func(c *rpc.Call) rpc.Outcome {
		if c.State == nil {
			state = new(dropped)
			c.State = state
		}
		for c.Args.Left() > 0 {
			before, at := c.Args, c.Reply.Len()
			v := int(c.Args.Uint32())
			c.Reply.Uint32(uint32(v))
			switch {
			case v == 2 && !c.Place.Thread.MayWait:
				c.Args, c.Keep = before, true
				c.Reply.Truncate(at)
				return rpc.Wait
			case v == 3 && !c.Room(5000):
				c.Args, c.Keep = before, true
				c.Reply.Truncate(at)
				return rpc.Grow
			}
			steps++
			state.sum += v
		}
		return rpc.Done
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin, 1, 2, 3, 4)
	require.Equal(t, rpc.Wait, s.Run(c))
	require.Zero(t, c.Reply.Len())
	require.Equal(t, 12, c.Args.Left())
	c.Place = worker
	require.Equal(t, rpc.Grow, s.Run(c))
	require.Greater(t, c.Need, 5000)
	require.Equal(t, 8, c.Args.Left())
	c.Reply.Reset(make([]byte, 100)) // less than what it has already
	require.Equal(t, rpc.Grow, s.Run(c))
	c.Reply.Reset(make([]byte, c.Need+5000))
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, words(1, 2, 3, 4), decode(t, c).Results)
	require.Equal(t, 4, steps, "each once")
	require.Equal(t, 10, state.sum)
	results, ok := c.Results()
	require.True(t, ok)
	require.Equal(t, words(1, 2, 3, 4), results)
	require.Zero(t, state.times)
	c.Reset()
	require.Nil(t, c.State)
	require.Equal(t, 1, state.times)
}

// Without Keep a later run begins again, whatever an earlier one kept.
func TestACallThatKeepsNothingBeginsAgain(t *testing.T) {
	runs := 0
	s := more(func(c *rpc.Call) rpc.Outcome {
		runs++
		c.Reply.Uint32(c.Args.Uint32())
		switch runs {
		case 1:
			c.Keep = true
			return rpc.Wait
		case 2:
			c.Need = 6000
			return rpc.Grow
		}
		return rpc.Done
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin, 1, 2)
	require.Equal(t, rpc.Wait, s.Run(c))
	c.Place = worker
	require.Equal(t, rpc.Grow, s.Run(c))
	c.Reply.Reset(make([]byte, c.Need))
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, words(1), decode(t, c).Results)
}
