package ranges_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

const (
	none  = ranges.None
	read  = ranges.Read
	write = ranges.Write
)

// change makes a change that nothing denies, and returns its plan.
func change(
	t testing.TB, table *ranges.Table, owner ranges.Owner, start, end uint64, kind ranges.Kind,
) *ranges.Plan {
	var p ranges.Plan
	held, denied := table.Plan(&p, owner, ranges.Range{Start: start, End: end}, kind)
	require.False(t, denied, "%v", held)
	before := table.Len()
	table.Commit(&p)
	require.Equal(t, before+p.Grow, table.Len())
	return &p
}

// text writes a lock as its owner, the kind's letter, and the bytes.
func text(l ranges.Lock) string {
	return fmt.Sprintf("%d%c%d-%d", l.Owner, l.Kind.String()[0], l.Start, l.End)
}

// show writes all locks of a table.
func show(table *ranges.Table) string {
	var list []string
	for l := range table.Locks() {
		list = append(list, text(l))
	}
	return strings.Join(list, " ")
}

func TestALockReplacesWhatItsOwnerHeldInItsRange(t *testing.T) {
	for _, c := range []struct {
		start, end uint64
		kind       ranges.Kind
		want       string
	}{
		{10, 19, read, "1r10-19 1w30-39"},                 // the same again
		{10, 19, write, "1w10-19 1w30-39"},                // upgrade
		{30, 39, read, "1r10-19 1r30-39"},                 // downgrade
		{32, 35, read, "1r10-19 1w30-31 1r32-35 1w36-39"}, // of the middle
		{12, 15, write, "1r10-11 1w12-15 1r16-19 1w30-39"},
		{20, 29, read, "1r10-29 1w30-39"}, // what touches is joined
		{20, 29, write, "1r10-19 1w20-39"},
		{20, 30, read, "1r10-30 1w31-39"},
		{21, 28, read, "1r10-19 1r21-28 1w30-39"}, // and what does not touch is not
		{0, 50, read, "1r0-50"},
		{0, 50, write, "1w0-50"},
		{15, 35, read, "1r10-35 1w36-39"},
		{15, 35, write, "1r10-14 1w15-39"},
		{12, 15, none, "1r10-11 1r16-19 1w30-39"},
		{10, 15, none, "1r16-19 1w30-39"},
		{15, 35, none, "1r10-14 1w36-39"},
		{20, 29, none, "1r10-19 1w30-39"},
		{0, 50, none, ""},
	} {
		var table ranges.Table
		change(t, &table, 1, 10, 19, read)
		change(t, &table, 1, 30, 39, write)
		change(t, &table, 1, c.start, c.end, c.kind)
		require.Equal(t, c.want, show(&table), "%d-%d %v", c.start, c.end, c.kind)
	}
}

func TestADowngradeLeavesNothingOfTheFormerLock(t *testing.T) {
	var table ranges.Table
	change(t, &table, 1, 0, max64, write)
	change(t, &table, 1, 0, max64, read)
	_, denied := table.Conflict(2, ranges.All, read)
	require.False(t, denied)
	change(t, &table, 2, 0, max64, read)
	change(t, &table, 1, 0, max64, none)
	require.Equal(t, "2r0-18446744073709551615", show(&table))
}

func TestTheLowestLockOfAnotherOwnerDenies(t *testing.T) {
	var table ranges.Table
	change(t, &table, 7, 0, 100, read)
	change(t, &table, 3, 20, 29, read)
	change(t, &table, 2, 20, 24, read)
	change(t, &table, 3, 200, 209, write)
	for _, c := range []struct {
		owner      ranges.Owner
		start, end uint64
		kind       ranges.Kind
		want       string
	}{
		{1, 20, 20, read, ""},
		{1, 20, 20, none, ""},
		{1, 20, 20, write, "7r0-100"},
		{7, 0, 100, write, "2r20-24"},
		{7, 25, 100, write, "3r20-29"},
		{7, 30, 199, write, ""},
		{1, 101, 199, write, ""},
		{1, 101, 200, read, "3w200-209"},
		{1, 209, max64, read, "3w200-209"},
		{1, 210, max64, write, ""},
		{3, 101, max64, write, ""},
	} {
		var p ranges.Plan
		r := ranges.Range{Start: c.start, End: c.end}
		before := show(&table)
		got, denied := table.Plan(&p, c.owner, r, c.kind)
		again, deniedToo := table.Conflict(c.owner, r, c.kind)
		require.Equal(t, c.want != "", denied, "%+v", c)
		require.Equal(t, denied, deniedToo)
		require.Equal(t, got, again)
		if denied {
			require.Equal(t, c.want, text(got))
		}
		require.Equal(t, before, show(&table))
	}
}

// What a plan tells of the kernel's lock: as little as will do.
func TestTheKernelIsToldWhatChanges(t *testing.T) {
	for _, c := range []struct {
		what       string
		start, end uint64
		kind       ranges.Kind
		want       []ranges.Range
	}{
		{"where nobody has a lock", 60, 69, read, []ranges.Range{{Start: 60, End: 69}}},
		{"another owner reads there already", 25, 29, read, nil},
		{"the owner itself does", 3, 4, read, nil},
		{"one lock of another kind", 10, 14, read, []ranges.Range{{Start: 10, End: 14}}},
		{"both ends are there already", 0, 29, read, []ranges.Range{{Start: 5, End: 19}}},
		{"all but one end", 5, 14, write, []ranges.Range{{Start: 5, End: 9}}},
		{"two locks of the owner alone", 0, 14, none, []ranges.Range{{Start: 0, End: 14}}},
		{"nothing of the owner's", 50, 69, none, nil},
		{"what another owner has stays", 0, 49, none,
			[]ranges.Range{{Start: 0, End: 19}, {Start: 30, End: 39}}},
	} {
		var table ranges.Table
		change(t, &table, 1, 0, 4, read)
		change(t, &table, 1, 10, 14, write)
		change(t, &table, 1, 20, 39, read)
		change(t, &table, 2, 20, 29, read)
		change(t, &table, 2, 50, 50, read)
		p := change(t, &table, 1, c.start, c.end, c.kind)
		require.Equal(t, c.want, slices.Clone(p.Mirror), c.what)
	}
}

func TestAPlanSaysHowManyLocksThereWillBe(t *testing.T) {
	var table ranges.Table
	require.Equal(t, 1, change(t, &table, 1, 10, 19, read).Grow)
	require.Equal(t, 2, change(t, &table, 1, 12, 12, write).Grow)
	require.Equal(t, -2, change(t, &table, 1, 0, 99, read).Grow)
	require.Equal(t, 1, change(t, &table, 1, 50, 50, none).Grow)
	require.Equal(t, 0, change(t, &table, 1, 40, 60, none).Grow)
	require.Equal(t, 1, change(t, &table, 2, 0, 0, read).Grow)
	require.Equal(t, 3, table.Len())
	require.Equal(t, -2, change(t, &table, 1, 0, max64, none).Grow)
}

func TestAnOwnerHoldsUntilItHasReleasedAll(t *testing.T) {
	var table ranges.Table
	require.False(t, table.Holds(1))
	change(t, &table, 1, 10, 19, read)
	change(t, &table, 2, 10, 19, read)
	change(t, &table, 1, 0, 18, none)
	require.True(t, table.Holds(1))
	change(t, &table, 1, 19, 19, none)
	require.False(t, table.Holds(1))
	require.True(t, table.Holds(2))
}

func TestAnIterationCanEndEarly(t *testing.T) {
	var table ranges.Table
	change(t, &table, 1, 10, 19, read)
	change(t, &table, 1, 30, 39, read)
	change(t, &table, 1, 50, 59, read)
	seen := 0
	for range table.Locks() {
		seen++
		break
	}
	for range table.Levels(ranges.All) {
		seen++
		break
	}
	require.Equal(t, 2, seen)
}

func TestOnlyAPlanOfTheTableAsItIsCanBeCommitted(t *testing.T) {
	var table, other ranges.Table
	var p, q ranges.Plan
	require.Panics(t, func() { table.Commit(&p) }, "never planned")

	table.Plan(&p, 1, ranges.All, write)
	require.Panics(t, func() { other.Commit(&p) }, "of another table")

	table.Plan(&q, 2, ranges.All, write)
	table.Commit(&p)
	require.Panics(t, func() { table.Commit(&p) }, "a second time")
	require.Panics(t, func() { table.Commit(&q) }, "overtaken")

	_, denied := table.Plan(&q, 2, ranges.All, read)
	require.True(t, denied)
	require.Panics(t, func() { table.Commit(&q) }, "denied")
	require.Equal(t, "1w0-18446744073709551615", show(&table))

	require.Panics(t, func() { table.Plan(&p, 1, ranges.Range{Start: 2, End: 1}, read) })
	require.Panics(t, func() { table.Plan(&p, 1, ranges.All, write+1) })
}

func TestLocksThatComeAndGoAllocateNothing(t *testing.T) {
	for _, n := range []int{1, 4, 64} {
		var table ranges.Table
		var p ranges.Plan
		round := func() {
			for i := range n {
				r := ranges.Range{Start: uint64(10 * i), End: uint64(10*i + 5)}
				table.Plan(&p, ranges.Owner(i%3), r, write)
				table.Commit(&p)
				table.Conflict(9, ranges.All, read)
			}
			for range table.Levels(ranges.All) {
			}
			for i := range n {
				table.Plan(&p, ranges.Owner(i%3), ranges.All, none)
				table.Commit(&p)
			}
		}
		round()
		require.Zero(t, testing.AllocsPerRun(10, round), "%d locks", n)
	}
}

func TestATableThatShrinksGivesItsMemoryBack(t *testing.T) {
	var table ranges.Table
	change(t, &table, 1, 0, 0, read)
	require.Equal(t, 4, table.Room())
	for i := range uint64(4096) {
		change(t, &table, 1, 2*i, 2*i, read)
	}
	require.Equal(t, 4096, table.Len())
	require.Equal(t, 4096, table.Room())
	for i := range uint64(4095) {
		change(t, &table, 1, 2*i, 2*i, none)
		require.Less(t, table.Room(), max(65, 4*table.Len()+1))
	}
	require.Equal(t, "1r8190-8190", show(&table))
}
