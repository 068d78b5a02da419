package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// results are the places that `ringnfs bench` writes to.
type results struct {
	text       io.Writer // for people
	stdout     io.Writer
	json, html string // files; empty for none, - for stdout
}

// openResults finds out whether the files can be written, before anything is measured. It does not
// change existing files.
func openResults(json, html string, stdout, stderr io.Writer) (*results, error) {
	r := &results{text: stdout, stdout: stdout, json: json, html: html}
	if json == "-" || html == "-" {
		r.text = stderr
	}
	for flag, name := range map[string]string{"--json": json, "--html": html} {
		if name == "" || name == "-" {
			continue
		}
		if err := writable(name); err != nil {
			return nil, fmt.Errorf("%s: %w: give a file in a directory that can be written to", flag, err)
		}
	}
	return r, nil
}

// writable finds out whether a file can be written, by opening it. It removes a file that it has
// made in this way. It does not try what is not a regular file, such as a pipe.
func writable(name string) error {
	st, err := os.Stat(name)
	if err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return nil
	}
	made := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	err = f.Close()
	if made {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// write writes to all places, and does not stop at the first error.
func (r *results) write(rep *report.Report) error {
	err := rep.WriteText(r.text, columns.Width(r.text, os.Getenv))
	for _, x := range []struct {
		name   string
		stream func(io.Writer) error
		file   func(string) error
	}{{r.json, rep.Write, rep.WriteFile}, {r.html, rep.WriteHTML, rep.WriteHTMLFile}} {
		switch x.name {
		case "":
		case "-":
			err = errors.Join(err, x.stream(r.stdout))
		default:
			err = errors.Join(err, x.file(x.name))
		}
	}
	return err
}
