package rpc_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// getattr reads a handle and answers with as many bytes as GETATTR does.
func getattr(c *rpc.Call) rpc.Outcome {
	fh := c.Args.Opaque(64)
	if c.Args.Err() != nil || len(fh) == 0 {
		return rpc.GarbageArgs
	}
	c.Reply.Uint32(0)
	for range 21 {
		c.Reply.Uint32(uint32(fh[0]))
	}
	return rpc.Done
}

// exchange parses and runs the message once.
func exchange(s *rpc.Server, c *rpc.Call, msg, memory []byte) rpc.Outcome {
	c.Reset()
	if s.Parse(c, msg, nil) != nil {
		return rpc.SystemErr
	}
	c.Place = lane
	c.Reply.Reset(memory)
	return s.Run(c)
}

// costly returns a server and the messages whose cost matters.
func costly() (*rpc.Server, map[string][]byte) {
	s := testServer(rpc.Procedure{Name: "GETATTR", Handle: getattr})
	handle := rpctest.Args(nil).Opaque(bytes.Repeat([]byte{0xfe}, 48))
	return s, map[string][]byte{
		"null": null0().Bytes(),
		"getattr": rpctest.NewCall(
			xid,
			testProg,
			testVers,
			procMore,
			handle,
		).As(
			rpctest.Sys(1000, 1000, 4, 24, 27, 30, 46),
		).Bytes(),
		"refused": with(null0(), func(c *rpctest.Call) { c.Vers = 4 }),
	}
}

func TestACallAllocatesNothing(t *testing.T) {
	s, messages := costly()
	memory := make([]byte, rpc.ReplyMemoryMin)
	var c rpc.Call
	for name, msg := range messages {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if exchange(s, &c, msg, memory) != rpc.Done {
					t.Error("not done")
				}
			}))
		})
	}
	t.Run("header in pieces", func(t *testing.T) {
		msg := messages["getattr"]
		rest := [][]byte{msg[30:60], msg[60:]}
		run := func() {
			c.Reset()
			if s.Parse(&c, msg[:30], rest) != nil {
				t.Error("not parsed")
			}
		}
		run() // makes the memory that the Call keeps
		require.Zero(t, testing.AllocsPerRun(100, run))
	})
}

func BenchmarkCall(b *testing.B) {
	s, messages := costly()
	memory := make([]byte, rpc.ReplyMemoryMin)
	var c rpc.Call
	for _, name := range []string{"null", "getattr", "refused"} {
		msg := messages[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				exchange(s, &c, msg, memory)
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	_, messages := costly()
	chunk := bytes.Repeat(rpctest.Record(messages["getattr"]), 32)
	r := newRecords(1<<20, rpc.EmptyMax)
	b.ReportAllocs()
	for b.Loop() {
		for rest := chunk; len(rest) > 0; {
			_, rest, _, _ = r.Next(rest)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(32*b.N), "ns/record")
}
