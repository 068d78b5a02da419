package rpctest_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

func TestACallHasTheBytesOfTheRFC(t *testing.T) {
	call := rpctest.NewCall(1, 100003, 3, 6, rpctest.Args(nil).U64(7).U32(8)).As(rpctest.Sys(10, 20, 30))
	call.Verf = rpctest.Opaque{Flavor: 5, Body: []byte{1}}
	require.Equal(t, "80000058"+
		"00000001"+"00000000"+"00000002"+"000186a3"+"00000003"+"00000006"+
		"00000001"+"00000020"+"00005eed"+"00000006"+"636c69656e740000"+"0000000a"+"00000014"+"00000001"+"0000001e"+
		"00000005"+"00000001"+"01000000"+
		"0000000000000007"+"00000008",
		hex.EncodeToString(call.Record()))
}

func TestSplitIsTheReverseOfFragments(t *testing.T) {
	msg := []byte("message")
	stream := append(rpctest.Fragments(msg, 0, 3, 0), rpctest.Fragments(msg, 7)...)
	stream = append(stream, rpctest.Record(nil)...)
	for n := range stream {
		records, rest := rpctest.Split(stream[:n])
		require.Less(t, len(records), 3)
		for _, r := range records {
			require.Equal(t, msg, r)
		}
		require.Equal(t, stream[n-len(rest):n], rest)
	}
	records, rest := rpctest.Split(stream)
	require.Equal(t, [][]byte{msg, msg, nil}, records)
	require.Empty(t, rest)
}

func TestParseReplyIsStrict(t *testing.T) {
	for name, words := range map[string][]uint32{
		"call":                 {1, 0, 0, 0, 0, 0},
		"unknown reply_stat":   {1, 1, 2},
		"unknown accept_stat":  {1, 1, 0, 0, 0, 6},
		"unknown reject_stat":  {1, 1, 1, 2},
		"bytes after a denial": {1, 1, 1, 1, 5, 0},
		"bytes after a status": {1, 1, 0, 0, 0, 1, 0},
		"verifier too long":    {1, 1, 0, 0, 404},
	} {
		_, err := rpctest.ParseReply(rpctest.Args(nil).U32(words...))
		require.Error(t, err, name)
	}
	for _, words := range [][]uint32{{1, 1, 1, 0, 2, 2}, {1, 1, 1, 1, 5}, {1, 1, 0, 0, 4, 9, 2, 3, 3}, {1, 1, 0, 0, 0, 0}} {
		b := rpctest.Args(nil).U32(words...)
		_, err := rpctest.ParseReply(b)
		require.NoError(t, err)
		for n := range b {
			_, err := rpctest.ParseReply(b[:n])
			require.Error(t, err)
		}
	}
}
