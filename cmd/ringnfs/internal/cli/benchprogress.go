package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// progress is a bar with the rate and the time left. It appears on a terminal only.
type progress struct {
	w   io.Writer // nil if it is no terminal
	bar *progressbar.ProgressBar
}

func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{w: w}
	}
	return &progress{}
}

// job returns the function to which a job named name reports its progress.
func (p *progress) job(name string) func(load.Progress) {
	if p.w == nil {
		return nil
	}
	const steps = 1000
	const bar = 24
	room := columns.Width(p.w, os.Getenv) - bar - len(" 100% || ") // a wrapped line would stay
	p.bar = progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetWidth(bar),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	last := 0
	return func(x load.Progress) {
		at := min(int(x.Done*steps), steps-1)
		if at < last { // another stage begins: a bar does not go back by itself
			p.bar.Reset()
		}
		last = at
		text := name + " " + describe(x)
		p.bar.Describe(text[:min(len(text), max(room, 0))])
		_ = p.bar.Set(at) // a bar that is not drawn does no harm
	}
}

// describe says what the job is doing, how fast, and how long it will still take.
func describe(x load.Progress) string {
	if x.Ops == 0 {
		return x.Stage
	}
	s := fmt.Sprintf("%s: %s calls/s", x.Stage, report.Figure(x.Ops))
	if x.Bytes > 0 {
		s += fmt.Sprintf(", %s MiB/s", report.Figure(x.Bytes/(1<<20)))
	}
	return s + fmt.Sprintf(", %.0f s left", x.Left.Seconds())
}

// end removes the bar from the terminal.
func (p *progress) end() {
	if p.bar == nil {
		return
	}
	_ = p.bar.Clear() // a bar that stays does no harm
	p.bar = nil
}
