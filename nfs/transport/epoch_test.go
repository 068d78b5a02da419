package transport

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// Back ends answer all calls of one epoch from one answer of the kernel. A peer that has seen a
// reply must not get an answer from before that reply.
func TestACallThatFollowsAReplyRunsInALaterEpoch(t *testing.T) {
	tell := func(c *rpc.Call) rpc.Outcome {
		c.Reply.Uint64(c.Place.Thread.Epoch)
		return rpc.Done
	}
	srv, err := New(testConfig())
	require.NoError(t, err)
	fd, addr := listenTCP(t)
	ts := &testServer{t: t, srv: srv, addr: addr}
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(&rpc.Program{
		Name: "TEST", Number: testProgram, Versions: []rpc.Version{{Number: 1, Procedures: []rpc.Procedure{
			0: {Name: "LANE", Handle: tell},
			1: {Name: "WORKER", Class: rpc.Blocking, Handle: tell},
		}}},
	})}}))
	t.Cleanup(func() { drain(t, srv) })
	ask := func(c io.ReadWriter, proc uint32) uint64 {
		_, err := c.Write(message(1, proc, nil))
		require.NoError(t, err)
		_, res := reply(t, c)
		return binary.BigEndian.Uint64(res)
	}
	a, b := ts.dial(), ts.dial()
	last := uint64(0)
	for range 100 {
		for _, c := range []io.ReadWriter{a, b} {
			epoch := ask(c, 0)
			require.Greater(t, epoch, last)
			last = epoch
		}
		require.Zero(t, ask(a, 1), "workers share nothing")
	}
}
