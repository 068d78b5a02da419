package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// bar is one bar of a chart: a median, and the range of the rounds.
type bar struct {
	label    string
	color    int // of the series
	value    float64
	min, max float64
}

// Sizes of charts in SVG units, which are CSS pixels at full width.
const (
	chartWidth = 460
	barHeight  = 18
	barGap     = 8
	labelWidth = 110
	valueWidth = 92
	labelsMost = 6 // below bars
)

// bars draws horizontal bars over a scale, with their values at the end. A thin line shows the
// range of the rounds.
func bars(title, unit string, list []bar) template.HTML {
	var b strings.Builder
	const first, scale = 22, 20 // where bars begin, and what their scale takes below them
	bottom := first + len(list)*(barHeight+barGap)
	height := bottom + scale
	top := 0.0
	for _, x := range list {
		top = max(top, x.value, x.max)
	}
	xa := linearAxis(top)
	width := float64(chartWidth - labelWidth - valueWidth)
	px := func(v float64) float64 { return labelWidth + width*xa.at(v) }
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, height, esc(title))
	fmt.Fprintf(
		&b,
		`<text class="title" x="0" y="13">%s <tspan class="unit">%s</tspan></text>`,
		esc(title),
		esc(unit),
	)
	for i, v := range xa.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %dV%d"/>`, px(v), first-2, bottom)
		if len(xa.ticks) <= labelsMost || i%2 == 0 {
			fmt.Fprintf(
				&b,
				`<text class="tick x" x="%.1f" y="%d">%s</text>`,
				px(v),
				bottom+13,
				esc(xa.labels[i]),
			)
		}
	}
	for i, x := range list {
		y := first + i*(barHeight+barGap)
		mid := float64(y) + barHeight/2
		fmt.Fprintf(
			&b,
			`<g><title>%s: %s %s (%s to %s)</title>`,
			esc(x.label),
			Figure(x.value),
			esc(unit),
			Figure(x.min),
			Figure(x.max),
		)
		fmt.Fprintf(&b, `<text x="%d" y="%.0f" class="name">%s</text>`, labelWidth-8, mid+4, esc(x.label))
		fmt.Fprintf(
			&b,
			`<path class="s%d" d="%s"/>`,
			x.color,
			roundedBar(labelWidth, float64(y), math.Max(1, px(x.value)-labelWidth), barHeight),
		)
		if x.max > x.min {
			x1, x2 := px(x.min), px(x.max)
			fmt.Fprintf(
				&b,
				`<path class="range" d="M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6"/>`,
				x1,
				mid,
				x2,
				x1,
				mid-3,
				x2,
				mid-3,
			)
		}
		fmt.Fprintf(
			&b,
			`<text x="%.1f" y="%.0f" class="value">%s</text></g>`,
			px(max(x.value, x.max))+6,
			mid+4,
			Figure(x.value),
		)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // all text in it is escaped
}

// roundedBar draws a bar whose far end is rounded. Its near end stands on the axis.
func roundedBar(x, y, w, h float64) string {
	r := math.Min(3, w/2)
	return fmt.Sprintf(
		"M%.1f %.1fh%.1fq%.1f 0 %.1f %.1fv%.1fq0 %.1f -%.1f %.1fh-%.1fz",
		x,
		y,
		w-r,
		r,
		r,
		r,
		h-2*r,
		r,
		r,
		r,
		w-r,
	)
}

// series is one line of a chart.
type series struct {
	label string
	color int
	x, y  []float64
}

// axis maps values to places.
type axis struct {
	low, high float64
	log       bool
	ticks     []float64
	labels    []string
}

func (a *axis) at(v float64) float64 {
	if a.log {
		return (math.Log10(v) - math.Log10(a.low)) / (math.Log10(a.high) - math.Log10(a.low))
	}
	return (v - a.low) / (a.high - a.low)
}

// lines draws lines over two axes.
func lines(title, unit, below string, xa, ya axis, list []series) template.HTML {
	const (
		left, right, top, bottom = 52, 26, 26, 34
		height                   = 190
		w, h                     = chartWidth - left - right, height - top - bottom
	)
	px := func(v float64) float64 { return left + w*xa.at(v) }
	py := func(v float64) float64 { return top + h*(1-ya.at(v)) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, height, esc(title))
	fmt.Fprintf(
		&b,
		`<text class="title" x="0" y="13">%s <tspan class="unit">%s</tspan></text>`,
		esc(title),
		esc(unit),
	)
	for i, v := range ya.ticks {
		fmt.Fprintf(
			&b,
			`<path class="grid" d="M%d %.1fh%d"/><text class="tick y" x="%d" y="%.1f">%s</text>`,
			left,
			py(v),
			w,
			left-6,
			py(v)+3.5,
			esc(ya.labels[i]),
		)
	}
	for i, v := range xa.ticks {
		fmt.Fprintf(
			&b,
			`<text class="tick x" x="%.1f" y="%d">%s</text>`,
			px(v),
			height-bottom+15,
			esc(xa.labels[i]),
		)
	}
	fmt.Fprintf(&b, `<text class="tick x" x="%d" y="%d">%s</text>`, left+w/2, height-4, esc(below))
	for _, s := range list {
		var d strings.Builder
		for i := range s.x {
			fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(i, 1)], px(s.x[i]), py(s.y[i]))
		}
		fmt.Fprintf(
			&b,
			`<path class="line l%d" d="%s"><title>%s</title></path>`,
			s.color,
			d.String(),
			esc(s.label),
		)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // all text in it is escaped
}

// linearAxis has round ticks from zero to a little above high.
func linearAxis(high float64) axis {
	if high <= 0 {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(high)))
	switch {
	case high/step < 2:
		step /= 4
	case high/step < 5:
		step /= 2
	}
	a := axis{high: math.Ceil(high/step) * step}
	for v := 0.0; v <= a.high*1.0001; v += step {
		a.ticks, a.labels = append(a.ticks, v), append(a.labels, compact(v))
	}
	return a
}

// logAxis has a tick at each power of ten.
func logAxis(low, high float64) axis {
	a := axis{
		log:  true,
		low:  math.Pow(10, math.Floor(math.Log10(low))),
		high: math.Pow(10, math.Ceil(math.Log10(high))),
	}
	if a.high <= a.low {
		a.high = a.low * 10
	}
	for v := a.low; v <= a.high*1.0001; v *= 10 {
		a.ticks, a.labels = append(a.ticks, v), append(a.labels, compact(v))
	}
	return a
}

// quantileAxis spreads the quantiles near 1, so that nines are equally far apart.
func quantileAxis() axis {
	a := axis{high: 4}
	for _, x := range []struct {
		q     float64
		label string
	}{{0, "0"}, {.5, "p50"}, {.9, "p90"}, {.99, "p99"}, {.999, "p99.9"}, {.9999, "p99.99"}} {
		a.ticks, a.labels = append(a.ticks, nines(x.q)), append(a.labels, x.label)
	}
	return a
}

func nines(q float64) float64 { return min(4, -math.Log10(1-q)) }

// compact writes 1500000 as 1.5M.
func compact(v float64) string {
	for _, u := range []struct {
		factor float64
		name   string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.factor {
			return strings.TrimSuffix(fmt.Sprintf("%.3g", v/u.factor), ".0") + u.name
		}
	}
	return fmt.Sprintf("%.3g", v)
}

func esc(s string) string { return template.HTMLEscapeString(s) }
