package rpc_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// FuzzCall gives any message to the server, in one piece or in several. Either the server refuses
// it as a whole, or its reply can be decoded and answers this message.
func FuzzCall(f *testing.F) {
	s, messages := costly()
	for _, msg := range messages {
		f.Add(msg, uint16(40))
	}
	f.Add(hello().Bytes(), uint16(7))
	f.Add(sealed(procEcho, 1, words(0)).Bytes(), uint16(30))
	f.Add(words(xid, 0, 3), uint16(1))
	f.Add(words(xid, 0, 2, testProg, 3, 0, 0, 0xffffffff), uint16(0))
	f.Fuzz(func(t *testing.T, msg []byte, split uint16) {
		reply, err := rpctest.Serve(s, lane, nil, msg)
		if err == nil {
			r, err := rpctest.ParseReply(reply)
			require.NoError(t, err)
			require.Equal(t, words32(msg), r.XID)
		} else {
			require.Nil(t, reply)
		}
		// The same from pieces.
		var c rpc.Call
		at := min(int(split), len(msg))
		middle := at + (len(msg)-at)/2
		err2 := s.Parse(&c, msg[:at], [][]byte{nil, msg[at:middle], msg[middle:]})
		require.Equal(t, err, err2)
		if err == nil {
			c.Place = lane
			c.Reply.Reset(make([]byte, rpc.ReplyMemoryMin+len(msg)))
			require.Equal(t, rpc.Done, s.Run(&c))
			require.True(t, bytes.Equal(reply, c.Reply.Bytes()))
		}
	})
}
