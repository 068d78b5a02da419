package report

import "slices"

// matrix sets servers side by side: one figure of each server under each load.
type matrix struct {
	Title   string
	Servers []string
	Rows    []matrixRow
}

type matrixRow struct {
	Load, Unit string
	Cells      []matrixCell // as Servers
}

// matrixCell is a median, and its ratio to the first server's.
type matrixCell struct{ Value, Part string }

// matrices returns the comparison in short form: rate, and CPU time. For a single server it returns
// none.
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

// rivals returns the servers that were measured under at least half of the loads, in their order.
// Variants of a server that only a few loads have are left to the table of all figures.
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

// matrixRow returns a load's rate or cost, as which says: 0 or 1. It returns none if only one
// server has that figure.
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

// unitOf returns the unit as it is written without a number.
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
