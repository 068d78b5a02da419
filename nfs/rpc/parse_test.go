package rpc_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

const xid = 0xcafe0001

// hello is a good call of ECHO.
func hello() rpctest.Call {
	return rpctest.NewCall(xid, testProg, testVers, procEcho, rpctest.Args(nil).String("hello")).
		As(rpctest.Sys(1000, 100, 4, 24, 27))
}

// null0 is a good call of NULL.
func null0() rpctest.Call { return rpctest.NewCall(xid, testProg, testVers, procNull, nil) }

func with(c rpctest.Call, change func(*rpctest.Call)) []byte {
	change(&c)
	return c.Bytes()
}

func TestEachWayToAnswerACall(t *testing.T) {
	accepted := func(rest ...uint32) []byte { return words(append([]uint32{xid, 1, 0, 0, 0}, rest...)...) }
	denied := func(rest ...uint32) []byte { return words(append([]uint32{xid, 1, 1}, rest...)...) }
	badcred, badverf := denied(1, 1), denied(1, 3)
	sys := func(body []byte) []byte {
		return with(null0(), func(c *rpctest.Call) { c.Cred = rpctest.Opaque{Flavor: 1, Body: body} })
	}
	flavor := func(n uint32) []byte {
		return with(null0(), func(c *rpctest.Call) { c.Cred.Flavor = n })
	}
	for _, c := range []struct {
		name  string
		call  []byte
		reply []byte
	}{
		{"NULL succeeds", null0().Bytes(), accepted(0)},
		{"NULL ignores what follows it", append(null0().Bytes(), "trailing rubbish"...), accepted(0)},
		{"NULL with AUTH_SYS succeeds", null0().As(rpctest.Sys(0, 0)).Bytes(), accepted(0)},
		{"results follow the header", hello().Bytes(), append(accepted(0, 5), "hello\x00\x00\x00"...)},

		{"RPC version 1", with(hello(), func(c *rpctest.Call) { c.RPCVers = 1 }), denied(0, 2, 2)},
		{"RPC version 3 and nothing behind it", words(xid, 0, 3), denied(0, 2, 2)},
		{
			"RPC version before credential",
			with(hello(), func(c *rpctest.Call) { c.RPCVers, c.Cred.Flavor = 0, 99 }),
			denied(0, 2, 2),
		},

		{"unknown flavor", flavor(99), badcred},
		{"largest flavor", flavor(0xffffffff), badcred},
		{"AUTH_SHORT was never given out", flavor(rpc.AuthShort), badcred},
		{"AUTH_DH", flavor(3), badcred},
		{"RPCSEC_GSS is not served", flavor(rpc.RPCSecGSS), badcred},
		{"TLS probe is answered with a no", flavor(rpc.AuthTLS), badcred},
		{
			"unknown flavor before bad verifier",
			with(hello(), func(c *rpctest.Call) { c.Cred.Flavor, c.Verf.Body = 99, make([]byte, 401) }), badcred,
		},
		{
			"credential before program",
			with(hello(), func(c *rpctest.Call) { c.Cred.Flavor, c.Prog = 99, 1 }), badcred,
		},

		{"credential of 404 bytes", sys(make([]byte, 404)), badcred},
		{"credential of 401 bytes", sys(make([]byte, 401)), badcred},
		{
			"AUTH_NONE of 401 bytes",
			with(null0(), func(c *rpctest.Call) { c.Cred.Body = make([]byte, 401) }), badcred,
		},
		{"credential length of 2^32-1", words(xid, 0, 2, testProg, testVers, 0, 1, 0xffffffff), badcred},
		{
			"AUTH_NONE may carry bytes",
			with(null0(), func(c *rpctest.Call) { c.Cred.Body = make([]byte, 399) }), accepted(0),
		},

		{"AUTH_SYS empty", sys(nil), badcred},
		{"AUTH_SYS of 17 groups", sys(rpctest.Sys(1, 1, make([]uint32, 17)...).Body), badcred},
		{"AUTH_SYS of 16 groups", sys(rpctest.Sys(1, 1, make([]uint32, 16)...).Body), accepted(0)},

		{
			"verifier of 401 bytes",
			with(null0(), func(c *rpctest.Call) { c.Verf.Body = make([]byte, 401) }), badverf,
		},
		{"verifier length of 2^32-1", words(xid, 0, 2, testProg, testVers, 0, 0, 0, 0, 0xffffffff), badverf},
		{
			"verifier of another flavor, AUTH_NONE",
			with(null0(), func(c *rpctest.Call) { c.Verf.Flavor = 1 }), badverf,
		},
		{
			"verifier of another flavor, AUTH_SYS",
			with(hello(), func(c *rpctest.Call) { c.Verf.Flavor = 6 }), badverf,
		},
		{
			"credential before verifier",
			with(null0(), func(c *rpctest.Call) { c.Cred.Flavor, c.Verf.Flavor = 1, 1 }), badcred,
		},
		{
			"verifier before program",
			with(hello(), func(c *rpctest.Call) { c.Verf.Flavor, c.Prog = 6, 1 }), badverf,
		},

		{"program not here", with(null0(), func(c *rpctest.Call) { c.Prog = 100021 }), accepted(1)},
		{
			"NFSv4 learns that there is 3 only",
			with(null0(), func(c *rpctest.Call) { c.Vers = 4 }), accepted(2, 3, 3),
		},
		{"NFSv2 likewise", with(null0(), func(c *rpctest.Call) { c.Vers = 2 }), accepted(2, 3, 3)},
		{
			"version 0 of a program of 1 to 3",
			with(null0(), func(c *rpctest.Call) { c.Prog, c.Vers = 100005, 0 }), accepted(2, 1, 3),
		},
		{
			"version 4 of a program of 1 to 3",
			with(null0(), func(c *rpctest.Call) { c.Prog, c.Vers = 100005, 4 }), accepted(2, 1, 3),
		},
		{
			"largest version",
			with(null0(), func(c *rpctest.Call) { c.Vers = 0xffffffff }), accepted(2, 3, 3),
		},
		{
			"version before procedure",
			with(null0(), func(c *rpctest.Call) { c.Vers, c.Proc = 4, 999 }), accepted(2, 3, 3),
		},
		{"procedure behind the last", with(null0(), func(c *rpctest.Call) { c.Proc = procHole + 1 }), accepted(3)},
		{"largest procedure", with(null0(), func(c *rpctest.Call) { c.Proc = 0xffffffff }), accepted(3)},
		{"procedure that is a hole", with(null0(), func(c *rpctest.Call) { c.Proc = procHole }), accepted(3)},

		{"arguments missing", with(hello(), func(c *rpctest.Call) { c.Args = nil }), accepted(4)},
		{"arguments truncated", with(hello(), func(c *rpctest.Call) { c.Args = c.Args[:8] }), accepted(4)},
		{
			"argument longer than the record",
			with(hello(), func(c *rpctest.Call) { c.Args = words(0xffffffff, 0) }), accepted(4),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rpctest.Serve(testServer(), lane, nil, c.call)
			require.NoError(t, err)
			require.Equal(t, c.reply, got)
			_, err = rpctest.ParseReply(got)
			require.NoError(t, err)
		})
	}
}

func TestParseGivesUpOnWhatCannotBeAnswered(t *testing.T) {
	for _, c := range []struct {
		name string
		msg  []byte
		err  error
	}{
		{"no byte", nil, rpc.ErrHeader},
		{"XID only", words(xid), rpc.ErrHeader},
		{"7 bytes", make([]byte, 7), rpc.ErrHeader},
		{"call without a version", words(xid, 0), rpc.ErrHeader},
		{"reply", words(xid, 1, 0, 0, 0, 0), rpc.ErrNotCall},
		{"reply of 8 bytes", words(xid, 1), rpc.ErrNotCall},
		{"message type 2", words(xid, 2, 2), rpc.ErrNotCall},
		{"ends in the credential", words(xid, 0, 2, testProg, 3, 0, 1, 40, 0, 0), rpc.ErrHeader},
		{"ends in the credential's padding", append(words(xid, 0, 2, testProg, 3, 0, 0, 3), 1, 2, 3), rpc.ErrHeader},
		{"ends before the verifier", words(xid, 0, 2, testProg, 3, 0, 0, 0), rpc.ErrHeader},
		{"ends in the verifier", words(xid, 0, 2, testProg, 3, 0, 0, 0, 0, 4), rpc.ErrHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			var call rpc.Call
			require.ErrorIs(t, testServer().Parse(&call, c.msg, nil), c.err)
		})
	}
	// Every proper prefix of a header.
	header := with(hello(), func(c *rpctest.Call) { c.Args = nil })
	for n := range header {
		var call rpc.Call
		require.ErrorIs(t, testServer().Parse(&call, header[:n], nil), rpc.ErrHeader, "%d bytes", n)
	}
}

func TestParseFillsInTheCall(t *testing.T) {
	var c rpc.Call
	require.NoError(t, testServer().Parse(&c, hello().Bytes(), nil))
	assert.EqualValues(t, xid, c.XID)
	assert.EqualValues(t, testProg, c.Prog)
	assert.EqualValues(t, testVers, c.Vers)
	assert.EqualValues(t, procEcho, c.Proc)
	assert.EqualValues(t, rpc.AuthSys, c.Auth.Flavor)
	assert.EqualValues(t, 1000, c.Auth.UID)
	assert.EqualValues(t, 100, c.Auth.GID)
	assert.Equal(t, []uint32{4, 24, 27}, c.Auth.Groups())
	assert.Equal(t, "ECHO", c.Procedure().Name)
	assert.Equal(t, 12, c.Args.Left())
}

func TestAuthNoneIsNobody(t *testing.T) {
	var c rpc.Call
	require.NoError(t, testServer().Parse(&c, null0().Bytes(), nil))
	assert.EqualValues(t, rpc.AuthNone, c.Auth.Flavor)
	assert.EqualValues(t, 65534, c.Auth.UID)
	assert.EqualValues(t, 65534, c.Auth.GID)
	assert.Empty(t, c.Auth.Groups())
}

func TestAPooledCallDoesNotInheritACredential(t *testing.T) {
	s := testServer()
	var c rpc.Call
	require.NoError(t, s.Parse(&c, hello().Bytes(), nil))
	c.Reset()
	require.NoError(t, s.Parse(&c, null0().Bytes(), nil))
	assert.EqualValues(t, 65534, c.Auth.UID)
	assert.Empty(t, c.Auth.Groups())
	c.Reset()
	require.NoError(t, s.Parse(&c, null0().As(rpctest.Sys(7, 8)).Bytes(), nil))
	assert.EqualValues(t, 7, c.Auth.UID)
	assert.Empty(t, c.Auth.Groups())
}

func TestParseDoesNotDependOnThePieces(t *testing.T) {
	s := testServer()
	msg := hello().Bytes()
	want, err := rpctest.Serve(s, lane, nil, msg)
	require.NoError(t, err)
	pieces := func(sizes func(i int) int) [][]byte {
		var p [][]byte
		for rest, i := msg, 0; len(rest) > 0; i++ {
			n := min(sizes(i), len(rest))
			p, rest = append(p, rest[:n]), rest[n:]
		}
		return p
	}
	var c rpc.Call
	check := func(p [][]byte) {
		c.Reset()
		require.NoError(t, s.Parse(&c, p[0], p[1:]))
		head, size := c.ArgsHead(256)
		require.Equal(t, 12, size)
		require.Equal(t, msg[len(msg)-12:], bytes.Clone(head))
		answers(t, s, &c, want)
		require.Equal(t, []uint32{4, 24, 27}, c.Auth.Groups())
	}
	for n := range msg {
		check([][]byte{msg[:n], msg[n:]})
		check(pieces(func(int) int { return n + 1 }))
	}
	check(append([][]byte{nil}, pieces(func(int) int { return 1 })...))
}

func TestArgsHeadIsTheBeginningOfTheArguments(t *testing.T) {
	s := testServer()
	var c rpc.Call
	args := bytes.Repeat([]byte("abcdefgh"), 100)
	call := rpctest.NewCall(xid, testProg, testVers, procNull, args)
	require.NoError(t, s.Parse(&c, call.Bytes(), nil))
	head, size := c.ArgsHead(256)
	assert.Equal(t, args[:256], head)
	assert.Equal(t, 800, size)
	assert.Equal(t, 800, c.Args.Left(), "the arguments are still to be read")

	c.Reset()
	call.Args = args[:9]
	require.NoError(t, s.Parse(&c, call.Bytes(), nil))
	head, size = c.ArgsHead(256)
	assert.Equal(t, args[:8], head, "whole words only")
	assert.Equal(t, 9, size)
}

// Whoever has read too far goes back, wherever the arguments lie and whatever reading them has come
// to.
func TestArgumentsAreReadAgainFromAPlace(t *testing.T) {
	s := testServer()
	var c rpc.Call
	args := []byte("aaaabbbbccccdddd")
	msg := rpctest.NewCall(xid, testProg, testVers, procNull, args).Bytes()
	memory := make([]byte, 1024)
	for n := range msg {
		c.Reset()
		require.NoError(t, s.Parse(&c, msg[:n], [][]byte{msg[n:]}))
		require.Equal(t, 16, c.ArgsSize())
		c.Args.Skip(4)
		left := c.Args.Left()
		require.Equal(t, "bbbbcccc", string(c.Args.Fixed(8)))
		require.Nil(t, c.Args.Fixed(5))
		require.Error(t, c.Args.Err())
		c.Back(left)
		require.NoError(t, c.Args.Err())
		require.Equal(t, "bbbbccccdddd", string(c.Args.Fixed(12)))
		c.Back(left)
		require.True(t, c.Move(memory, msg[:n], [][]byte{msg[n:]}))
		require.Equal(t, "bbbb", string(c.Args.Fixed(4)))
		c.Back(left)
		require.Equal(t, "bbbbccccdddd", string(c.Args.Fixed(12)))
		require.Equal(t, 16, c.ArgsSize())
	}
}

// answers runs a call that has been parsed, and holds it to a reply.
func answers(t *testing.T, s *rpc.Server, c *rpc.Call, want []byte) {
	t.Helper()
	c.Place = lane
	c.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	require.Equal(t, rpc.Done, s.Run(c))
	require.Equal(t, want, c.Reply.Bytes())
}

func TestACallThatIsMovedNeedsItsRecordNoMore(t *testing.T) {
	s := testServer()
	msg := hello().Bytes()
	want, err := rpctest.Serve(s, lane, nil, msg)
	require.NoError(t, err)
	var c rpc.Call
	memory := make([]byte, 1024)
	for n := range msg {
		c.Reset()
		first, rest := bytes.Clone(msg[:n]), [][]byte{bytes.Clone(msg[n:])}
		require.NoError(t, s.Parse(&c, first, rest))
		cred := bytes.Clone(c.Credential())
		require.True(t, c.Move(memory, first, rest))
		clear(first)
		clear(rest[0])
		require.Equal(t, cred, c.Credential())
		head, size := c.ArgsHead(256)
		require.Equal(t, 12, size)
		require.Equal(t, msg[len(msg)-12:], bytes.Clone(head))
		answers(t, s, &c, want)
		clear(memory)
	}
	for _, refused := range [][]byte{
		with(null0(), func(c *rpctest.Call) { c.Cred.Flavor = 99 }),
		with(null0(), func(c *rpctest.Call) { c.RPCVers = 1 }),
		with(hello(), func(c *rpctest.Call) { c.Verf.Flavor = 1 }),
		with(hello(), func(c *rpctest.Call) { c.Prog = 1 }),
	} {
		want, err := rpctest.Serve(s, lane, nil, refused)
		require.NoError(t, err)
		c.Reset()
		record := bytes.Clone(refused)
		require.NoError(t, s.Parse(&c, record, nil))
		require.True(t, c.Move(memory, record, nil))
		clear(record)
		answers(t, s, &c, want)
	}
}
