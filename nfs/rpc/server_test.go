package rpc_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The program that the tests call.
const (
	testProg = 100003
	testVers = 3

	procNull = 0
	procEcho = 1 // answers with its argument, an opaque
	procHole = 2
	procMore = 3 // whatever testServer is given
)

var (
	lane   = &rpc.Place{Thread: &vfs.Thread{}}
	worker = &rpc.Place{Index: 1, Thread: &vfs.Thread{MayWait: true}}
)

func null(*rpc.Call) rpc.Outcome { return rpc.Done }

func echo(c *rpc.Call) rpc.Outcome {
	b := c.Args.Opaque(1 << 20)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	if !c.Room(8 + len(b)) {
		return rpc.Grow
	}
	c.Reply.Opaque(b)
	return rpc.Done
}

// testServer serves one program of versions 3 and 4, and another one of version
// 1 to 3.
func testServer(more ...rpc.Procedure) *rpc.Server {
	procedures := append([]rpc.Procedure{
		procNull: {Name: "NULL", Handle: null},
		procEcho: {Name: "ECHO", Once: true, Handle: echo},
		procHole: {},
	}, more...)
	only := []rpc.Procedure{{Name: "NULL", Handle: null}}
	return rpc.NewServer(
		&rpc.Program{Name: "TEST", Number: testProg, Versions: []rpc.Version{{Number: testVers, Procedures: procedures}}},
		&rpc.Program{Name: "OTHER", Number: 100005, Versions: []rpc.Version{
			{Number: 1, Procedures: only}, {Number: 2, Procedures: only}, {Number: 3, Procedures: only},
		}},
	)
}

// words encodes 32-bit words.
func words(v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func TestNewServerRefusesInconsistentTables(t *testing.T) {
	good := rpc.Version{Number: 1, Procedures: []rpc.Procedure{{Name: "NULL", Handle: null}}}
	for name, programs := range map[string][]*rpc.Program{
		"one number twice": {
			{Number: 1, Versions: []rpc.Version{good}}, {Number: 1, Versions: []rpc.Version{good}},
		},
		"no version":        {{Number: 1}},
		"gap in versions":   {{Number: 1, Versions: []rpc.Version{good, {Number: 3}}}},
		"versions descend":  {{Number: 1, Versions: []rpc.Version{good, {Number: 0}}}},
		"name, no handler":  {{Number: 1, Versions: []rpc.Version{{Procedures: []rpc.Procedure{{Name: "X"}}}}}},
		"handler, no name":  {{Number: 1, Versions: []rpc.Version{{Procedures: []rpc.Procedure{{Handle: null}}}}}},
		"version twice":     {{Number: 1, Versions: []rpc.Version{good, good}}},
		"second one broken": {{Number: 1, Versions: []rpc.Version{good}}, {Number: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Panics(t, func() { rpc.NewServer(programs...) })
		})
	}
	require.NotPanics(t, func() { testServer() })
}

func TestResetForgetsTheCall(t *testing.T) {
	s := testServer()
	var c rpc.Call
	require.NoError(t, s.Parse(&c, hello().Bytes(), nil))
	c.Place = lane
	c.Reply.Reset(make([]byte, rpc.ReplyMemoryMin))
	require.Equal(t, rpc.Done, s.Run(&c))
	c.Reset()
	assert.Nil(t, c.Procedure())
	assert.Nil(t, c.Place)
	assert.Zero(t, c.XID)
	assert.Empty(t, c.Auth.Groups())
	assert.Zero(t, c.Args.Left())
	assert.Zero(t, c.Reply.Len())
	assert.Zero(t, c.Reply.Free())
	_, ok := c.Results()
	assert.False(t, ok)
}
