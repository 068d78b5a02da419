package cli

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/nfs"
)

// shells are the shells for which there is completion.
var shells = []string{"bash", "zsh", "fish"}

func newCompletion(stdout io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that lets a shell complete commands, flags and directories",
		Long: "completion prints a script for bash, zsh or fish, which then completes ringnfs's commands, its flags, their values, and the directories to serve.\n" +
			"\n" +
			"  bash   ringnfs completion bash > /etc/bash_completion.d/ringnfs (needs the package bash-completion)\n" +
			"  zsh    ringnfs completion zsh > \"${fpath[1]}/_ringnfs\"\n" +
			"  fish   ringnfs completion fish > ~/.config/fish/completions/ringnfs.fish\n" +
			"\n" +
			"For the shell that is running now: source <(ringnfs completion bash)",
		Args: func(_ *cobra.Command, words []string) error {
			if len(words) != 1 || !slices.Contains(shells, words[0]) {
				return errors.New("for which shell? say bash, zsh or fish")
			}
			return nil
		},
		ValidArgs: shells,
		RunE: func(c *cobra.Command, words []string) error {
			root := c.Root()
			switch words[0] {
			case "bash":
				return failed(root.GenBashCompletionV2(stdout, true))
			case "zsh":
				return failed(root.GenZshCompletion(stdout))
			default:
				return failed(root.GenFishCompletion(stdout, true))
			}
		},
	}
	return c
}

// completer returns the words that may stand in a place of the command line.
type completer = cobra.CompletionFunc

// complete names the values of flags to the shell. A flag that does not exist is a mistake of the
// program.
func complete(c *cobra.Command, flags map[string]completer) {
	for name, f := range flags {
		if err := c.RegisterFlagCompletionFunc(name, f); err != nil {
			panic("cli: " + err.Error())
		}
	}
}

// words completes to one of the words in list.
func words(list ...string) completer {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// ofDirs is for values that depend on the directories to serve.
func ofDirs(values func(dirs []string) []cobra.Completion) completer {
	return func(_ *cobra.Command, dirs []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return values(dirs), cobra.ShellCompDirectiveNoFileComp
	}
}

// numbers is for values that no completion can guess.
func numbers(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// directories completes to directories only.
func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// files completes to files whose names end with ext.
func files(ext string) completer {
	return cobra.FixedCompletions([]string{ext}, cobra.ShellCompDirectiveFilterFileExt)
}

// listed completes the last item of a list with commas.
func listed(items func() []string) completer {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		done := typed[:strings.LastIndexByte(typed, ',')+1]
		var all []cobra.Completion
		for _, item := range items() {
			if !slices.Contains(strings.Split(done, ","), item) {
				all = append(all, done+item)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func completeServe(c *cobra.Command) {
	c.ValidArgsFunction = directories
	modes := []string{"buffered", "dontcache", "direct", "auto"}
	complete(c, map[string]completer{
		"listen": listed(func() []string {
			addrs := []string{"0.0.0.0", "::"}
			for _, a := range localAddrs() {
				if !a.IsLinkLocalUnicast() {
					addrs = append(addrs, a.String())
				}
			}
			return addrs
		}),
		"allow":   listed(func() []string { return networks() }),
		"port":    words("2049", "12049"),
		"portmap": words("auto", "on", "off"),
		"squash":  words("root", "none", "all"),
		"io": ofDirs(func(dirs []string) []cobra.Completion {
			all := slices.Clone(modes)
			for _, dir := range dirs {
				for _, mode := range modes {
					all = append(all, dir+"="+mode)
				}
			}
			return all
		}),
		"exclusive":      ofDirs(slices.Clone[[]string]),
		"read-path":      words("auto", "copy", "splice", "zc"),
		"write-path":     words("auto", "worker", "inline"),
		"log-level":      words("debug", "info", "warn", "error"),
		"state-dir":      directories,
		"without":        listed(nfs.FeatureNames),
		"versions":       listed(nfs.VersionNames),
		"lease":          words("45s", "90s"),
		"grace":          words("45s", "90s"),
		"idmap-domain":   numbers,
		"mount-port":     numbers,
		"anonuid":        numbers,
		"anongid":        numbers,
		"lanes":          numbers,
		"memory":         words("256M", "1G"),
		"splice-from":    words("64K"),
		"zero-copy-from": words("32K"),
		"spin":           words("50us", "1ms"),
		"transfer-max":   words("1M", "2M", "4M"),
	})
}

// networks returns the networks that this machine is in.
func networks() (all []string) {
	for _, p := range localPrefixes() {
		if a := p.Addr(); !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			all = append(all, p.Masked().String())
		}
	}
	slices.Sort(all)
	return append(
		slices.Compact(all),
		netip.PrefixFrom(netip.IPv4Unspecified(), 0).String(),
		netip.PrefixFrom(netip.IPv6Unspecified(), 0).String(),
	)
}

func completeBench(c *cobra.Command) {
	c.ValidArgsFunction = numbers // an export of any host: there is no list to choose from
	complete(c, map[string]completer{
		"workload": listed(func() []string {
			var all []string
			for _, k := range load.Kinds() {
				if k[0] == "read" || k[0] == "write" {
					all = append(all, k[0]+"-4k", k[0]+"-4k-rand", k[0]+"-1m", k[0]+"-1m-rand")
					continue
				}
				all = append(all, k[0])
			}
			return all
		}),
		"nfs":        words(load.Versions()...),
		"sessions":   numbers,
		"stable":     words("unstable", "data-sync", "file-sync"),
		"json":       files("json"),
		"html":       files("html"),
		"conns":      numbers,
		"depth":      numbers,
		"threads":    numbers,
		"seconds":    numbers,
		"warmup":     numbers,
		"rounds":     words("1", "5"),
		"rate":       numbers,
		"size":       words("4K", "64K", "1M"),
		"file-size":  words("256M", "1G"),
		"entries":    numbers,
		"mount-port": numbers,
		"server-pid": numbers,
		"uid":        numbers,
		"gid":        numbers,
		"label":      numbers,
	})
}
