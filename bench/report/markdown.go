package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the medians and the targets as tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	rounds := 0
	for i := range r.Runs {
		rounds = max(rounds, r.Runs[i].Round)
	}
	fmt.Fprintf(
		&b,
		"# %s\n\n%s, medians of %d rounds.\n\n",
		r.Title,
		r.Time.Format("2006-01-02 15:04 MST"),
		rounds,
	)
	virtual := ""
	if r.Machine.Virt {
		virtual = " (virtual machine)"
	}
	fmt.Fprintf(
		&b,
		"- machine: %s, %d processors%s, %s GiB\n",
		r.Machine.CPU,
		r.Machine.CPUs,
		virtual,
		Figure(float64(r.Machine.Memory)/gib),
	)
	fmt.Fprintf(
		&b,
		"- kernel: %s\n- system: %s, %s\n- command: `%s`\n",
		r.Machine.Kernel,
		r.Machine.OS,
		r.Machine.Go,
		r.Command,
	)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", cellText(n))
	}
	r.markdownMatrices(&b)
	r.markdownFigures(&b)
	r.markdownServers(&b)
	r.markdownTargets(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdownFile writes the tables into a file.
func (r *Report) WriteMarkdownFile(name string) error { return writeFile(name, r.WriteMarkdown) }

// spread returns the median of a figure with its range.
func spread(runs []*Run, m Metric) string {
	v := figures(runs, m)
	switch len(v) {
	case 0:
		return "–"
	case 1:
		return Figure(v[0])
	}
	return fmt.Sprintf("%s (%s–%s)", Figure(Median(v)), Figure(Quantile(v, 0)), Figure(Quantile(v, 1)))
}

// cellText keeps a text from ending a cell of a table.
func cellText(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
}

// markdownMatrices writes the comparison in short form.
func (r *Report) markdownMatrices(b *strings.Builder) {
	for _, m := range r.matrices() {
		fmt.Fprintf(
			b,
			"\n## %s\n\nMedians; × is how many times that of %s they are.\n\n| load | unit |",
			m.Title,
			m.Servers[0],
		)
		for _, s := range m.Servers {
			fmt.Fprintf(b, " %s |", s)
		}
		fmt.Fprintf(b, "\n| --- | --- |%s\n", strings.Repeat(" ---: |", len(m.Servers)))
		for _, row := range m.Rows {
			fmt.Fprintf(b, "| %s | %s |", row.Load, row.Unit)
			for _, c := range row.Cells {
				b.WriteString(" " + c.Value)
				if c.Part != "" {
					fmt.Fprintf(b, " (%s)", c.Part)
				}
				b.WriteString(" |")
			}
			b.WriteByte('\n')
		}
	}
}

// markdownFigures writes all figures with their ranges.
func (r *Report) markdownFigures(b *strings.Builder) {
	b.WriteString(
		"\n## Figures\n\nMedians; in brackets the lowest and the highest round. CPU is the server's.\n\n",
	)
	b.WriteString(
		"| load | server | rate | CPU | p50 us | p99 us | client busy |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
	)
	for _, load := range r.Loads() {
		for _, s := range r.Servers {
			runs := r.Of(s.Name, load)
			if len(runs) == 0 {
				continue
			}
			rate, cost := mainMetrics(&runs[0].Result)
			var busy []float64
			for _, run := range runs {
				busy = append(busy, 100*Busy(&run.Result))
			}
			per := "us/call"
			if cost.Name == CPUPerGiB.Name {
				per = "s/GiB"
			}
			fmt.Fprintf(
				b,
				"| %s | %s | %s %s | %s %s | %s | %s | %s %% |\n",
				load,
				s.Name,
				spread(runs, rate),
				rate.Unit,
				spread(runs, cost),
				per,
				spread(runs, P50),
				spread(runs, P99),
				Figure(Median(busy)),
			)
		}
	}
}

func (r *Report) markdownServers(b *strings.Builder) {
	b.WriteString("\n## Servers\n\n| server | version | WRITE and COMMIT |\n| --- | --- | --- |\n")
	for _, s := range r.Servers {
		version := s.Version
		if s.Missing != "" {
			version = "not measured: " + s.Missing
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", s.Name, cellText(version), cellText(s.Durability))
	}
}

// markdownTargets writes the goals. They come last, because a reader who compares servers does not
// ask for them.
func (r *Report) markdownTargets(b *strings.Builder) {
	if len(r.Targets) > 0 {
		met := 0
		for _, t := range r.Targets {
			if t.Met {
				met++
			}
		}
		fmt.Fprintf(
			b,
			"\n## Targets: %d of %d met\n\n| load | figure | bound | measured | |\n| --- | --- | ---: | ---: | --- |\n",
			met,
			len(r.Targets),
		)
		for _, t := range r.Targets {
			value, verdict := Figure(t.Value), "**not met**"
			if t.Met {
				verdict = "met"
			}
			if t.Reason != "" {
				value, verdict = "–", cellText(t.Reason)
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", t.Load, t.What, t.Bound, value, verdict)
		}
	}
}
