package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringnfs/ringnfs/bench/report/columns"
)

// useHelp gives root and all its commands a help text that fits the terminal, and a help command
// that fails for an unknown command.
func useHelp(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(c.OutOrStdout(), c) })
	root.SetUsageFunc(func(c *cobra.Command) error {
		writeHelp(c.OutOrStdout(), c)
		return nil
	})
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Tell what a command does and which flags it has",
		Long:  "help tells what a command does and which flags it has, as --help after the command does.",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, words []string) error {
			of, rest, err := c.Root().Find(words)
			switch {
			case err != nil || of == c.Root() && len(rest) > 0:
				return unknownCommand(c.Root(), words[0])
			case len(rest) > 0:
				return unknownCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			of.InitDefaultVersionFlag()
			writeHelp(c.OutOrStdout(), of)
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, words []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			of, rest, err := c.Root().Find(words)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, sub := range of.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	})
}

// writeHelp writes the whole help text of c.
func writeHelp(w io.Writer, c *cobra.Command) {
	width := columns.Width(w, os.Getenv)
	var b strings.Builder
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", columns.Wrap(text, width))
	if c.Runnable() && c.HasParent() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(
					&b,
					"%s\n",
					columns.Wrap(fmt.Sprintf("  %-*s  %s", sub.NamePadding(), sub.Name(), sub.Short), width),
				)
			}
		}
	}
	flags := func(title string, fs *pflag.FlagSet) {
		if fs.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, strings.TrimRight(fs.FlagUsagesWrapped(width), "\n"))
		}
	}
	flags("Flags", c.LocalFlags())
	flags("Flags of every command", c.InheritedFlags())
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more about a command.\n", c.CommandPath())
	}
	_, _ = io.WriteString(w, b.String())
}

// unknownCommand says that name is no command of c, and which command may have been meant.
func unknownCommand(c *cobra.Command, name string) error {
	if meant := suggested(c, name); meant != "" {
		return fmt.Errorf("%q is no command; did you mean %s?", name, meant)
	}
	if c == c.Root() && looksLikeDirectory(name) {
		return fmt.Errorf(
			"%q is no command; to serve that directory: %s serve %s",
			name,
			c.Name(),
			quoted(name),
		)
	}
	return fmt.Errorf("%q is no command", name)
}

// suggested returns the command of c whose name is similar to name, as it is typed.
func suggested(c *cobra.Command, name string) string {
	c.SuggestionsMinimumDistance = 2
	if names := c.SuggestionsFor(name); len(names) > 0 {
		return c.CommandPath() + " " + names[0]
	}
	return ""
}

// looksLikeDirectory reports whether word is a path, or an existing directory.
func looksLikeDirectory(word string) bool {
	if strings.ContainsRune(word, '/') || word == "." || word == ".." {
		return true
	}
	st, err := os.Stat(word)
	return err == nil && st.IsDir()
}

// flagErrors adds to an error of cobra's flag parsing the flag that may have been meant, or the
// command that was not found and that its flags were for. args is the command line.
func flagErrors(args []string) func(*cobra.Command, error) error {
	return func(c *cobra.Command, err error) error {
		if !c.HasParent() {
			if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 {
				return unknownCommand(c, args[i])
			}
		}
		var unknown *pflag.NotExistError
		if !errors.As(err, &unknown) {
			return err
		}
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" { // all of "ro", for -ro
			name, _, _ = strings.Cut(short, "=")
		}
		best, least := "", len(name)/3+1 // at most so many letters may be wrong
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if d := distance(name, f.Name); d < least && !f.Hidden {
				best, least = f.Name, d
			}
		})
		if best == "" {
			return err
		}
		return fmt.Errorf("%w; did you mean --%s?", err, best)
	}
}

// distance returns how many letters must be inserted, removed or replaced to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
