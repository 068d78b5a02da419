package v4

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "the sequence that the model tests run; 0 for several")
	modelSteps = flag.Int("model.steps", 3000, "how many steps it has")
)

// course is the way of a model and a server side by side: what is sent to the server, by which
// connection and when, and what was said to it.
type course struct {
	r     *rig
	rnd   *rand.Rand
	now   uint32
	store *twoGenerations
	files []nfs4.NfsArgop4 // PUTFH of each
	conns uint64           // that there have been
	epoch uint32

	log      []string
	accepted int
}

func newCourse(seed uint64) course {
	return course{rnd: rand.New(rand.NewPCG(seed, 0)), now: 100, conns: 4,
		store: &twoGenerations{current: make(map[string]state.Record)}}
}

// begin has a server begin, with three files. If the test fails, it tells the last steps.
func (c *course) begin(t *testing.T, cfg Config) {
	fs := memfs.New(memfs.Config{Mode: 0o777})
	c.r = newRig(t, cfg, export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last steps: %q", c.log[max(0, len(c.log)-16):])
		}
	})
	require.NoError(t, c.r.cfg.State.Recover())
	file := maker(t, c.r, fs)
	for i := range 3 {
		name := fmt.Sprint("f", i)
		file(name, "content")
		c.r.minor = 0
		res := c.r.ok(append(walk("x", name), getfh())...)
		c.files = append(c.files, nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH,
			Opputfh: nfs4.PUTFH4args{Object: slices.Clone(res[3].Opgetfh.Resok4.Object)}})
	}
}

// start starts a server, the first one or another. Clients are courteous so many seconds, 0 for
// long.
func (c *course) start(courtesyMax uint32) Config {
	return remembersIn(&c.now, func(s *state.Config, f *files.Config) {
		s.CourtesyMax = courtesyMax
		s.Store, s.LeaseSeconds, f.LeaseSeconds = c.store, leaseOfModel, leaseOfModel
		c.epoch++
		s.Epoch, f.Epoch = c.epoch, c.epoch
	})
}

func (c *course) say(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

func (c *course) want(what string, got, want nfs4.Nfsstat4) {
	c.r.t.Helper()
	c.say("%s: %v", what, got)
	if got != want {
		c.r.t.Fatalf("%s: %v, want %v", what, got, want)
	}
	if got == nfs4.NFS4_OK {
		c.accepted++
	}
}

// send sends a request by any connection.
func (c *course) send(args []byte) []byte {
	if c.rnd.IntN(8) == 0 { // one is lost, and another one begins
		c.r.cfg.State.Disconnect(1 + c.rnd.Uint64N(c.conns))
		c.conns++
	}
	c.r.conn = 1 + c.rnd.Uint64N(c.conns)
	return c.r.run(c.r.record(args))
}

func (c *course) same(what string, got, want nfs4.Stateid4) {
	if got != want {
		c.r.t.Fatalf("%s: stateid %v, want %v", what, got, want)
	}
}

// aRange returns some bytes and a kind of lock.
func (c *course) aRange() (kind nfs4.NfsLockType4, off, n int) {
	off = c.rnd.IntN(spanOfModel)
	return []nfs4.NfsLockType4{nfs4.READ_LT, nfs4.WRITE_LT}[c.rnd.IntN(2)], off, 1 + c.rnd.IntN(spanOfModel-off)
}

// eachSeed runs a model beside a server by several seeds, or by the one that is asked for.
func eachSeed(t *testing.T, run func(t *testing.T, seed uint64, steps int)) {
	seeds := []uint64{*modelSeed}
	if *modelSeed == 0 {
		seeds = []uint64{1, 2, 3, 4, rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("again: -model.seed %d -model.steps %d", seed, *modelSteps)
			run(t, seed, *modelSteps)
		})
	}
}

// twoGenerations is a store of client records that survives restarts.
type twoGenerations struct{ old, current map[string]state.Record }

func (g *twoGenerations) Load() ([]state.Record, error) {
	if g.old == nil {
		g.old = make(map[string]state.Record)
	}
	maps.Copy(g.old, g.current)
	g.current = make(map[string]state.Record)
	return slices.Collect(maps.Values(g.old)), nil
}

func (g *twoGenerations) Record(rs []state.Record) error {
	for _, r := range rs {
		g.current[r.Owner] = r
	}
	return nil
}

func (g *twoGenerations) Forget(rs []state.Record) error {
	for _, r := range rs {
		for _, m := range []map[string]state.Record{g.old, g.current} {
			if m[r.Owner].Verifier == r.Verifier {
				delete(m, r.Owner)
			}
		}
	}
	return nil
}

func (g *twoGenerations) EndGrace() error { clear(g.old); return nil }
