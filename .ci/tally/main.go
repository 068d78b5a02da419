// Command tally makes sense of many runs of `go test -json`.
//
//	go test -json ./... | tally -name unit -to DIR   show one run, keep its counts in DIR
//	tally -fail 'lint' -to DIR                       keep one failure of something that is no test
//	tally -sum DIR                                   name what was skipped and failed, count all runs
//
// A run shows what failed, with its output, which tests took long, and one line per
// package. What is
// counted is leaves: a test with subtests counts through them, unless it failed
// or was skipped by itself. A package that does not build, or that ends without
// saying how its tests went, counts as one failure. If anything was tested, the sum ends with
// "N passed, N failed, N skipped" on a line; its exit code is 1 when anything failed or
// when tests ran and none passed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	name := flag.String("name", "", "name of the run")
	to := flag.String("to", "", "directory that keeps the counts")
	fail := flag.String("fail", "", "count one failure under this name")
	sum := flag.String("sum", "", "directory to sum up")
	flag.Parse()
	if err := run(*name, *to, *fail, *sum); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

func run(name, to, fail, sum string) error {
	switch {
	case sum != "":
		total, err := load(sum)
		if err != nil {
			return err
		}
		if !total.write(os.Stdout) {
			os.Exit(1)
		}
		return nil
	case fail != "":
		return (&result{Failed: []string{fail}}).save(to, fail)
	default:
		r, err := read(os.Stdin, os.Stdout, name)
		if err != nil {
			return err
		}
		if to != "" {
			if err := r.save(to, name); err != nil {
				return err
			}
		} else {
			r.write(os.Stdout)
		}
		if len(r.Failed) > 0 {
			os.Exit(1)
		}
		return nil
	}
}
