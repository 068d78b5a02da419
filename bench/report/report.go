package report

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ringnfs/ringnfs/bench/load"
)

// Format is the version of the JSON form.
const Format = 1

// Report is a set of measurements that belong together.
type Report struct {
	Format  int       `json:"format"`
	Title   string    `json:"title"`
	Command string    `json:"command"` // how it was made
	Time    time.Time `json:"time"`
	Machine Machine   `json:"machine"`
	Servers []Server  `json:"servers"`
	Runs    []Run     `json:"runs"`
	Targets []Target  `json:"targets,omitempty"`
	Notes   []string  `json:"notes,omitempty"`
}

// Server is a server that was measured.
type Server struct {
	Name       string `json:"name"`
	Version    string `json:"version,omitempty"`
	Command    string `json:"command,omitempty"`
	Durability string `json:"durability,omitempty"` // what it does on WRITE and COMMIT
	Missing    string `json:"missing,omitempty"`    // why it was not measured
}

// Run is one measurement.
type Run struct {
	Server string `json:"server"`
	// Load names workload, file system and concurrency. Runs with the same Load can be
	// compared.
	Load  string `json:"load"`
	FS    string `json:"fs,omitempty"` // what the files were on
	Round int    `json:"round"`
	load.Result
}

// Target is a goal for a figure.
type Target struct {
	Load   string  `json:"load"`
	What   string  `json:"what"`  // such as "CPU per call against floor"
	Bound  string  `json:"bound"` // such as "<= 1.4"
	Value  float64 `json:"value"`
	Met    bool    `json:"met"`
	Reason string  `json:"reason,omitempty"` // why there is no value
}

// LoadName names a load for Run.Load.
func LoadName(r *load.Result, fs string) string {
	name := fmt.Sprintf("%s %dx%d", r.Workload, r.Conns, r.Depth)
	if r.Rate > 0 {
		name += fmt.Sprintf(" at %g/s", r.Rate)
	}
	switch r.Stable {
	case 1:
		name += " data-sync"
	case 2:
		name += " file-sync"
	}
	if fs != "" {
		name += " on " + fs
	}
	return name
}

// Loads returns the names of all loads in the order in which they came.
func (r *Report) Loads() []string {
	var names []string
	for i := range r.Runs {
		if !slices.Contains(names, r.Runs[i].Load) {
			names = append(names, r.Runs[i].Load)
		}
	}
	return names
}

// Of returns the runs of a server under a load, by round.
func (r *Report) Of(server, load string) []*Run {
	var runs []*Run
	for i := range r.Runs {
		if r.Runs[i].Server == server && r.Runs[i].Load == load {
			runs = append(runs, &r.Runs[i])
		}
	}
	return runs
}

// Median returns the median of a figure over the rounds, or false if there is none.
func (r *Report) Median(server, load string, m Metric) (float64, bool) {
	var values []float64
	for _, run := range r.Of(server, load) {
		if v, ok := m.Of(&run.Result); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	return Median(values), true
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// WriteFile writes the report as a JSON file, compressed if its name ends in .gz.
func (r *Report) WriteFile(name string) error {
	if !strings.HasSuffix(name, ".gz") {
		return writeFile(name, r.Write)
	}
	return writeFile(name, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(r.Write(z), z.Close())
	})
}

// writeFile writes a file completely, or returns why it could not.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close() // err says more
		return fmt.Errorf("write %s: %w", name, err)
	}
	return f.Close()
}

// Read reads what Write has written, compressed or not.
func Read(in io.Reader) (*Report, error) {
	b := bufio.NewReader(in)
	in = b
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("not a report: %w", err)
		}
		in = z
	}
	var r Report
	d := json.NewDecoder(in)
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // the checksum is at the end
		return nil, fmt.Errorf("not a whole report: %w", err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("not a report of format %d (format is %d)", Format, r.Format)
	}
	return &r, nil
}

// ReadFile reads a JSON file, compressed or not.
func ReadFile(name string) (*Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
