package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// newMan makes the command for people who package ringnfs; users have --help.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages to a directory",
		Long:   "man writes a manual page for ringnfs and for each of its commands to DIR: ringnfs.1, ringnfs-serve.1 and so on. It makes DIR if DIR does not exist.",
		Hidden: true,
		Args: func(_ *cobra.Command, words []string) error {
			if len(words) != 1 || words[0] == "" {
				return errors.New("where to? ringnfs man DIR")
			}
			return nil
		},
		ValidArgsFunction: directories,
		RunE: func(c *cobra.Command, words []string) error {
			if err := os.MkdirAll(words[0], 0o755); err != nil {
				return failed(fmt.Errorf("manual pages: %w", err))
			}
			return failed(writePages(c.Root(), words[0]))
		},
	}
}

// writePages writes the manual page of c and those of the commands below c.
func writePages(c *cobra.Command, dir string) error {
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(manPage(c)), 0o644); err != nil {
		return fmt.Errorf("manual pages: %w", err)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageName is the name of the manual page of c.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage returns the manual page of c in man(7)'s language. It has no date, so that it is the same
// whenever it is made.
func manPage(c *cobra.Command) string {
	var b strings.Builder
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"ringnfs %s\" \"ringnfs manual\"\n", strings.ToUpper(roff(name)), version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(lowerFirst(c.Short)))
	b.WriteString(".SH SYNOPSIS\n.nf\n")
	if c.Runnable() && c.HasParent() {
		fmt.Fprintf(&b, "%s\n", roff(c.UseLine()))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "%s\n", roff(c.CommandPath()+" COMMAND"))
	}
	b.WriteString(".fi\n.SH DESCRIPTION\n")
	manText(&b, c.Long)
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(
					&b,
					".TP\n.B %s\n%s; see\n.BR %s (1).\n",
					roff(sub.Name()),
					roff(sub.Short),
					roff(pageName(sub)),
				)
			}
		}
	}
	manFlags(&b, "OPTIONS", c.LocalFlags())
	manFlags(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.HasExample() {
		b.WriteString(".SH EXAMPLES\n")
		manText(&b, c.Example)
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, x := range exitCodes {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", x[0], roff(x[1]))
	}
	var also []string
	eachCommand(c.Root(), func(other *cobra.Command) {
		if other != c {
			also = append(also, ".BR "+roff(pageName(other))+" (1)")
		}
	})
	also = append(also, ".BR nfs (5)", ".BR mount.nfs (8)")
	fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", strings.Join(also, ",\n"))
	return b.String()
}

// eachCommand calls f for c and all commands below it that users see.
func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			eachCommand(sub, f)
		}
	}
}

// exitCodes are what manual pages say about exit codes; the package comment says the same to
// programmers.
var exitCodes = [][2]string{
	{"0", "Done; a server: ended by SIGINT, SIGTERM or SIGHUP, with all calls answered."},
	{
		"1",
		"It could not start, failed, or could not be ended in time; of bench compare --fail-over: something got worse.",
	},
	{"2", "The command line was wrong."},
	{"128+N", "A second signal, of number N, ended it at once, or the first one before it served."},
}

// manText writes text as columns.Wrap does: paragraphs, and lines that must not be joined.
func manText(b *strings.Builder, text string) {
	plain := false // within a paragraph
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			plain = false
		}
		switch {
		case line == "":
			b.WriteString(".PP\n")
		case line[0] == ' ':
			head, rest, _ := columns.Split(line)
			if head = strings.TrimSpace(head); head != "" {
				fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(head), roff(rest))
			} else {
				fmt.Fprintf(b, ".RS 4\n.nf\n%s\n.fi\n.RE\n", roff(strings.TrimSpace(line)))
			}
		default:
			if !plain {
				b.WriteString(".PP\n")
			}
			plain = true
			fmt.Fprintf(b, "%s\n", roff(line))
		}
	}
}

func manFlags(b *strings.Builder, title string, fs *pflag.FlagSet) {
	if !fs.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB%s\\fR, ", roff("-"+f.Shorthand))
		}
		fmt.Fprintf(b, "\\fB%s\\fR", roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		b.WriteByte('\n')
		switch f.DefValue {
		case "", "0", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "%s\n", roff(usage))
	})
}

// roff makes s plain text for man(7): no escapes, no requests, and hyphens that can be copied as
// hyphens.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// lowerFirst returns s in the form that it has within a sentence.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
