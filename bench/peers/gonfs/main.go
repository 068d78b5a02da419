// Command gonfs serves a directory with github.com/willscott/go-nfs, to measure
// it beside ringnfs. It is a module of its own so that nothing else depends on it.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/willscott/go-nfs"
	"github.com/willscott/go-nfs/helpers"
)

// handles is how many file handles the server remembers: more than the benchmark
// uses, so that none is forgotten in the middle.
const handles = 1 << 16

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gonfs ADDR DIR")
		os.Exit(2)
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err == nil {
		nfs.Log.SetLevel(nfs.ErrorLevel)
		fs := changer{osfs.New(os.Args[2])}
		err = nfs.Serve(ln, helpers.NewCachingHandler(helpers.NewNullAuthHandler(fs), handles))
	}
	fmt.Fprintln(os.Stderr, "gonfs:", err)
	os.Exit(1)
}

// changer lets the server change attributes, without which it makes no files.
type changer struct{ billy.Filesystem }

func (c changer) path(name string) string { return c.Join(c.Root(), name) }

func (c changer) Chmod(name string, mode os.FileMode) error { return os.Chmod(c.path(name), mode) }

func (c changer) Chown(name string, uid, gid int) error { return os.Chown(c.path(name), uid, gid) }

func (c changer) Lchown(name string, uid, gid int) error { return os.Lchown(c.path(name), uid, gid) }

func (c changer) Chtimes(name string, atime, mtime time.Time) error {
	return os.Chtimes(c.path(name), atime, mtime)
}
