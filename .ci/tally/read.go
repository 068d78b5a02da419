package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// long is how many seconds make a test one that is shown, for whoever looks where the
// time goes.
const long = 10

// event is one line of `go test -json` (go doc cmd/test2json), and of the
// build's output that comes with it (go help buildjson).
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// test is what is known of one test of one package.
type test struct {
	outcome  string // pass, fail, skip, or empty while it runs
	output   []string
	children int // subtests
	failures int // subtests that failed
}

// read follows one run, shows it on w, and counts it.
func read(in io.Reader, w io.Writer, name string) (*result, error) {
	r := &result{Runs: 1}
	tests := map[string]map[string]*test{} // by package, by test
	builds := map[string][]string{}        // output of builds by import path
	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				_, _ = io.WriteString(w, line) // the go command's own words
			} else {
				r.take(e, tests, builds, w, name)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	for pkg := range tests { // the run was cut short
		r.finish(pkg, "fail", tests[pkg], w, name)
		r.Failed = append(r.Failed, fmt.Sprintf("%s: %s did not end", name, short(pkg)))
	}
	return r, nil
}

func (r *result) take(
	e event,
	tests map[string]map[string]*test,
	builds map[string][]string,
	w io.Writer,
	name string,
) {
	switch e.Action {
	case "build-output":
		builds[e.ImportPath] = append(builds[e.ImportPath], e.Output)
		return
	case "build-fail", "start":
		return
	}
	pkg := tests[e.Package]
	if pkg == nil {
		pkg = map[string]*test{}
		tests[e.Package] = pkg
	}
	t := pkg[e.Test]
	if t == nil {
		t = &test{}
		pkg[e.Test] = t
	}
	switch e.Action {
	case "run":
		if parent, ok := pkg[parentOf(e.Test)]; ok && e.Test != "" && parentOf(e.Test) != "" {
			parent.children++
		}
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.outcome = e.Action
		if e.Test != "" {
			r.ended(e, t, pkg, w, name)
			return
		}
		for _, line := range builds[e.FailedBuild] {
			_, _ = io.WriteString(w, "    "+line)
		}
		failed := r.finish(e.Package, e.Action, pkg, w, name)
		if e.Action == "fail" && failed == 0 {
			for _, line := range t.output {
				_, _ = io.WriteString(w, "    "+line)
			}
			r.Failed = append(r.Failed, fmt.Sprintf("%s: %s", name, short(e.Package)))
		}
		if len(pkg) > 1 || e.Action == "fail" {
			fmt.Fprintf(w, "%-4s %-8s %s (%.1fs)\n", e.Action, name, short(e.Package), e.Elapsed)
		}
		delete(tests, e.Package)
	}
}

// ended counts one test if it is a leaf, and shows it if it failed.
func (r *result) ended(e event, t *test, pkg map[string]*test, w io.Writer, name string) {
	id := fmt.Sprintf("%s: %s %s", name, short(e.Package), e.Test)
	switch e.Action {
	case "pass":
		if t.children == 0 {
			r.Passed++
		}
		if e.Elapsed >= long && parentOf(e.Test) == "" {
			fmt.Fprintf(w, "long %s (%.0fs)\n", id, e.Elapsed)
		}
	case "skip":
		r.Skipped = append(r.Skipped, id+": "+reason(t.output))
	case "fail":
		if parent := pkg[parentOf(e.Test)]; parent != nil {
			parent.failures++
		}
		if t.failures == 0 {
			r.Failed = append(r.Failed, id)
		}
		fmt.Fprintf(w, "FAIL %s (%.1fs)\n", id, e.Elapsed)
		for _, line := range t.output {
			_, _ = io.WriteString(w, "    "+line)
		}
	}
	t.output = nil
}

// finish ends a package: a test that never ended has failed with it (a panic,
// a time limit). It returns how many tests of the package failed.
func (r *result) finish(pkg, outcome string, tests map[string]*test, w io.Writer, name string) int {
	failed := 0
	for id, t := range tests {
		if id == "" {
			continue
		}
		if t.outcome == "fail" {
			failed++
		}
		if t.outcome == "" && outcome == "fail" {
			failed++
			r.Failed = append(r.Failed, fmt.Sprintf("%s: %s %s did not end", name, short(pkg), id))
			for _, line := range t.output {
				_, _ = io.WriteString(w, "    "+line)
			}
		}
	}
	return failed
}

// reason is why a test skipped itself: its last words, without the file and line.
func reason(output []string) string {
	words := ""
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if at := strings.Index(line, ".go:"); at >= 0 {
			if _, rest, ok := strings.Cut(line[at+4:], ": "); ok {
				line = rest
			}
		}
		words = line
	}
	return words
}

// parentOf is the test that started the subtest, empty for none.
func parentOf(test string) string {
	at := strings.LastIndexByte(test, '/')
	if at < 0 {
		return ""
	}
	return test[:at]
}

// short is a package's path within its module.
func short(pkg string) string {
	if _, rest, ok := strings.Cut(pkg, "ringnfs/ringnfs/"); ok {
		return rest
	}
	return pkg
}
