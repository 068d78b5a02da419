package columns_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/report/columns"
)

func TestTextIsWrappedBetweenWords(t *testing.T) {
	require.Equal(t, "one two\nthree\n\nfour", columns.Wrap("one two three\n\nfour", 9))
	require.Equal(t, "two lines", columns.Wrap("two\nlines", 9))
	require.Equal(t, "unbreakable\nword", columns.Wrap("unbreakable word", 4))
	require.Equal(t, "  word  its\n        meaning", columns.Wrap("  word  its meaning", 15))
}

func TestTheWidthOfATerminalIsWhatItSays(t *testing.T) {
	env := func(value string) func(string) string {
		return func(name string) string { return map[string]string{"COLUMNS": value}[name] }
	}
	for value, width := range map[string]int{"": 80, "wide": 80, "0": 80, "-1": 80, "100": 100, "1": 40, "1000": 160} {
		require.Equal(t, width, columns.Width(nil, env(value)), value)
	}
}

func TestATableThatIsTooWideGoesOnBelow(t *testing.T) {
	table := columns.Table{
		Head: []string{"load", "calls/s", "nothing", "p50", "p99"},
		Rows: [][]string{
			{"getattr", "12,345", "-", "10", "100"},
			{"a title that is longer than the rest of the table"},
			{"read", "5", "-", "1,000", "2"},
		},
	}
	var b strings.Builder
	require.NoError(t, table.Write(&b, 80))
	require.Equal(t, `load     calls/s    p50  p99
getattr   12,345     10  100
a title that is longer than the rest of the table
read           5  1,000    2
`, b.String())
	b.Reset()
	require.NoError(t, table.Write(&b, 24))
	require.Equal(t, `load     calls/s    p50
getattr   12,345     10
a title that is longer
than the rest of the
table
read           5  1,000

load     p99
getattr  100
a title that is longer
than the rest of the
table
read       2
`, b.String())
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), 24)
	}
}
