package columns

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Widths in columns: the one of a terminal that does not tell, and the least and most that are
// used.
const (
	widthDefault = 80
	widthLeast   = 40
	widthMost    = 160
)

// Width returns how many columns of text w shows: the number in COLUMNS, or else the terminal's, or
// else 80; but at least 40 and at most 160.
func Width(w io.Writer, getenv func(string) string) int {
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		return min(max(n, widthLeast), widthMost)
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return min(max(n, widthLeast), widthMost)
		}
	}
	return widthDefault
}

// Wrap breaks text into lines of at most width columns, between words. Empty lines separate
// paragraphs. A line that begins with a space is not joined to others; words of it that do not fit
// into width go below its second column, as in a table of words and meanings.
func Wrap(text string, width int) string {
	var b strings.Builder
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			fill(&b, strings.Fields(strings.Join(paragraph, " ")), "", 0, width)
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
			flush()
			b.WriteByte('\n')
		case line[0] == ' ':
			flush()
			head, rest, indent := Split(line)
			fill(&b, strings.Fields(rest), head, indent, width)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.TrimRight(b.String(), "\n")
}

// Split splits a line "  WORD   meaning" before the meaning, which begins in column indent. A line
// without a second column is all meaning.
func Split(line string) (head, rest string, indent int) {
	begin := len(line) - len(strings.TrimLeft(line, " "))
	if i := strings.Index(line[begin:], "  "); i >= 0 {
		at := begin + i
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], " "))
		return line[:at], line[at:], at
	}
	return line[:begin], line[begin:], begin
}

// fill writes head and the words behind it, on as many lines as they need.
func fill(b *strings.Builder, words []string, head string, indent, width int) {
	b.WriteString(head)
	at, first := indent, true
	for _, w := range words {
		n := utf8.RuneCountInString(w)
		if !first && at+1+n > width {
			b.WriteByte('\n')
			b.WriteString(strings.Repeat(" ", indent))
			at, first = indent, true
		}
		if !first {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w)
		at += n
		first = false
	}
	b.WriteByte('\n')
}
