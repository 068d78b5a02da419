package cli

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/bench/report"
)

func newBenchCompare(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "compare BEFORE.json AFTER.json",
		Short: "Tell what changed between two results of bench --json",
		Long: "compare sets the medians of two results side by side. A difference is called one when the\n" +
			"Mann-Whitney test gives it less than 5 % to have come by chance; the interval is where the ratio\n" +
			"of the medians lies with 95 % confidence (bootstrap). Make results with --rounds 5 or more.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("which two results? ringnfs bench compare BEFORE.json AFTER.json")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := report.ReadFile(args[0])
			if err != nil {
				return failure{err}
			}
			b, err := report.ReadFile(args[1])
			if err != nil {
				return failure{err}
			}
			return failed(report.Compare(a, b).WriteText(stdout))
		},
	}
}
