package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// failure is an error of the server, as opposed to one of the command line.
type failure struct{ err error }

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// killed ends the process when a second signal arrives, or one during the start.
type killed struct{ code int }

func (k killed) Error() string { return "ended by a signal" }

// Main runs the command line args (without the program's name) and returns the exit code of the
// process. It blocks as long as the command runs. While a server runs, Main handles SIGINT and
// SIGTERM.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(flagErrors(args))
	profile := profileFlag(root)
	command, err := root.ExecuteC()
	if errProfile := profile.stop(); err == nil {
		err = errProfile
	}
	var (
		end  killed
		fail failure
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &end):
		return end.code
	case errors.As(err, &fail):
		complainFor(complainMax, stderr, strings.TrimPrefix(err.Error(), "nfs: "))
		return exitFailure
	default: // errors of cobra and of our flag parsing
		what, _, _ := strings.Cut(err.Error(), ": strconv.") // Go's names help no user
		complain(stderr, fmt.Sprintf("%s (see %s --help)", what, command.CommandPath()))
		return exitUsage
	}
}

// complainMax is how long the end of the process waits for the reader of the error message.
const complainMax = time.Second

// complainFor is complain for a reader that may have stopped: it waits no longer than longest.
func complainFor(longest time.Duration, w io.Writer, message string) {
	written := make(chan struct{})
	go func() { complain(w, message); close(written) }()
	end := time.NewTimer(longest)
	defer end.Stop()
	select {
	case <-written:
	case <-end.C:
	}
}

// complain writes one line, whatever message contains.
func complain(w io.Writer, message string) {
	fmt.Fprintf(w, "ringnfs: %s\n", strings.Join(strings.FieldsFunc(message, func(r rune) bool {
		return r == '\n' || r == '\r'
	}), "; "))
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "ringnfs",
		Short: "An NFS server for Linux on io_uring",
		Long: "ringnfs serves directories over NFS. It needs no configuration, no rpcbind and no other daemon.\n" +
			"\n" +
			"  ringnfs serve DIR                    serves a directory to this machine\n" +
			"  ringnfs bench HOST:PORT:/PATH        measures an NFS server, this one or another",
		Args: func(c *cobra.Command, words []string) error {
			if len(words) > 0 {
				return unknownCommand(c, words[0])
			}
			return nil
		},
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		Version:           versionText(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	useHelp(root)
	root.AddCommand(newServe(stdout, stderr), newBench(stdout, stderr), newCompletion(stdout), newMan())
	return root
}
