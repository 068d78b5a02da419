package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// markdown writes the report: the servers side by side, the guest's time, the spread of what races,
// and our own goals last.
func (r *Record) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Instructions of NFS servers compared, %s\n\n", r.Time.Format("2006-01-02"))
	how := "without its profile"
	if r.Profile {
		how = "with its profile"
	}
	fmt.Fprintf(&b, "Guest kernel %s, %s, %s; ringnfs of %s, built %s.\n", r.Kernel, r.Emulator, r.Go,
		r.Source, how)
	b.WriteString(`Instructions for each call, on the server side: all tasks but the client's process. In brackets all
tasks together. A load *4x16* has 4 connections with 16 calls under way on each. The kernel's server
exports with ` + "`sync`" + `; ringnfs, the kernel's server and the floor have a change of names on stable
storage before they reply, nfs-ganesha and go-nfs do not. The floor is no server: it checks nothing
and knows no names, and bounds what a server can do. ringnfs was measured at several moments
within a tick of the guest, the others at one; the tables have medians.
`)
	for _, fs := range r.systems() {
		r.table(&b, fs)
	}
	for _, fs := range r.systems() {
		r.times(&b, fs)
	}
	r.spread(&b)
	if len(r.Missing) > 0 {
		b.WriteString("\n## Not measured\n\n")
		for _, m := range r.Missing {
			m, _, _ = strings.Cut(m, "\n")
			fmt.Fprintf(&b, "- %s\n", m)
		}
	}
	r.goals(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// report writes the report to a file of its date in dir.
func (r *Record) report(dir string) error {
	path := filepath.Join(dir, r.Time.Format("2006-01-02")+"-instructions.md")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	fmt.Println(path)
	return errors.Join(r.markdown(f), f.Close())
}

func (r *Record) systems() (list []string) {
	for i := range r.Figures {
		if !slices.Contains(list, r.Figures[i].FS) {
			list = append(list, r.Figures[i].FS)
		}
	}
	return list
}

// loads are the loads measured on a file system.
func (r *Record) loads(fs string) (list []string) {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.FS == fs && !slices.Contains(list, f.Load) {
			list = append(list, f.Load)
		}
	}
	return list
}

// present are the servers measured on a file system, in the order of the report.
func (r *Record) present(fs string) (list []string) {
	for _, server := range servers {
		if slices.ContainsFunc(r.Figures,
			func(f Figure) bool { return f.FS == fs && f.Server == server }) {
			list = append(list, server)
		}
	}
	return list
}

var systemNames = map[string]string{
	"ext4":       "ext4 on a disc in memory",
	"ext4-flush": "ext4 on a disc that takes 100 us a request and has a cache to flush",
	"xfs":        "XFS on a disc in memory", "tmpfs": "tmpfs",
}

// sideBySide writes a table of the servers on a file system. cell says what is written of a figure;
// ratios adds what ringnfs's figure is, divided by each of the others.
func (r *Record) sideBySide(b *strings.Builder, title, fs string, ratios bool, cell func(*Figure) string) {
	present := r.present(fs)
	var others []string
	if ratios && present[0] == job.Ringnfs {
		others = present[1:]
	}
	fmt.Fprintf(b, "\n## %s: %s\n\n| load | %s |", title, systemNames[fs], strings.Join(present, " | "))
	for _, server := range others {
		fmt.Fprintf(b, " ringnfs/%s |", server)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(present)+len(others)) + "\n")
	for _, load := range r.loads(fs) {
		fmt.Fprintf(b, "| %s |", load)
		for _, server := range present {
			text := "-"
			if f := r.find(server, fs, load); f != nil {
				text = cell(f)
			}
			fmt.Fprintf(b, " %s |", text)
		}
		for _, server := range others {
			fmt.Fprintf(b, " %s |", r.ratio(fs, load, server))
		}
		b.WriteString("\n")
	}
}

// table writes the instructions.
func (r *Record) table(b *strings.Builder, fs string) {
	r.sideBySide(b, "Instructions for each call", fs, true, func(f *Figure) string {
		return fmt.Sprintf("%s (%s)", thousands(median(f.of(serverSide))),
			thousands(median(f.of(total))))
	})
}

// ratio is ringnfs's figure divided by another server's.
func (r *Record) ratio(fs, load, server string) string {
	own, other := r.find(job.Ringnfs, fs, load), r.find(server, fs, load)
	if own == nil || other == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(own.of(serverSide))/median(other.of(serverSide)))
}

// times writes the guest's time and the switches between threads, for loads that wait.
func (r *Record) times(b *strings.Builder, fs string) {
	const title = "Guest microseconds for each call, waiting included; " +
		"switches of threads, futex calls, commits"
	r.sideBySide(b, title, fs, false, func(f *Figure) string {
		return fmt.Sprintf("%.1f; %.2f, %.2f, %.2f", median(f.of(elapsed))/1e3,
			median(f.of(switches)), median(f.of(futexes)), median(f.of(commits)))
	})
}

// spread writes the least and the greatest run of loads that were measured several times.
func (r *Record) spread(b *strings.Builder) {
	var lines strings.Builder
	for i := range r.Figures {
		f := &r.Figures[i]
		list := f.of(serverSide)
		if len(list) > 1 && f.FS == "ext4" {
			fmt.Fprintf(&lines, "| %s | %s | %s | %s | %.2f |\n", f.Load, f.Server,
				thousands(list[0]), thousands(list[len(list)-1]), list[len(list)-1]/list[0])
		}
	}
	if lines.Len() > 0 {
		b.WriteString("\n## Spread: least and greatest of the moments, ext4\n\n" +
			"| load | server | least | greatest | ratio |\n| --- | --- | ---: | ---: | ---: |\n")
		b.WriteString(lines.String())
	}
}

// bounds are the ratios to the kernel's server that the project wants to reach.
var bounds = []struct {
	load  string
	bound float64
}{
	{"create 4x16", 0.75}, {"mkdir 4x16", 0.75}, {"create 1x1", 1.05}, {"remove 4x16", 0.85},
	{"rmdir 4x16", 0.85},
	{"remove 1x1", 1.05}, {"rename 4x16", 0.85}, {"setattr 4x16", 0.85},
	{"readdirplus, 100 entries 4x4", 0.6},
}

func (r *Record) goals(b *strings.Builder) {
	var lines strings.Builder
	for _, fs := range []string{"ext4", "ext4-flush"} {
		for _, g := range bounds {
			if ratio := r.ratio(fs, g.load, job.Knfsd); ratio != "-" {
				fmt.Fprintf(&lines, "| %s | %s | %s | ≤ %.2f |\n", fs, g.load, ratio, g.bound)
			}
		}
	}
	if lines.Len() > 0 {
		b.WriteString("\n## Our own goals: ratio to the kernel's server\n\n" +
			"| file system | load | ratio | goal |\n| --- | --- | ---: | ---: |\n")
		b.WriteString(lines.String())
	}
}

// thousands is a number in the unit that suits it.
func thousands(v float64) string {
	switch {
	case v < 99.95e3:
		return fmt.Sprintf("%.1fk", v/1e3)
	case v < 9995e3:
		return fmt.Sprintf("%.0fk", v/1e3)
	}
	return fmt.Sprintf("%.1fM", v/1e6)
}
