package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/ringnfs/ringnfs/bench/load"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"figure": Figure,
	"time":   func(t time.Time) string { return t.Format("2006-01-02 15:04 MST") },
	"gib":    func(n uint64) string { return Figure(float64(n) / gib) },
}).Parse(pageText))

// card is what the page shows of one load.
type card struct {
	Load   string
	Charts []template.HTML
}

// row is a line of the table.
type row struct {
	Load, Server string
	First        bool
	Cells        []string
}

type pageData struct {
	*Report
	Legend  []legend
	Matrix  []matrix
	Cards   []card
	Columns []string
	Rows    []row
	Rounds  int
	Met     int
}

type legend struct {
	Color int
	Server
}

// WriteHTML writes the report as one page that loads nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	d := pageData{Report: r, Matrix: r.matrices(), Columns: []string{
		"calls/s", "MiB/s", "server us/call", "server s/GiB", "p50 us", "p99 us", "p99.9 us", "client us/call", "client busy",
	}}
	for i, s := range r.Servers {
		d.Legend = append(d.Legend, legend{Color: i, Server: s})
	}
	for i := range r.Runs {
		d.Rounds = max(d.Rounds, r.Runs[i].Round)
	}
	for _, t := range r.Targets {
		if t.Met {
			d.Met++
		}
	}
	for _, load := range r.Loads() {
		d.Cards = append(d.Cards, r.card(load))
		first := true
		for _, s := range r.Servers {
			if len(r.Of(s.Name, load)) > 0 {
				d.Rows = append(d.Rows, r.row(s.Name, load, first))
				first = false
			}
		}
	}
	d.dropEmpty()
	return page.Execute(w, d)
}

// dropEmpty drops the columns in which no row has a figure.
func (d *pageData) dropEmpty() {
	for i := len(d.Columns) - 1; i >= 0; i-- {
		if len(d.Rows) == 0 || slices.ContainsFunc(d.Rows, func(x row) bool { return x.Cells[i] != none }) {
			continue
		}
		d.Columns = slices.Delete(d.Columns, i, i+1)
		for k := range d.Rows {
			d.Rows[k].Cells = slices.Delete(d.Rows[k].Cells, i, i+1)
		}
	}
}

// none stands in a cell without a figure.
const none = "–"

// WriteHTMLFile writes the page into a file.
func (r *Report) WriteHTMLFile(name string) error { return writeFile(name, r.WriteHTML) }

// row holds the medians of a server under a load.
func (r *Report) row(server, load string, first bool) row {
	x := row{Load: load, Server: server, First: first}
	for _, m := range []Metric{OpsPerSecond, GiBPerSecond, CPUPerOp, CPUPerGiB, P50, P99, P999, clientPerOp} {
		v, ok := r.Median(server, load, m)
		switch {
		case !ok:
			x.Cells = append(x.Cells, none)
		case m.Unit == "GiB/s":
			x.Cells = append(x.Cells, Figure(v*1024))
		default:
			x.Cells = append(x.Cells, Figure(v))
		}
	}
	var busy []float64
	for _, run := range r.Of(server, load) {
		busy = append(busy, Busy(&run.Result))
	}
	x.Cells = append(x.Cells, Figure(100*Median(busy))+" %")
	return x
}

// card draws the charts of a load.
func (r *Report) card(load string) card {
	c := card{Load: load}
	var any *Run
	for i := range r.Runs {
		if r.Runs[i].Load == load {
			any = &r.Runs[i]
			break
		}
	}
	rate, cost := mainMetrics(&any.Result)
	for _, m := range []Metric{rate, cost} {
		var list []bar
		for i, s := range r.Servers {
			if v := figures(r.Of(s.Name, load), m); len(v) > 0 {
				list = append(
					list,
					bar{label: s.Name, color: i, value: Median(v), min: slices.Min(v), max: slices.Max(v)},
				)
			}
		}
		if len(list) > 0 {
			c.Charts = append(c.Charts, bars(m.Name, m.Unit, list))
		}
	}
	if chart, ok := r.latencyChart(load); ok {
		c.Charts = append(c.Charts, chart)
	}
	if chart, ok := r.timeChart(load, rate); ok {
		c.Charts = append(c.Charts, chart)
	}
	return c
}

// latencyChart shows the distribution of latencies of each server's middle run.
func (r *Report) latencyChart(load string) (template.HTML, bool) {
	var (
		list      []series
		low, high = 1e12, 0.0
	)
	for i, s := range r.Servers {
		runs := r.Of(s.Name, load)
		if len(runs) == 0 {
			continue
		}
		line := series{label: s.Name, color: i}
		for _, p := range middle(runs).Curve {
			if p.Micros <= 0 || p.Quantile > .9999 {
				continue
			}
			line.x, line.y = append(line.x, nines(p.Quantile)), append(line.y, p.Micros)
			low, high = min(low, p.Micros), max(high, p.Micros)
		}
		if len(line.x) > 1 {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return "", false
	}
	return lines(
		"latency",
		"us",
		"part of the calls that are faster",
		quantileAxis(),
		logAxis(low, high),
		list,
	), true
}

// whole returns the slices. A slice that is much shorter than the others is joined to the one
// before it: if the client was held up, a slice can have no time at all, and then its rate means
// nothing.
func whole(slices []load.Slice) []load.Slice {
	total := 0.0
	for i := range slices {
		total += slices[i].Seconds
	}
	var out []load.Slice
	for i := range slices {
		x := slices[i]
		if n := len(out); n > 0 && x.Seconds < total/float64(4*len(slices)) {
			out[n-1].Seconds += x.Seconds
			out[n-1].Ops += x.Ops
			out[n-1].Bytes += x.Bytes
			out[n-1].Server += x.Server
			continue
		}
		out = append(out, x)
	}
	return out
}

// timeChart shows the rate over the measured time, of each server's middle run.
func (r *Report) timeChart(name string, m Metric) (template.HTML, bool) {
	var (
		list      []series
		end, high float64
	)
	for i, s := range r.Servers {
		runs := r.Of(s.Name, name)
		if len(runs) == 0 {
			continue
		}
		line := series{label: s.Name, color: i}
		at := 0.0
		for _, slice := range whole(middle(runs).Slices) {
			v, ok := m.ofSlice(&slice)
			if !ok {
				v = 0 // no calls were answered
			}
			line.x, line.y = append(line.x, at+slice.Seconds/2), append(line.y, v)
			at += slice.Seconds
			high = max(high, v)
		}
		end = max(end, at)
		if len(line.x) > 1 {
			list = append(list, line)
		}
	}
	if len(list) == 0 || end == 0 {
		return "", false
	}
	xa := linearAxis(end)
	xa.high = end // no room behind the end
	for n := len(xa.ticks); n > 0 && xa.ticks[n-1] > end; n-- {
		xa.ticks, xa.labels = xa.ticks[:n-1], xa.labels[:n-1]
	}
	return lines(m.Name+" over time", m.Unit, "seconds", xa, linearAxis(high), list), true
}
