package files

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "the sequence that the model test runs; 0 for several")
	modelSteps = flag.Int("model.steps", 3000, "how many steps it has")
)

func (m *model) client() uint64              { return []uint64{v0, w0, v1, w1}[m.rnd.IntN(4)] }
func (m *model) name(s string, n int) string { return fmt.Sprint(s, m.rnd.IntN(n)) }

// bend makes some stateids old, or of the present (seqid 0), or of the future.
func (m *model) bend(id Stateid) Stateid {
	switch m.rnd.IntN(12) {
	case 0:
		id.Seq--
	case 1:
		id.Seq++
	case 2:
		id.Seq = 0
	}
	return id
}

func (m *model) bendFile(file int) int {
	if m.rnd.IntN(12) == 0 {
		return m.rnd.IntN(3)
	}
	return file
}

func (m *model) anyOpen() *mOpen {
	if len(m.opens) == 0 {
		return nil
	}
	return m.opens[len(m.opens)-1-m.rnd.IntN(min(len(m.opens), 8))]
}

func (m *model) anyID() (Stateid, uint64, int) {
	if len(m.locks) > 0 && m.rnd.IntN(2) == 0 {
		l := m.locks[len(m.locks)-1-m.rnd.IntN(min(len(m.locks), 10))]
		return l.id, l.client, l.file
	}
	if o := m.anyOpen(); o != nil {
		return o.id, o.client, o.file
	}
	return Stateid{}, v1, 0
}

func (m *model) same(what string, got, want Stateid) {
	if got != want {
		m.r.t.Fatalf("%s: stateid %v, want %v", what, got, want)
	}
}

// compare compares what there is in all.
func (m *model) compare(what string) {
	var n Counts
	held := make(map[uint64]int)
	files := make(map[int]int)
	for _, o := range m.opens {
		if o.end == OK {
			n.Opens++
			held[o.client]++
			files[o.file]++
		}
	}
	for _, l := range m.locks {
		if l.end != OK {
			continue
		}
		n.Locks++
		held[l.client]++
		for i, k := range l.has {
			if k != ranges.None && (i == 0 || l.has[i-1] != k) {
				n.Ranges++
			}
		}
	}
	n.Files = len(files)
	got := m.r.Counts()
	if got.Opens != n.Opens || got.Locks != n.Locks || got.Ranges != n.Ranges || got.Files != n.Files {
		m.r.t.Fatalf("%s: counts %+v, want %+v", what, got, n)
	}
	for _, c := range []uint64{v0, w0, v1, w1} {
		if m.r.held[c] != held[c] || m.r.HasState(c) != (held[c] > 0) {
			m.r.t.Fatalf("%s: client %d holds %d, want %d", what, c, m.r.held[c], held[c])
		}
	}
	for i := range 3 {
		f := fileOf(i)
		if m.r.HasOpens(f) != (files[i] > 0) || m.r.opened[*f] != min(files[i], 1) {
			m.r.t.Fatalf("%s: file %d is open %d times, and %d was told", what, i, files[i], m.r.opened[*f])
		}
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	m := &model{
		r: newRig(t, nil), rnd: rand.New(rand.NewPCG(seed, 0)), gone: make(map[uint64]Status),
		sure: make(map[string]bool), proxies: make(map[string]*proxy), lockers: make(map[string]*locker),
	}
	var log []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last steps: %q", log[max(0, len(log)-12):])
		}
	})
	type op = func() (string, Status, Status)
	ops := []op{
		m.open, m.open, m.open, m.confirm, m.confirm, m.downgrade, m.close, m.close, m.lock, m.lock, m.lock,
		m.lockAgain, m.lockAgain, m.lockAgain, m.lockTest, m.io, m.io, m.special, m.free, m.releaseOwner,
	}
	for range steps {
		var what string
		var got, expect Status
		if m.rnd.IntN(40) == 0 {
			what, got, expect = m.life()
		} else {
			what, got, expect = ops[m.rnd.IntN(len(ops))]()
		}
		log = append(log, fmt.Sprintf("%s: %d", what, got))
		if got != expect {
			t.Fatalf("%s: status %d, want %d", what, got, expect)
		}
		if got == OK {
			m.accepted++
		}
		m.compare(what)
	}
	if m.accepted < steps/5 {
		t.Errorf("only %d of %d steps were allowed", m.accepted, steps)
	}
	m.r.end()
}

func TestATableIsLikeAModelOfPlainLists(t *testing.T) {
	seeds := []uint64{*modelSeed}
	if *modelSeed == 0 {
		seeds = []uint64{1, 2, 3, 4, 5, 6, 7, 8, rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("again: -model.seed %d -model.steps %d", seed, *modelSteps)
			runModel(t, seed, *modelSteps)
		})
	}
}
