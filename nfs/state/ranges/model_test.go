package ranges_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

const owners = 5

// model is the locks of a file, byte by byte. A cell is a byte, but for cells that stand for all
// bytes before or behind those that are looked at: the cells are all bytes that there are.
type model struct {
	starts []uint64 // the first byte of each cell
	kinds  [owners][]ranges.Kind
}

// newModel returns a model with cells of one byte from base on, and what is left around them.
func newModel(base uint64, bytes int) *model {
	m := &model{}
	if base > 0 {
		m.starts = append(m.starts, 0)
	}
	for i := range uint64(bytes) {
		m.starts = append(m.starts, base+i)
	}
	if last := base + uint64(bytes) - 1; last < math.MaxUint64 {
		m.starts = append(m.starts, last+1)
	}
	for o := range m.kinds {
		m.kinds[o] = make([]ranges.Kind, len(m.starts))
	}
	return m
}

// bases are the places where the model's bytes lie: at the beginning, across the kernel's end,
// at the end of all, and anywhere.
func bases(bytes int) *rapid.Generator[uint64] {
	last := math.MaxUint64 - uint64(bytes) + 1
	edges := []uint64{0, 1, 1<<63 - uint64(bytes)/2, last - 1, last}
	return rapid.OneOf(rapid.SampledFrom(edges), rapid.Uint64Range(0, last))
}

func (m *model) cells(from, to int) ranges.Range {
	if to+1 == len(m.starts) {
		return ranges.Range{Start: m.starts[from], End: math.MaxUint64}
	}
	return ranges.Range{Start: m.starts[from], End: m.starts[to+1] - 1}
}

// locks returns what an owner holds: the longest runs of cells of one kind.
func (m *model) locks(owner int) (list []ranges.Lock) {
	kinds := m.kinds[owner]
	for from := 0; from < len(kinds); {
		to := from
		for to+1 < len(kinds) && kinds[to+1] == kinds[from] {
			to++
		}
		if kinds[from] != none {
			l := ranges.Lock{Range: m.cells(from, to), Owner: ranges.Owner(owner), Kind: kinds[from]}
			list = append(list, l)
		}
		from = to + 1
	}
	return list
}

func before(a, b ranges.Lock) bool {
	return a.Start < b.Start || a.Start == b.Start && a.Owner < b.Owner
}

// all returns the locks of all owners in the order of a table.
func (m *model) all() (list []ranges.Lock) {
	for o := range m.kinds {
		list = append(list, m.locks(o)...)
	}
	slices.SortFunc(list, func(a, b ranges.Lock) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return list
}

// level returns the greatest kind of any owner in a cell but one of them, or of all if that is
// -1.
func (m *model) level(cell, but int) (most ranges.Kind) {
	for o := range m.kinds {
		if o != but {
			most = max(most, m.kinds[o][cell])
		}
	}
	return most
}

func (m *model) levels() (list []ranges.Kind) {
	for c := range m.starts {
		list = append(list, m.level(c, -1))
	}
	return list
}

// wish is a change that somebody wants: of the cells from one to another, both included.
type wish struct {
	owner, from, to int
	kind            ranges.Kind
}

// denies returns the lowest lock that denies a change.
func (m *model) denies(w wish) (held ranges.Lock, denied bool) {
	for o := range m.kinds {
		for _, l := range m.locks(o) {
			exclude := w.kind == write || w.kind == read && l.Kind == write
			if o != w.owner && exclude && l.Overlaps(m.cells(w.from, w.to)) && (!denied || before(l, held)) {
				held, denied = l, true
			}
		}
	}
	return held, denied
}

// set is what the kernel does with one owner's kinds: levels stands for the kernel's lock.
func (m *model) set(levels []ranges.Kind, r ranges.Range, kind ranges.Kind) {
	for c := range levels {
		if r.Overlaps(m.cells(c, c)) {
			levels[c] = kind
		}
	}
}

// expect holds a table to the model.
func (m *model) expect(t require.TestingT, table *ranges.Table) {
	all := m.all()
	require.Equal(t, len(all), table.Len())
	require.Equal(t, all, slices.Collect(table.Locks()))
	require.True(t, table.Sound())
	for o := range m.kinds {
		require.Equal(t, len(m.locks(o)) > 0, table.Holds(ranges.Owner(o)))
	}
}

// expectLevels holds what a table says of a range's levels to the model.
func (m *model) expectLevels(t require.TestingT, table *ranges.Table, from, to int) {
	type run struct {
		ranges.Range
		kind ranges.Kind
	}
	var want, got []run
	for c := from; c <= to; c++ {
		switch k := m.level(c, -1); {
		case k == none:
		case c > from && m.level(c-1, -1) == k:
			want[len(want)-1].End = m.cells(c, c).End
		default:
			want = append(want, run{m.cells(c, c), k})
		}
	}
	for r, k := range table.Levels(m.cells(from, to)) {
		got = append(got, run{r, k})
	}
	require.Equal(t, want, got)
}

// expectPlan holds what a plan says of the kernel's lock and of waiters to the model, in which
// the change has not been made.
func (m *model) expectPlan(t require.TestingT, p *ranges.Plan, w wish) {
	var freed, changed []int // cells
	gaps, inGap := 0, false  // between other owners' locks, with something to unlock
	for c := w.from; c <= w.to; c++ {
		own, others := m.kinds[w.owner][c], m.level(c, w.owner)
		if own > w.kind {
			freed = append(freed, c)
		}
		if max(own, others) != max(w.kind, others) {
			changed = append(changed, c)
			if !inGap {
				gaps++
			}
			inGap = true
		}
		inGap = inGap && others == none
	}

	r, some := p.Freed()
	require.Equal(t, len(freed) > 0, some)
	if some {
		require.Equal(t, m.cells(freed[0], freed[len(freed)-1]), r)
	}

	switch {
	case len(changed) == 0:
		require.Empty(t, p.Mirror)
	case w.kind == none: // no more ranges than needed, and nothing of other owners in them
		require.Len(t, p.Mirror, gaps)
		for i, r := range p.Mirror {
			require.True(t, i == 0 || p.Mirror[i-1].End < r.Start)
			begins := func(c int) bool { return m.cells(c, c).Start == r.Start }
			require.True(t, slices.ContainsFunc(changed, begins))
		}
	default:
		require.Equal(t, []ranges.Range{m.cells(changed[0], changed[len(changed)-1])}, p.Mirror)
	}
}

// step draws a change, and makes it in the table, the model and the kernel's levels, unless it
// is denied, or the kernel refuses it, for which set stands.
func (m *model) step(
	t *rapid.T, table *ranges.Table, p *ranges.Plan, set func(ranges.Range, ranges.Kind) (refused bool),
) {
	w := wish{
		owner: rapid.IntRange(0, owners-1).Draw(t, "owner"),
		kind:  rapid.SampledFrom([]ranges.Kind{none, read, read, write}).Draw(t, "kind"),
		from:  rapid.IntRange(0, len(m.starts)-1).Draw(t, "from"),
	}
	w.to = w.from + rapid.IntRange(0, min(12, len(m.starts)-1-w.from)).Draw(t, "more")
	if rapid.IntRange(0, 40).Draw(t, "all") == 17 {
		w.from, w.to = 0, len(m.starts)-1
	}
	owner, r := ranges.Owner(w.owner), m.cells(w.from, w.to)

	want, deny := m.denies(w)
	held, denied := table.Conflict(owner, r, w.kind)
	require.Equal(t, deny, denied)
	require.Equal(t, want, held)
	held, denied = table.Plan(p, owner, r, w.kind)
	require.Equal(t, deny, denied)
	require.Equal(t, want, held)
	m.expect(t, table)
	if denied {
		return
	}
	m.expectPlan(t, p, w)
	if w.kind != none {
		for _, r := range p.Mirror {
			if set(r, w.kind) {
				return
			}
		}
	}
	length := table.Len()
	table.Commit(p)
	require.Equal(t, length+p.Grow, table.Len())
	for c := w.from; c <= w.to; c++ {
		m.kinds[w.owner][c] = w.kind
	}
	if w.kind == none {
		for _, r := range p.Mirror {
			set(r, none)
		}
	}
}

func TestATableIsLikeAModelThatKnowsEachByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const bytes = 48
		m := newModel(bases(bytes).Draw(t, "base"), bytes)
		kernel := m.levels()
		var table ranges.Table
		var p ranges.Plan
		refuses := false
		set := func(r ranges.Range, kind ranges.Kind) bool {
			if refuses && kind != none {
				return true
			}
			m.set(kernel, r, kind)
			return false
		}
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			refuses = rapid.IntRange(0, 9).Draw(t, "refuses") == 7
			m.step(t, &table, &p, set)
			m.expect(t, &table)
			require.Equal(t, m.levels(), kernel)
			from := rapid.IntRange(0, len(m.starts)-1).Draw(t, "seen from")
			m.expectLevels(t, &table, from, rapid.IntRange(from, len(m.starts)-1).Draw(t, "to"))
			m.expectLevels(t, &table, 0, len(m.starts)-1)
		}
	})
}
