package report

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Median returns the middle of the values, or the mean of the two in the middle. There must be at
// least one value.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns the value below which a part q of the values lies, by linear interpolation
// between two of them.
func Quantile(values []float64, q float64) float64 {
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	low := int(math.Floor(at))
	if low+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[low] + (at-float64(low))*(v[low+1]-v[low])
}

// exactMax is up to how many values the distribution of U is computed exactly.
const exactMax = 40

// MannWhitney compares a and b. It returns U, the number of pairs in which the value of a is the
// larger one; equal ones count half. It also returns the two-sided probability of a U as far from
// its mean if both sets came from the same distribution. The probability is exact for small sets
// without ties; otherwise it is the normal approximation with corrections for ties and continuity.
func MannWhitney(a, b []float64) (u, p float64) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 0, 1
	}
	type value struct {
		v     float64
		fromA bool
	}
	all := make([]value, 0, n+m)
	for _, v := range a {
		all = append(all, value{v, true})
	}
	for _, v := range b {
		all = append(all, value{v, false})
	}
	slices.SortFunc(all, func(x, y value) int { return cmp.Compare(x.v, y.v) })
	var rankSum, ties float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		rank := float64(i+1+j) / 2 // the mean of the ranks i+1 to j
		for _, x := range all[i:j] {
			if x.fromA {
				rankSum += rank
			}
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	nf, mf := float64(n), float64(m)
	u = rankSum - nf*(nf+1)/2
	if ties == 0 && n+m <= exactMax {
		return u, exactU(n, m, int(math.Round(u)))
	}
	total := nf + mf
	variance := nf * mf / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 { // all are equal
		return u, 1
	}
	z := max(0, math.Abs(u-nf*mf/2)-0.5) / math.Sqrt(variance)
	return u, min(1, math.Erfc(z/math.Sqrt2))
}

// exactU returns the two-sided probability of a U at least as far from the mean as u, from the
// number of ways in which n and m values can be mixed to give each U.
func exactU(n, m, u int) float64 {
	// ways[i][k] counts the mixes of i values of a with the values of b so far whose U is k.
	ways := make([][]float64, n+1)
	for i := range ways {
		ways[i] = make([]float64, n*m+1)
		ways[i][0] = 1 // with no value of b
	}
	// The largest of the mix is either of b, or of a and then larger than all of b.
	for j := 1; j <= m; j++ {
		next := make([][]float64, n+1)
		for i := range next {
			next[i] = make([]float64, n*m+1)
			for k := range next[i] {
				next[i][k] = ways[i][k]
				if i > 0 && k >= j {
					next[i][k] += next[i-1][k-j]
				}
			}
		}
		ways = next
	}
	low := min(u, n*m-u)
	var tail, total float64
	for k, w := range ways[n] {
		total += w
		if k <= low {
			tail += w
		}
	}
	return min(1, 2*tail/total)
}

// bootstraps is how often a bootstrap draws.
const bootstraps = 4000

// RatioInterval returns the 95 % confidence interval of median(b)/median(a) by a percentile
// bootstrap. It makes the same draws each time.
func RatioInterval(a, b []float64) (low, high float64) {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN(), math.NaN()
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	draw := func(from, to []float64) float64 {
		for i := range to {
			to[i] = from[rnd.IntN(len(from))]
		}
		return Median(to)
	}
	x, y := make([]float64, len(a)), make([]float64, len(b))
	ratios := make([]float64, 0, bootstraps)
	for range bootstraps {
		if d := draw(a, x); d != 0 {
			ratios = append(ratios, draw(b, y)/d)
		}
	}
	if len(ratios) == 0 {
		return math.NaN(), math.NaN()
	}
	return Quantile(ratios, 0.025), Quantile(ratios, 0.975)
}
