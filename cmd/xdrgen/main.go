// Command xdrgen writes Go for the XDR language of RFC 4506.
//
//	xdrgen [-package NAME] FILE.x...
//
// For each FILE.x it writes FILE_xdr.go beside it. By default the package is the one that go
// generate names in GOPACKAGE. The output depends on the input alone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/emit"
	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

func main() {
	pkg := flag.String("package", os.Getenv("GOPACKAGE"), "name of the Go package to write")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: xdrgen [-package NAME] FILE.x...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *pkg == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range flag.Args() {
		if err := generate(name, *pkg); err != nil {
			fmt.Fprintln(os.Stderr, "xdrgen:", err)
			os.Exit(1)
		}
	}
}

// output is the name of the file that is generated from name.
func output(name string) (string, error) {
	stem, ok := strings.CutSuffix(name, ".x")
	if !ok {
		return "", errors.New(name + ": the name of an XDR file ends in .x")
	}
	return stem + "_xdr.go", nil
}

func generate(name, pkg string) error {
	out, err := output(name)
	if err != nil {
		return err
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := lang.Parse(name, string(src))
	if err != nil {
		return err
	}
	code, err := emit.Go(f, pkg)
	if err != nil {
		return err
	}
	return os.WriteFile(out, code, 0o644)
}
