package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// allCommands returns root and all commands below it, also those that users do not see.
func allCommands() []*cobra.Command {
	root := newRoot(nil, nil)
	profileFlag(root)
	all := []*cobra.Command{root}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

func TestHelpFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 132} {
		t.Setenv("COLUMNS", strconv.Itoa(columns))
		for _, line := range []string{"help", "help serve", "serve --help", "bench --help", "help bench", "help bench compare", "help completion", "help man"} {
			code, out, errs := command(strings.Fields(line)...)
			require.Equal(t, exitOK, code, errs)
			require.Empty(t, errs)
			for text := range strings.Lines(out) {
				text = strings.TrimRight(text, "\n")
				if strings.HasPrefix(text, "  ringnfs ") { // commands are copied: they stay whole
					continue
				}
				require.LessOrEqual(t, utf8.RuneCountInString(text), columns, "%s: %q", line, text)
			}
		}
	}
}

func TestTheHelpCommandSaysWhatTheFlagSays(t *testing.T) {
	for _, words := range []string{"serve", "bench", "bench compare", "completion"} {
		_, a, _ := command(append([]string{"help"}, strings.Fields(words)...)...)
		_, b, _ := command(append(strings.Fields(words), "--help")...)
		require.Equal(t, b, a)
		require.Contains(t, a, "ringnfs "+words)
	}
}

func TestEveryFlagCompletesItsValues(t *testing.T) {
	for _, c := range allCommands() {
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				return
			}
			_, ok := c.GetFlagCompletionFunc(f.Name)
			require.True(t, ok, "%s --%s", c.CommandPath(), f.Name)
		})
	}
}

func TestShellsAreToldWhatMayComeNext(t *testing.T) {
	for line, want := range map[string]struct {
		words     []string
		directive string
	}{
		"serve --squash |":         {[]string{"root", "none", "all"}, ":4"},
		"serve --log-level |":      {[]string{"debug", "info", "warn", "error"}, ":4"},
		"serve |":                  {nil, ":16"}, // directories
		"serve /srv/a |":           {nil, ":16"},
		"serve --state-dir |":      {nil, ":16"},
		"serve /a --io |":          {[]string{"buffered", "dontcache", "direct", "auto", "/a=buffered", "/a=dontcache", "/a=direct", "/a=auto"}, ":4"},
		"bench -w null,getattr,t|": {[]string{"null,getattr,tree"}, ":6"},
		"serve --lease |":          {[]string{"45s", "90s"}, ":4"},
		"serve --versions 3,|":     {[]string{"3,4.0", "3,4.1", "3,4.2"}, ":6"},
		"bench --json |":           {[]string{"json"}, ":8"}, // files that end so
		"bench --stable |":         {[]string{"unstable", "data-sync", "file-sync"}, ":4"},
		"help b|":                  {[]string{"bench"}, ":4"},
		"completion |":             {shells, ":4"},
	} {
		t.Run(line, func(t *testing.T) {
			fields := strings.Fields(line)
			last := strings.TrimSuffix(fields[len(fields)-1], "|")
			code, out, _ := command(
				append(append([]string{"__completeNoDesc"}, fields[:len(fields)-1]...), last)...)
			require.Equal(t, exitOK, code)
			var words []string
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for _, w := range lines[:len(lines)-1] {
				if strings.HasPrefix(w, last) || want.directive == ":8" {
					words = append(words, w)
				}
			}
			require.Equal(t, want.words, words)
			require.Equal(t, want.directive, lines[len(lines)-1])
		})
	}
}

func TestTheScriptOfEachShellIsOne(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			code, out, errs := command("completion", shell)
			require.Equal(t, exitOK, code, errs)
			require.Contains(t, out, "__complete")
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("needs %s", shell)
			}
			c := exec.Command(path, "-n")
			c.Stdin = strings.NewReader(out)
			text, err := c.CombinedOutput()
			require.NoError(t, err, "%s", text)
		})
	}
}

func TestEachCommandHasAManualPageWithAllItsFlags(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "man1")
	code, out, errs := command("man", dir)
	require.Equal(t, exitOK, code, errs)
	require.Empty(t, out)
	for _, c := range allCommands() {
		if !c.IsAvailableCommand() && c.HasParent() {
			continue
		}
		page, err := os.ReadFile(filepath.Join(dir, pageName(c)+".1"))
		require.NoError(t, err)
		text := string(page)
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"} {
			require.Contains(t, text, ".SH "+section+"\n", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			require.Contains(t, text, `\fB`+roff("--"+f.Name)+`\fR`, c.CommandPath())
		})
		require.NotContains(t, text, "\n\n", "an empty line is a fault in roff")
		if groff, err := exec.LookPath("groff"); err == nil {
			warnings, err := exec.Command(
				groff,
				"-man",
				"-ww",
				"-z",
				"-Tutf8",
				filepath.Join(dir, pageName(c)+".1"),
			).CombinedOutput()
			require.NoError(t, err)
			require.Empty(t, string(warnings))
		}
	}
	code, _, errs = command("man", "/proc/nowhere")
	require.Equal(t, exitFailure, code)
	require.Equal(t, 1, strings.Count(errs, "\n"), errs)
}
