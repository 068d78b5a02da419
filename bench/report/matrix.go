package report

import "slices"

// matrix sets servers side by side: a figure of each under each load.
type matrix struct {
	Title   string
	Servers []string
	Rows    []matrixRow
}

type matrixRow struct {
	Load, Unit string
	Cells      []matrixCell // as Servers
}

// matrixCell is a median, and how many times the first server's it is.
type matrixCell struct{ Value, Part string }

// matrices are the comparison in short: rate, and CPU time. There are none of a single
// server.
func (r *Report) matrices() []matrix {
	servers := r.rivals()
	if len(servers) < 2 {
		return nil
	}
	var all []matrix
	for i, title := range []string{"How much they do", "What a call or a GiB costs them"} {
		m := matrix{Title: title, Servers: servers}
		for _, load := range r.Loads() {
			if row, ok := r.matrixRow(load, servers, i); ok {
				m.Rows = append(m.Rows, row)
			}
		}
		if len(m.Rows) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// rivals are the servers that were measured under half of the loads or more, in their
// order: variants of one that a few loads have are for the figures below.
func (r *Report) rivals() (names []string) {
	loads := r.Loads()
	for _, s := range r.Servers {
		n := 0
		for _, load := range loads {
			if len(r.Of(s.Name, load)) > 0 {
				n++
			}
		}
		if n > 0 && 2*n >= len(loads) {
			names = append(names, s.Name)
		}
	}
	return names
}

// matrixRow is a load's rate or cost, as which says: 0 or 1. There is none where
// nobody has that figure but one.
func (r *Report) matrixRow(load string, servers []string, which int) (row matrixRow, ok bool) {
	at := slices.IndexFunc(r.Runs, func(x Run) bool { return x.Load == load })
	rate, cost := mainMetrics(&r.Runs[at].Result)
	m := []Metric{rate, cost}[which]
	row = matrixRow{Load: load, Unit: unitOf(m)}
	first, known := 0.0, 0
	for i, s := range servers {
		v, ok := r.Median(s, load, m)
		c := matrixCell{Value: none}
		if ok {
			known++
			c.Value = Figure(v)
			if i == 0 {
				first = v
			} else if first > 0 {
				c.Part = "×" + Figure(v/first)
			}
		}
		row.Cells = append(row.Cells, c)
	}
	return row, known > 1
}

// unitOf is the unit as it stands by itself.
func unitOf(m Metric) string {
	switch m.Name {
	case OpsPerSecond.Name:
		return "calls/s"
	case CPUPerOp.Name:
		return "us/call"
	case CPUPerGiB.Name:
		return "s/GiB"
	}
	return m.Unit
}
