package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of sizes. If one ends in another, the longer one comes first.
var units = []struct {
	suffix string
	factor int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

// size is a flag value in bytes: a number with an optional unit. K, M, G, T and
// KiB, MiB, GiB, TiB count in powers of 1024, KB, MB, GB and TB in powers of
// 1000; case does not matter.
type size int64

func parseSize(text string) (size, error) {
	number, factor := strings.ToLower(strings.TrimSpace(text)), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || strings.ContainsAny(number, "xpe_in") {
		return 0, fmt.Errorf("%q is not a size: write a number and a unit, as in 512M or 2GiB", text)
	}
	bytes := n * float64(factor)
	if n < 0 || bytes >= math.MaxInt64 {
		return 0, fmt.Errorf("size %q is out of range", text)
	}
	return size(bytes), nil
}

// String writes the size with the largest binary unit that divides it.
func (s *size) String() string { return formatSize(int64(*s)) }

// Set implements pflag.Value.
func (s *size) Set(text string) (err error) {
	*s, err = parseSize(text)
	return err
}

// Type implements pflag.Value: it returns the word that the usage shows.
func (s *size) Type() string { return "SIZE" }

func formatSize(n int64) string {
	for _, u := range []struct {
		name  string
		shift uint
	}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n != 0 && n&(1<<u.shift-1) == 0 {
			return fmt.Sprintf("%d %s", n>>u.shift, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
