package rpc_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// The value after an opaque of any length is found behind the opaque's padding, at most three
// bytes.
func TestWhatFollowsACredentialIsBehindItsPadding(t *testing.T) {
	for n := range 13 {
		call := null0()
		call.Cred = rpctest.Opaque{Flavor: rpc.AuthNone, Body: bytes.Repeat([]byte{0xff}, n)}
		call.Verf = rpctest.Opaque{Flavor: rpc.AuthNone, Body: bytes.Repeat([]byte{0xff}, n/2)}
		call.Proc, call.Args = procEcho, rpctest.Args(nil).String("hello")
		var c rpc.Call
		require.NoError(t, testServer().Parse(&c, call.Bytes(), nil), "%d bytes", n)
		require.Equal(t, 12, c.Args.Left(), "%d bytes", n)
		require.Equal(t, "hello", string(c.Args.Opaque(5)), "%d bytes", n)
	}
}

func TestTheUserIsBehindThePaddingOfTheMachinesName(t *testing.T) {
	for n := range 9 {
		body := rpctest.Args(nil).U32(1).String(strings.Repeat("\xff", n)).U32(10, 20, 2, 30, 40)
		require.Zero(t, len(body)%4)
		a, stat := acceptSys(body)
		require.Equal(t, rpc.AuthOK, stat, "a name of %d bytes", n)
		require.Equal(t, "10 20 [30 40]", fmt.Sprint(a.UID, a.GID, a.Groups()), "a name of %d bytes", n)
	}
}

// The limits with their numbers written out: the last value that is allowed, and the next.
func TestTheFragmentThatPassesTheLimitIsTheOneBehindIt(t *testing.T) {
	for _, c := range []struct {
		empty int // fragments without a byte, and then one with the last
		err   error
	}{{9, nil}, {10, nil}, {11, rpc.ErrFragments}} {
		stream := append(bytes.Repeat(mark(false, 0), c.empty), append(mark(true, 1), 'x')...)
		got, err := feed(t, newRecords(100, 10), stream)
		require.Equal(t, c.err, err, "%d empty fragments", c.empty)
		require.Len(t, got, map[bool]int{true: 1}[c.err == nil])
	}
	require.Equal(t, 1024, rpc.EmptyMax)
	for _, c := range []struct {
		bytes int // in fragments of one byte
		err   error
	}{{99, nil}, {100, nil}, {101, rpc.ErrTooBig}} {
		var stream []byte
		for i := range c.bytes {
			stream = append(append(stream, mark(i == c.bytes-1, 1)...), byte(i))
		}
		_, err := feed(t, newRecords(100, 10), stream)
		require.Equal(t, c.err, err, "%d bytes", c.bytes)
	}
	require.EqualValues(t, 1<<31|5, rpc.Mark(5))
	require.Equal(t, []byte{0x80, 0, 0, 5}, binary.BigEndian.AppendUint32(nil, rpc.Mark(5)))
}

func TestCredentialsAndVerifiersMayHave400Bytes(t *testing.T) {
	for n, stat := range map[int]uint32{399: 0, 400: 0, 401: rpctest.AuthBadCred} {
		call := null0()
		call.Cred.Body = make([]byte, n)
		b, err := rpctest.Serve(testServer(), lane, nil, call.Bytes())
		require.NoError(t, err)
		r, err := rpctest.ParseReply(b)
		require.NoError(t, err)
		require.Equal(t, stat, r.Auth, "%d bytes", n)
		require.Equal(t, stat != 0, r.Denied, "%d bytes", n)
	}
	require.Equal(t, 400, rpc.CredentialMax)
}

// A stream that ends there breaks a record off, although none of the record's bytes has come.
func TestAStreamIsNotBetweenRecordsBehindAnEmptyFragment(t *testing.T) {
	r := newRecords(100, 10)
	_, err := feed(t, r, mark(false, 0))
	require.NoError(t, err)
	require.False(t, r.Between())
	_, err = feed(t, r, mark(true, 0))
	require.NoError(t, err)
	require.True(t, r.Between())
}

// What a procedure says in one run does not hold for the next run.
func TestOnlyTheRunThatSaysSoIsBrief(t *testing.T) {
	runs := 0
	s := more(func(c *rpc.Call) rpc.Outcome {
		if runs++; runs == 1 {
			c.Brief = true
		}
		return rpc.Wait
	})
	c := parsed(t, s, lane, rpc.ReplyMemoryMin)
	require.Equal(t, rpc.Wait, s.Run(c))
	require.True(t, c.Brief)
	require.Equal(t, rpc.Wait, s.Run(c))
	require.False(t, c.Brief)
}

// Results that may be shorter: how many bytes there is room for, and how many are asked for.
func TestRoomForResultsThatMayBeShorter(t *testing.T) {
	const header = 24
	for _, c := range []struct {
		memory, least, most int
		short               bool
		room                int // 0: not enough
		asked, askedLeast   int
	}{
		{header + 5000, 100, 5000, false, 5000, 0, 0},
		{header + 4999, 100, 5000, false, 0, header + 5000, header + 1024}, // no reply has less than 1024
		{header + 4999, 2000, 5000, false, 0, header + 5000, header + 2000},
		{header + 4999, 2000, 5000, true, 4999, 0, 0},
		{header + 2000, 2000, 5000, true, 2000, 0, 0},
		{header + 1999, 2000, 5000, true, 0, header + 5000, header + 2000},
		{header + 1024, 1023, 5000, true, 1024, 0, 0},
	} {
		room, ok := 0, false
		s := more(func(call *rpc.Call) rpc.Outcome {
			if room, ok = call.RoomBetween(c.least, c.most); !ok {
				return rpc.Grow
			}
			return rpc.Done
		})
		call := parsed(t, s, lane, c.memory)
		call.Short = c.short
		out := s.Run(call)
		require.Equal(t, c.room, room, "%+v", c)
		require.Equal(t, c.room > 0, ok, "%+v", c)
		if c.room > 0 {
			require.Equal(t, rpc.Done, out, "%+v", c)
			continue
		}
		require.Equal(t, rpc.Grow, out, "%+v", c)
		require.Equal(t, c.asked, call.Need, "%+v", c)
		require.Equal(t, c.askedLeast, call.Least, "%+v", c)
	}
}

// TestDataIsShortInWholePages: where memory is short, a READ returns whole pages, or else whole
// sectors, and never less than the least that is asked for.
func TestDataIsShortInWholePages(t *testing.T) {
	const before, header, padding = 24, 20, 3 // of the Reply, of the results
	for _, c := range []struct {
		memory, count int
		short         bool
		n             int
		asked, least  int
	}{
		{before + header + 5000 + padding, 5000, false, 5000, 0, 0},
		{before + header + 5000 + padding - 1, 5000, true, 4096, 0, 0},
		{before + header + 4096 + padding - 1, 5000, true, 3584, 0, 0},
		{before + header + 1024 + padding, 5000, true, 1024, 0, 0},
		{before + 1024, 5000, true, 512, 0, 0},
		{before + 1024, 100, false, 100, 0, 0},
		{before + 1024, 5000, false, 0, before + header + 5000 + padding, 1024 + before},
	} {
		n, ok := 0, false
		s := more(func(call *rpc.Call) rpc.Outcome {
			if n, ok = call.RoomForData(header, c.count); !ok {
				return rpc.Grow
			}
			return rpc.Done
		})
		call := parsed(t, s, lane, c.memory)
		call.Short = c.short
		out := s.Run(call)
		require.Equal(t, c.n, n, "%+v", c)
		require.Equal(t, c.n > 0, ok, "%+v", c)
		if c.n > 0 {
			require.Equal(t, rpc.Done, out, "%+v", c)
			continue
		}
		require.Equal(t, rpc.Grow, out, "%+v", c)
		require.Equal(t, c.asked, call.Need, "%+v", c)
		require.Equal(t, c.least, call.Least, "%+v", c)
	}
}
