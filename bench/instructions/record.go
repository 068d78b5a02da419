package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// Record is what a run has measured, and with what: figures of other kernels, emulators or
// compilers are other figures.
type Record struct {
	Time     time.Time `json:"time"`
	Kernel   string    `json:"kernel"`
	Emulator string    `json:"emulator"`
	Go       string    `json:"go"`
	Source   string    `json:"source"`  // the commit
	Profile  bool      `json:"profile"` // ringnfs is optimised by its profile
	Missing  []string  `json:"missing,omitempty"`
	Figures  []Figure  `json:"figures"`
}

// Figure is what a load costs a server.
type Figure struct {
	Server string `json:"server"`
	FS     string `json:"fs"`
	Load   string `json:"load"`
	Calls  int    `json:"calls"`
	Runs   []Run  `json:"runs"` // one for each phase
}

// Run is one measurement, in instructions for each call.
type Run struct {
	Server   float64 `json:"server"` // all but the client
	Total    float64 `json:"total"`
	Elapsed  float64 `json:"elapsed"` // of the guest's clock: instructions, and idle time in ns
	Switches float64 `json:"switches"`
	// Events are what was counted besides: see events.
	Events map[string]float64 `json:"events,omitempty"`
}

func newRun(w *job.Window) Run {
	n := float64(w.Calls)
	return Run{
		Server: tenth(float64(w.Server()) / n), Total: tenth(float64(w.Server()+w.Client) / n),
		Elapsed:  tenth(float64(w.Elapsed) / n),
		Switches: float64(w.Switches*100/int64(w.Calls)) / 100,
	}
}

func tenth(v float64) float64 { return float64(int64(v*10)) / 10 }

// add adds what one machine has measured. c is what counted, or nil.
func (r *Record) add(t *task, m *measured, c *counter) {
	windows := m.windows
	for i := range windows {
		name := t.chain.name(&windows[i].Load)
		f := r.find(t.server, t.fs, name)
		if f == nil {
			r.Figures = append(r.Figures,
				Figure{Server: t.server, FS: t.fs, Load: name, Calls: windows[i].Calls})
			f = &r.Figures[len(r.Figures)-1]
		}
		x := newRun(&windows[i])
		if c != nil {
			x.Events = make(map[string]float64)
			for event, n := range c.count(m.blocks[i]) {
				x.Events[event] = float64(n*100/uint64(windows[i].Calls)) / 100
			}
		}
		f.Runs = append(f.Runs, x)
	}
}

func (r *Record) find(server, fs, load string) *Figure {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Server == server && f.FS == fs && f.Load == load {
			return f
		}
	}
	return nil
}

// of returns one number of all runs of a figure, in ascending order.
func (f *Figure) of(number func(*Run) float64) []float64 {
	var list []float64
	for i := range f.Runs {
		list = append(list, number(&f.Runs[i]))
	}
	slices.Sort(list)
	return list
}

func serverSide(r *Run) float64 { return r.Server }
func total(r *Run) float64      { return r.Total }
func elapsed(r *Run) float64    { return r.Elapsed }
func switches(r *Run) float64   { return r.Switches }
func futexes(r *Run) float64    { return r.Events["futex"] }
func commits(r *Run) float64    { return r.Events["commit"] }

// median of a sorted list, its lower middle.
func median(list []float64) float64 { return list[(len(list)-1)/2] }

// comparable says why figures of another record are no measure for those of r.
func (r *Record) comparable(other *Record) error {
	var why []string
	for _, x := range [][3]string{
		{"kernel", other.Kernel, r.Kernel}, {"emulator", other.Emulator, r.Emulator},
		{"compiler", other.Go, r.Go},
		{"profile", fmt.Sprint(other.Profile), fmt.Sprint(r.Profile)},
	} {
		if x[1] != x[2] {
			why = append(why, fmt.Sprintf("%s %s then, %s now", x[0], x[1], x[2]))
		}
	}
	if len(why) > 0 {
		return errors.New(strings.Join(why, "; "))
	}
	return nil
}

func readRecord(path string) (*Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (r *Record) write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func newRecord(l *lab, profile bool) *Record {
	return &Record{
		Time: time.Now().UTC().Truncate(time.Second), Kernel: l.kernel.release, Emulator: l.emulator,
		Go:     runtime.Version(),
		Source: l.commit(), Profile: profile,
	}
}
