package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/bench/report"
	"github.com/ringnfs/ringnfs/bench/report/columns"
)

func newBenchCompare(stdout io.Writer) *cobra.Command {
	var limit float64
	c := &cobra.Command{
		Use:   "compare [flags] BEFORE.json AFTER.json",
		Short: "Tell what changed between two results of bench --json",
		Long: "compare sets the medians of two results side by side. It calls a difference real if, by the " +
			"Mann-Whitney test, chance explains it with a probability below 5 %. The interval contains the ratio " +
			"of the medians with 95 % confidence (bootstrap). Make results with --rounds 5 or more.\n\n" +
			"With --fail-over it exits with 1 if a figure got worse by more than that and not by " +
			"chance, or if a load or one of its figures " +
			"is missing. Worse means a lower rate, or more CPU time or latency. With fewer than 4 rounds on " +
			"either side nothing distinguishes chance from change: then the figures alone decide.",
		Example: "  ringnfs bench compare before.json after.json\n" +
			"  ringnfs bench compare --fail-over 10 before.json after.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("which two results? ringnfs bench compare BEFORE.json AFTER.json")
			}
			return nil
		},
		ValidArgsFunction: files("json"),
		RunE: func(c *cobra.Command, args []string) error {
			fails := c.Flags().Changed("fail-over")
			if !(limit >= 0) { // also for NaN
				return fmt.Errorf("--fail-over %v: 0 or more percent", limit)
			}
			a, err := report.ReadFile(args[0])
			if err != nil {
				return failure{err}
			}
			b, err := report.ReadFile(args[1])
			if err != nil {
				return failure{err}
			}
			x := report.Compare(a, b)
			if err := x.WriteText(stdout, columns.Width(stdout, os.Getenv)); err != nil || !fails {
				return failed(err)
			}
			return failed(x.Failure(limit))
		},
	}
	c.Flags().Float64Var(
		&limit,
		"fail-over",
		0,
		"exit with 1 if something got worse by more than `PERCENT`, for CI (default: never)",
	)
	c.Flags().Lookup("fail-over").DefValue = "0"
	complete(c, map[string]completer{"fail-over": words("5", "10")})
	return c
}
