// Command ringnfs is an NFS server for Linux whose network and file data path
// is io_uring. `ringnfs serve DIR` serves a directory; `ringnfs serve --help`
// lists its flags, docs/operations.md explains them.
package main

import (
	"os"

	"github.com/ringnfs/ringnfs/cmd/ringnfs/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
