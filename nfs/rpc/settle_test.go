package rpc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// payer pays with its status.
type payer struct {
	status vfs.Status
	paid   int
}

func (p *payer) Pay() vfs.Status { p.paid++; return p.status }

// owing is a server whose procedure changes something that p pays for, and returns out. With
// settled it answers what has not been paid with the status.
func owing(p *payer, out rpc.Outcome, settled bool) *rpc.Server {
	x := rpc.Procedure{Name: "MORE", Once: true, Handle: func(c *rpc.Call) rpc.Outcome {
		c.Reply.Uint32(7)
		c.Place.Thread.Debts.Owe(p)
		return out
	}}
	if settled {
		x.Settled = func(c *rpc.Call, s vfs.Status) {
			if s != vfs.OK {
				c.Restart()
				c.Reply.Uint32(uint32(s))
			}
		}
	}
	return testServer(x)
}

func TestAReplyIsNotCompleteBeforeWhatItTellsOfIsPaid(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  vfs.Status
		settled bool
		want    rpctest.Reply
	}{
		{"paid", vfs.OK, false, rpctest.Reply{Results: words(7)}},
		{"paid, and told", vfs.OK, true, rpctest.Reply{Results: words(7)}},
		{"not paid", vfs.IO, false, rpctest.Reply{Accept: rpctest.SystemErr}},
		{"not paid, and told", vfs.IO, true, rpctest.Reply{Results: words(uint32(vfs.IO))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &payer{status: c.status}
			s := owing(p, rpc.Done, c.settled)
			call := parsed(t, s, worker, rpc.ReplyMemoryMin)
			require.Equal(t, rpc.Owing, s.Run(call))
			_, ok := call.Results()
			require.False(t, ok)
			require.Zero(t, p.paid)
			s.Settle(call)
			require.Equal(t, 1, p.paid)
			got := decode(t, call)
			c.want.XID, got.Verf.Body = xid, nil
			require.Equal(t, c.want, got)
			results, ok := call.Results()
			require.Equal(t, c.want.Accept == 0, ok)
			require.Equal(t, c.want.Results, results)
		})
	}
}

func TestCallsThatRanTogetherPayTogether(t *testing.T) {
	p := &payer{status: vfs.NoSpc}
	s := owing(p, rpc.Done, true)
	reads := more(func(c *rpc.Call) rpc.Outcome { return rpc.Done })
	a, b, c := parsed(t, s, worker, rpc.ReplyMemoryMin), parsed(t, reads, worker, rpc.ReplyMemoryMin),
		parsed(t, s, worker, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Owing, s.Run(a))
	require.Equal(t, rpc.Done, reads.Run(b), "it owes nothing")
	require.Equal(t, rpc.Owing, s.Run(c))
	s.Settle(a)
	p.status = vfs.OK // what comes later
	s.Settle(c)
	require.Equal(t, 1, p.paid)
	require.Equal(t, words(uint32(vfs.NoSpc)), decode(t, a).Results)
	require.Equal(t, words(uint32(vfs.NoSpc)), decode(t, c).Results)
}

func TestALaneOwesNothing(t *testing.T) {
	p := &payer{}
	s := owing(p, rpc.Done, true)
	require.Equal(t, rpc.Done, s.Run(parsed(t, s, lane, rpc.ReplyMemoryMin)))
}

func TestACallThatEndsOtherwiseLeavesNoDebt(t *testing.T) {
	for _, out := range []rpc.Outcome{rpc.GarbageArgs, rpc.SystemErr, rpc.TooWeak, rpc.Wait} {
		p := &payer{}
		s := owing(p, out, true)
		require.Equal(t, rpc.Done, s.Run(parsed(t, s, worker, rpc.ReplyMemoryMin)))
		require.Equal(t, 1, p.paid)
	}
	p := &payer{}
	s := more(func(c *rpc.Call) rpc.Outcome {
		c.Place.Thread.Debts.Owe(p)
		panic("in the middle")
	})
	c := parsed(t, s, worker, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, 1, p.paid)
	require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept)
	require.False(t, worker.Thread.Debts.Owe(p), "still open")
}

func TestAPanicOfWhoIsToldOfADebtIsSystemErr(t *testing.T) {
	p := &payer{}
	s := testServer(rpc.Procedure{
		Name:    "MORE",
		Handle:  func(c *rpc.Call) rpc.Outcome { c.Place.Thread.Debts.Owe(p); return rpc.Done },
		Settled: func(*rpc.Call, vfs.Status) { panic("told") },
	})
	panics := 0
	s.OnPanic = func(*rpc.Call, any, []byte) { panics++ }
	c := parsed(t, s, worker, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Owing, s.Run(c))
	s.Settle(c)
	require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept)
	require.Equal(t, 1, panics)
}

// breaking is a payer that panics.
type breaking struct{}

func (breaking) Pay() vfs.Status { panic("paying") }

func TestAPanicOfAPayerIsSystemErr(t *testing.T) {
	for _, out := range []rpc.Outcome{rpc.Done, rpc.GarbageArgs} {
		s := testServer(rpc.Procedure{Name: "MORE", Handle: func(c *rpc.Call) rpc.Outcome {
			c.Place.Thread.Debts.Owe(breaking{})
			return out
		}})
		panics := 0
		s.OnPanic = func(*rpc.Call, any, []byte) { panics++ }
		c := parsed(t, s, worker, rpc.ReplyMemoryMin)
		if s.Run(c) == rpc.Owing {
			s.Settle(c)
		}
		require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept)
		require.Equal(t, 1, panics)

		p := &payer{}
		s = owing(p, rpc.Done, true)
		c = parsed(t, s, worker, rpc.ReplyMemoryMin)
		require.Equal(t, rpc.Owing, s.Run(c), "the worker goes on")
		s.Settle(c)
		require.Equal(t, words(7), decode(t, c).Results)
	}
}

// The results of one that owes are looked at when they are complete.
func TestAReplyThatOwesMayOverflow(t *testing.T) {
	p := &payer{}
	var fault error
	s := more(func(c *rpc.Call) rpc.Outcome {
		c.Place.Thread.Debts.Owe(p)
		c.Reply.Reserve(c.Reply.Free() + 1)
		return rpc.Done
	})
	s.OnFault = func(_ *rpc.Call, err error) { fault = err }
	c := parsed(t, s, worker, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Owing, s.Run(c))
	s.Settle(c)
	require.EqualValues(t, rpctest.SystemErr, decode(t, c).Accept)
	require.ErrorIs(t, fault, rpc.ErrOverflow)
	require.Equal(t, 1, p.paid)
}

// What is wrapped and kept for duplicates is what the settled call says.
func TestAProtectedReplyIsWrappedWhenItIsSettled(t *testing.T) {
	p := &payer{status: vfs.IO}
	s, g := gssServer(rpc.Procedure{Name: "MORE", Once: true, Handle: func(c *rpc.Call) rpc.Outcome {
		c.Place.Thread.Debts.Owe(p)
		c.Reply.Uint32(7)
		return rpc.Done
	}, Settled: func(c *rpc.Call, st vfs.Status) {
		c.Restart()
		c.Reply.Uint32(uint32(st))
	}})
	var c rpc.Call
	require.NoError(t, s.Parse(&c, sealed(procMore, 1, nil).Bytes(), nil))
	c.Place = worker
	c.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	require.Equal(t, rpc.Owing, s.Run(&c))
	require.Zero(t, g.wraps)
	s.Settle(&c)
	require.Equal(t, 1, g.wraps)
	body := words(1, uint32(vfs.IO))
	require.Equal(t, append(words(8), append(body, words(sum(body))...)...), decode(t, &c).Results)
	results, ok := c.Results()
	require.True(t, ok)
	require.Equal(t, words(uint32(vfs.IO)), results)
}
