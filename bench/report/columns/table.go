package columns

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table is text in columns. The first column and those in Left are aligned at their left, all
// others at their right. A column in which every row has "-" or nothing is left out.
type Table struct {
	Head []string
	// Rows have as many cells as Head. A row of one cell is a heading of the rows after it, and
	// belongs to no column.
	Rows [][]string
	Left []int // columns, by number
}

// gap is the space between two columns.
const gap = 2

// Write writes the table. Columns that do not fit into width go into another table below, which
// repeats the first column.
func (t *Table) Write(w io.Writer, width int) error {
	widths := make([]int, len(t.Head))
	var shown []int
	for i, head := range t.Head {
		empty := true
		widths[i] = utf8.RuneCountInString(head)
		for _, row := range t.Rows {
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
				empty = empty && (row[i] == "" || row[i] == "-")
			}
		}
		if i == 0 || !empty {
			shown = append(shown, i)
		}
	}
	var b strings.Builder
	for first := true; first || len(shown) > 1; first = false {
		if !first {
			b.WriteByte('\n')
		}
		n, total := 1, widths[0]
		for n < len(shown) && (n == 1 || total+gap+widths[shown[n]] <= width) {
			total += gap + widths[shown[n]]
			n++
		}
		t.block(&b, shown[:n], widths, width)
		shown = append([]int{0}, shown[n:]...)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// block writes some columns of all rows.
func (t *Table) block(b *strings.Builder, shown, widths []int, width int) {
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		if len(row) == 1 {
			b.WriteString(Wrap(row[0], width))
			b.WriteByte('\n')
			continue
		}
		var line strings.Builder
		for k, i := range shown {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(row[i]))
			if k > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			if i == 0 || t.isLeft(i) {
				line.WriteString(row[i] + pad)
			} else {
				line.WriteString(pad + row[i])
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
}

func (t *Table) isLeft(i int) bool {
	for _, l := range t.Left {
		if l == i {
			return true
		}
	}
	return false
}
