package vfs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// payer pays with the statuses it has, one after the other, and then with OK.
type payer struct {
	statuses []vfs.Status
	paid     int
}

func (p *payer) Pay() vfs.Status {
	p.paid++
	if len(p.statuses) == 0 {
		return vfs.OK
	}
	s := p.statuses[0]
	p.statuses = p.statuses[1:]
	return s
}

// owing opens d, owes p, and closes d.
func owing(t *testing.T, d *vfs.Debts, p ...vfs.Payer) uint64 {
	t.Helper()
	d.Open()
	for _, x := range p {
		require.True(t, d.Owe(x))
	}
	require.Equal(t, len(p) > 0, d.Owing())
	return d.Close()
}

func TestNothingIsPutOffUnlessSomebodyPays(t *testing.T) {
	var d vfs.Debts
	p := &payer{}
	require.False(t, d.Owe(p))
	require.Zero(t, owing(t, &d))
	require.False(t, d.Owe(p), "closed again")
	require.Equal(t, vfs.OK, d.Pay(0))
	require.Equal(t, vfs.OK, d.PayAll())
	require.Zero(t, p.paid)
}

func TestChangesOfSeveralCallsArePaidOnce(t *testing.T) {
	var d vfs.Debts
	p, q := &payer{statuses: []vfs.Status{vfs.IO}}, &payer{}
	first := owing(t, &d, p, p)
	require.Zero(t, owing(t, &d), "a call that changes nothing owes nothing, whatever others owe")
	second := owing(t, &d, p, q)
	require.NotZero(t, first)
	require.Equal(t, first, second)
	require.Equal(t, vfs.IO, d.Pay(second))
	require.Equal(t, vfs.IO, d.Pay(first), "it is told what became of the debt")
	require.Equal(t, 1, p.paid)
	require.Equal(t, 1, q.paid, "one that fails does not keep others from being paid")

	third := owing(t, &d, p)
	require.NotEqual(t, first, third)
	require.Equal(t, vfs.OK, d.Pay(third))
	require.Equal(t, vfs.IO, d.Pay(first), "a later success is not an earlier one")
}

func TestADebtThatIsPaidEarlyIsOfThoseWhoOweIt(t *testing.T) {
	var d vfs.Debts
	p := &payer{statuses: []vfs.Status{vfs.NoSpc}}
	before := owing(t, &d, p)
	d.Open()
	require.True(t, d.Owe(p))
	require.Equal(t, vfs.NoSpc, d.PayAll())
	require.False(t, d.Owing())
	require.Zero(t, d.Close(), "it has paid")
	require.Equal(t, vfs.NoSpc, d.Pay(before))
}

// Of a debt that was paid long ago only this is known: whether it or a later one of that time failed.
func TestWhatHasFailedIsNotForgotten(t *testing.T) {
	for _, failing := range []int{-1, 0, 1, 7} {
		var d vfs.Debts
		var numbers []uint64
		for n := range 200 {
			p := &payer{statuses: []vfs.Status{vfs.OK}}
			if n == failing {
				p.statuses[0] = vfs.IO
			}
			numbers = append(numbers, owing(t, &d, p))
			_ = d.Pay(numbers[n])
		}
		for n, number := range numbers {
			want := vfs.OK
			if n <= failing {
				want = vfs.IO // for the earlier ones nobody knows any more
			}
			require.Equal(t, want, d.Pay(number), "%d of those that fail at %d", n, failing)
		}
	}
}

func TestAPayerThatAnswersNonsenseHasFailed(t *testing.T) {
	for _, s := range []vfs.Status{vfs.Again, vfs.NumStatus} {
		var d vfs.Debts
		require.Equal(t, vfs.ServerFault, d.Pay(owing(t, &d, &payer{statuses: []vfs.Status{s}})))
	}
}

func TestPayingAllocatesNothing(t *testing.T) {
	var d vfs.Debts
	p := &payer{}
	require.Equal(t, vfs.OK, d.Pay(owing(t, &d, p)))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d.Open()
		d.Owe(p)
		d.Pay(d.Close())
	}))
}

// broken is a payer that panics.
type broken struct{}

func (broken) Pay() vfs.Status { panic("broken") }

func TestAPayerThatPanicsEndsItsDebt(t *testing.T) {
	var d vfs.Debts
	p := &payer{}
	n := owing(t, &d, broken{}, p)
	require.Panics(t, func() { d.Pay(n) })
	require.Equal(t, vfs.ServerFault, d.Pay(n))
	require.Equal(t, vfs.OK, d.Pay(owing(t, &d, p)), "the thread goes on")
	require.Equal(t, 1, p.paid)
}
