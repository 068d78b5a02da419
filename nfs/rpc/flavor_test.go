package rpc_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// gss is a flavor with all the habits of RPCSEC_GSS (RFC 2203): control procedures that come as
// NULL make contexts; a sequence number is checked once and signed in the reply; verifiers cover
// the header; arguments and results come in an envelope with a checksum. Its checksum is a sum of
// bytes.
type gss struct {
	contexts map[uint32]bool
	seen     map[uint32]bool
	wraps    int
}

const (
	gssData = iota
	gssInit
)

// gssCall is the Protection of one call.
type gssCall struct {
	g   *gss
	seq uint32
}

func sum(b []byte) (n uint32) {
	for _, x := range b {
		n = n*31 + uint32(x)
	}
	return n
}

func (g *gss) Number() uint32 { return rpc.RPCSecGSS }

func (g *gss) Accept(c *rpc.Call, p *rpc.Presented) rpc.AuthStat {
	if len(p.Cred) != 12 {
		return rpc.AuthBadCred
	}
	kind, seq, context := words32(p.Cred), words32(p.Cred[4:]), words32(p.Cred[8:])
	if kind == gssInit {
		if c.Proc != procNull {
			return rpc.AuthBadCred
		}
		c.Divert(&rpc.Procedure{Name: "INIT", Class: rpc.Blocking, Handle: func(c *rpc.Call) rpc.Outcome {
			if !c.Place.Thread.MayWait {
				return rpc.Wait
			}
			name := c.Args.Uint32()
			if c.Args.Err() != nil {
				return rpc.GarbageArgs
			}
			g.contexts[name] = true
			c.Reply.Uint32(name)
			return rpc.Done
		}})
		return rpc.AuthOK
	}
	if !g.contexts[context] {
		return rpc.AuthGSSCtxProblem
	}
	if p.VerfFlavor != rpc.RPCSecGSS || len(p.Verf) != 4 || words32(p.Verf) != sum(p.Signed) {
		return rpc.AuthGSSCredProblem
	}
	if g.seen[seq] {
		return rpc.AuthDiscard
	}
	g.seen[seq] = true
	c.Auth.UID, c.Auth.GID = 77, 78
	c.Auth.SetGroups([]uint32{79})
	c.Protect(&gssCall{g: g, seq: seq})
	return rpc.AuthOK
}

func (p *gssCall) Unwrap(c *rpc.Call) bool {
	body := c.Args.Opaque(1 << 20)
	check := c.Args.Uint32()
	if c.Args.Err() != nil || len(body) < 4 || check != sum(body) || words32(body) != p.seq {
		return false
	}
	c.Args.Reset(body[4:])
	return true
}

func (p *gssCall) Verifier(_ *rpc.Call, dst []byte) (flavor uint32, n int) {
	binary.BigEndian.PutUint32(dst, p.seq^0xffffffff)
	return rpc.RPCSecGSS, 4
}

func (p *gssCall) Overhead(*rpc.Call) (before, behind int) { return 8, 4 }

func (p *gssCall) Wrap(c *rpc.Call, at int) {
	p.g.wraps++
	n := c.Reply.Len() - at - 4
	c.Reply.SetUint32(at, uint32(n))
	c.Reply.SetUint32(at+4, p.seq)
	c.Reply.Uint32(sum(c.Reply.Bytes()[at+4:]))
}

// sealed returns a DATA call of context 5.
func sealed(proc, seq uint32, args []byte) rpctest.Call {
	c := rpctest.NewCall(xid, testProg, testVers, proc, nil).
		As(rpctest.Opaque{Flavor: rpc.RPCSecGSS, Body: words(gssData, seq, 5)})
	signed := c.Bytes()
	signed = signed[:len(signed)-8]
	c.Verf = rpctest.Opaque{Flavor: rpc.RPCSecGSS, Body: words(sum(signed))}
	body := append(words(seq), args...)
	c.Args = rpctest.Args(nil).Opaque(body).U32(sum(body))
	return c
}

func gssServer(more ...rpc.Procedure) (*rpc.Server, *gss) {
	g := &gss{contexts: map[uint32]bool{5: true}, seen: map[uint32]bool{}}
	s := testServer(more...)
	s.Use(g)
	return s, g
}

func TestAProtectedCallIsUnwrappedAndItsReplyWrapped(t *testing.T) {
	s, _ := gssServer()
	var c rpc.Call
	b, err := rpctest.Serve(s, lane, &c, sealed(procEcho, 9, rpctest.Args(nil).String("hello")).Bytes())
	require.NoError(t, err)
	r, err := rpctest.ParseReply(b)
	require.NoError(t, err)
	assert.Equal(t, rpctest.Opaque{Flavor: rpc.RPCSecGSS, Body: words(9 ^ 0xffffffff)}, r.Verf)
	assert.False(t, c.Move(make([]byte, 1024), nil, nil), "its context may have views of the record")
	bare := rpctest.Args(nil).String("hello")
	body := append(words(9), bare...)
	assert.Equal(t, []byte(rpctest.Args(nil).U32(uint32(len(body))).Raw(body).U32(sum(body))), r.Results)
	assert.EqualValues(t, 77, c.Auth.UID)
	assert.Equal(t, []uint32{79}, c.Auth.Groups())

	results, ok := c.Results()
	require.True(t, ok)
	assert.Equal(t, []byte(bare), results, "what a duplicate is answered with is not wrapped")
}

func TestADuplicateIsWrappedForItsOwnCall(t *testing.T) {
	s, _ := gssServer()
	var again rpc.Call
	require.NoError(t, s.Parse(&again, sealed(procEcho, 10, rpctest.Args(nil).String("hello")).Bytes(), nil))
	again.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	bare := []byte(rpctest.Args(nil).String("hello"))
	require.Equal(t, rpc.Done, s.Replay(&again, bare))
	r := decode(t, &again)
	assert.Equal(t, words(10^0xffffffff), r.Verf.Body)
	assert.Equal(t, words(10), r.Results[4:8])
	assert.Equal(t, bare, r.Results[8:len(r.Results)-4])
}

func TestAFlavorDeniesDropsAndRejectsArguments(t *testing.T) {
	serve := func(s *rpc.Server, c rpctest.Call) *rpctest.Reply {
		b, err := rpctest.Serve(s, lane, nil, c.Bytes())
		require.NoError(t, err)
		if b == nil {
			return nil
		}
		r, err := rpctest.ParseReply(b)
		require.NoError(t, err)
		return &r
	}
	s, g := gssServer()
	require.EqualValues(t, rpctest.Success, serve(s, sealed(procNull, 1, nil)).Accept)
	assert.Nil(t, serve(s, sealed(procNull, 1, nil)), "a sequence number comes once")

	c := sealed(procNull, 2, nil)
	c.Verf.Body = words(0)
	assert.EqualValues(t, rpc.AuthGSSCredProblem, serve(s, c).Auth)

	c = sealed(procNull, 3, nil)
	c.Args = rpctest.Args(c.Args).U32(0)[4:]
	r := serve(s, c)
	assert.EqualValues(t, rpctest.GarbageArgs, r.Accept)
	assert.Equal(t, words(3^0xffffffff), r.Verf.Body, "an accepted reply has its verifier, whatever its status")

	wraps := g.wraps
	c = sealed(procEcho, 4, nil)
	assert.EqualValues(t, rpctest.GarbageArgs, serve(s, c).Accept)
	c = sealed(procHole, 5, nil)
	assert.EqualValues(t, rpctest.ProcUnavail, serve(s, c).Accept)
	assert.Equal(t, wraps, g.wraps, "only results are wrapped")

	g.contexts = nil
	assert.EqualValues(t, rpc.AuthGSSCtxProblem, serve(s, sealed(procNull, 6, nil)).Auth)
}

func TestAFlavorAnswersCallsItself(t *testing.T) {
	s, g := gssServer()
	// This holds whatever program the call is for: here one that is not served.
	call := rpctest.NewCall(xid, 1, 1, procNull, words(42)).
		As(rpctest.Opaque{Flavor: rpc.RPCSecGSS, Body: words(gssInit, 0, 0)})
	var c rpc.Call
	require.NoError(t, s.Parse(&c, call.Bytes(), nil))
	require.Equal(t, "INIT", c.Procedure().Name)
	require.Equal(t, rpc.Blocking, c.Procedure().Class)
	_, err := rpctest.Serve(s, lane, &c, call.Bytes())
	require.ErrorIs(t, err, rpctest.ErrWait)
	b, err := rpctest.Serve(s, worker, &c, call.Bytes())
	require.NoError(t, err)
	r, err := rpctest.ParseReply(b)
	require.NoError(t, err)
	require.Equal(t, words(42), r.Results)
	require.True(t, g.contexts[42])
}

func TestAProtectedProcedureIsRunAgain(t *testing.T) {
	const size = 4000
	s, g := gssServer(rpc.Procedure{Name: "MORE", Handle: func(c *rpc.Call) rpc.Outcome {
		v := c.Args.Uint32()
		if !c.Place.Thread.MayWait {
			return rpc.Wait
		}
		if !c.Room(size) {
			return rpc.Grow
		}
		copy(c.Reply.Reserve(size), bytes.Repeat([]byte{byte(v)}, size))
		return rpc.Done
	}})
	var c rpc.Call
	require.NoError(t, s.Parse(&c, sealed(procMore, 1, words(6)).Bytes(), nil))
	c.Place = lane
	c.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	require.Equal(t, rpc.Wait, s.Run(&c))
	c.Place = worker
	require.Equal(t, rpc.Grow, s.Run(&c))
	require.Zero(t, g.wraps)
	c.Reply.Reset(make([]byte, c.Need))
	require.Equal(t, rpc.Done, s.Run(&c))
	r := decode(t, &c)
	require.Len(t, r.Results, 8+size+4, "the checksum had its room")
	require.Equal(t, bytes.Repeat([]byte{6}, size), r.Results[8:8+size])
	require.Equal(t, 1, g.wraps)
}

func TestRoomDoesNotGiveAwayWhatTheFlavorNeeds(t *testing.T) {
	s, _ := gssServer(rpc.Procedure{Name: "MORE", Handle: func(c *rpc.Call) rpc.Outcome {
		if free := c.Reply.Free(); c.Room(free) {
			t.Errorf("there is room for all %d bytes that are left", free)
		} else if !c.Room(free - 4) {
			t.Errorf("there is no room for what is left but the checksum")
		}
		c.Reply.Reserve(c.Reply.Free())
		return rpc.Done
	}})
	b, err := rpctest.Serve(s, lane, nil, sealed(procMore, 1, nil).Bytes())
	require.NoError(t, err)
	r, err := rpctest.ParseReply(b)
	require.NoError(t, err)
	require.EqualValues(t, rpctest.SystemErr, r.Accept, "taking it all the same is a fault")
}

func TestAPooledCallDoesNotInheritAProtection(t *testing.T) {
	s, g := gssServer()
	var c rpc.Call
	_, err := rpctest.Serve(s, lane, &c, sealed(procNull, 1, nil).Bytes())
	require.NoError(t, err)
	require.Equal(t, 1, g.wraps)
	b, err := rpctest.Serve(s, lane, &c, null0().Bytes())
	require.NoError(t, err)
	require.Equal(t, words(xid, 1, 0, 0, 0, 0), b)
	require.Equal(t, 1, g.wraps)
}

// tls answers the probe of RFC 9289: a NULL with flavor AUTH_TLS, whose reply has
// a verifier that says STARTTLS.
type tls struct{ probes int }

func (p *tls) Number() uint32 { return rpc.AuthTLS }

func (p *tls) Accept(c *rpc.Call, _ *rpc.Presented) rpc.AuthStat {
	if c.Proc != procNull || c.Datagram {
		return rpc.AuthBadCred
	}
	c.Protect(p)
	c.Divert(&rpc.Procedure{Name: "STARTTLS", Handle: func(*rpc.Call) rpc.Outcome {
		p.probes++ // here the connection would learn of it
		return rpc.Done
	}})
	return rpc.AuthOK
}

func (p *tls) Unwrap(*rpc.Call) bool                        { return true }
func (p *tls) Overhead(*rpc.Call) (before, behind int)      { return 0, 0 }
func (p *tls) Wrap(*rpc.Call, int)                          {}
func (p *tls) Verifier(_ *rpc.Call, b []byte) (uint32, int) { return rpc.AuthNone, copy(b, "STARTTLS") }

func TestAFlavorAnswersATLSProbe(t *testing.T) {
	p := &tls{}
	s := testServer()
	s.Use(p)
	b, err := rpctest.Serve(s, lane, nil, null0().As(rpctest.Opaque{Flavor: rpc.AuthTLS}).Bytes())
	require.NoError(t, err)
	r, err := rpctest.ParseReply(b)
	require.NoError(t, err)
	require.Equal(t, rpctest.Opaque{Body: []byte("STARTTLS")}, r.Verf)
	require.EqualValues(t, rpctest.Success, r.Accept)
	require.Empty(t, r.Results)
	require.Equal(t, 1, p.probes)
}
