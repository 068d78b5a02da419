// Command goclient moves files with github.com/willscott/go-nfs-client, a
// client that has nothing in common with ringnfs but the protocol. MOUNT and
// NFS go over one connection.
//
//	goclient ADDR:PORT EXPORT put LOCAL REMOTE
//	goclient ADDR:PORT EXPORT get REMOTE LOCAL
//	goclient ADDR:PORT EXPORT ls DIR
//	goclient ADDR:PORT EXPORT mkdir|rmdir|rm PATH
//	goclient ADDR:PORT EXPORT mv FROM TO
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/willscott/go-nfs-client/nfs"
	"github.com/willscott/go-nfs-client/nfs/rpc"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goclient:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("usage: goclient ADDR:PORT EXPORT VERB ARG...")
	}
	client, err := rpc.DialTCP("tcp", args[0], false)
	for range 20 { // it chooses a port of its own by chance
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		client, err = rpc.DialTCP("tcp", args[0], false)
	}
	if err != nil {
		return err
	}
	mount := nfs.Mount{Client: client}
	auth := rpc.NewAuthUnix("goclient", uint32(os.Getuid()), uint32(os.Getgid()))
	target, err := mount.Mount(args[1], auth.Auth())
	if err != nil {
		return fmt.Errorf("mount %s: %w", args[1], err)
	}
	err = do(target, args[2], args[3:])
	if errUnmount := mount.Unmount(); err == nil {
		err = errUnmount
	}
	client.Close()
	return err
}

func do(t *nfs.Target, verb string, args []string) error {
	two := len(args) == 2
	switch {
	case verb == "put" && two:
		return put(t, args[0], args[1])
	case verb == "get" && two:
		return get(t, args[0], args[1])
	case verb == "mv" && two:
		return t.Rename(args[0], args[1])
	case verb == "mkdir":
		_, err := t.Mkdir(args[0], 0o755)
		return err
	case verb == "rmdir":
		return t.RmDir(args[0])
	case verb == "rm":
		return t.Remove(args[0])
	case verb == "ls":
		entries, err := t.ReadDirPlus(args[0])
		if err != nil {
			return err
		}
		var names []string
		for _, e := range entries {
			names = append(names, fmt.Sprintf("%s %d %v", e.Name(), e.Size(), e.IsDir()))
		}
		fmt.Println(strings.Join(names, "\n"))
		return nil
	}
	return fmt.Errorf("no verb %s with %d arguments", verb, len(args))
}

func put(t *nfs.Target, local, remote string) error {
	in, err := os.Open(local)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := t.OpenFile(remote, 0o644)
	if err != nil {
		return err
	}
	// The size of a copy's buffer is the size of its WRITEs, up to wtmax.
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		return err
	}
	return out.Close() // COMMIT
}

func get(t *nfs.Target, remote, local string) error {
	in, err := t.Open(remote)
	if err != nil {
		return err
	}
	out, err := os.Create(local)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
