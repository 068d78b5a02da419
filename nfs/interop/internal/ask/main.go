// Command ask asks an NFS server several hundred questions, always the same and in the same order,
// and writes the answers down as JSON. It leaves out what may differ between two correct servers:
// handles, file numbers, verifiers, the present time. nfs/interop compares the answers of different
// servers.
//
// The export must be empty and writable, must belong to the superuser, and must not squash.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"

	"github.com/ringnfs/ringnfs/nfs/client"
)

func main() {
	addr := flag.String("addr", "", "`host:port` of NFS")
	mountAddr := flag.String("mount", "", "`host:port` of MOUNT, if another")
	path := flag.String("path", "/", "`path` of the export")
	path4 := flag.String("path4", "", "`path` of the export by version 4; without it, version 3 alone is asked")
	leave := flag.String(
		"leave",
		"",
		"questions to leave out, by name: those that stop the server (`regexp`)",
	)
	out := flag.String("o", "", "`file` for the answers")
	flag.Parse()
	if *mountAddr == "" {
		*mountAddr = *addr
	}
	answers, err := interview(*addr, *mountAddr, *path, *path4, *leave)
	if err == nil {
		var data []byte
		if data, err = json.MarshalIndent(answers, "", " "); err == nil {
			err = os.WriteFile(*out, data, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ask:", err)
		os.Exit(1)
	}
}

// failure ends the interview.
type failure struct{ error }

// interview asks everything.
func interview(addr, mountAddr, path, path4, leave string) (answers []*Answer, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	nfs, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer nfs.conn.Close()
	mnt := nfs
	if mountAddr != addr {
		if mnt, err = dial(mountAddr); err != nil {
			return nil, err
		}
		defer mnt.conn.Close()
	}
	mnt.conn.Cred = mnt.cred
	mounted, err := client.Mount{Caller: mnt.conn}.Mnt(path)
	if err != nil {
		return nil, err
	}
	fh := FH{Data: bytes.Clone(mounted.Mountinfo.Fhandle)}
	a := newAsker(nfs, mnt, path, fh)
	if leave != "" {
		if a.leave, err = regexp.Compile(leave); err != nil {
			return nil, err
		}
	}
	a.findClock()
	for _, subject := range []struct {
		name string
		ask  func(*asker, FH)
	}{
		{"rpc", askRPC},
		{"mount", askMount},
		{"handles", askHandles},
		{"names", askNames},
		{"lookup", askLookup},
		{"create", askCreate},
		{"exclusive", askExclusive},
		{"mkdir", askMkdir},
		{"symlink", askSymlink},
		{"mknod", askMknod},
		{"remove", askRemove},
		{"rename", askRename},
		{"link", askLink},
		{"sticky", askSticky},
		{"mode", askMode},
		{"owner", askOwner},
		{"size", askSize},
		{"times", askTimes},
		{"guard", askGuard},
		{"access", askAccess},
		{"read", askRead},
		{"write", askWrite},
		{"commit", askCommit},
		{"readdir", askReaddir},
		{"setgid", askSetgid},
		{"groups", askGroups},
		{"server", askServer},
	} {
		a.begin(subject.name)
		dir := a.root.mkdir("", a.export, subject.name, client.Mode(0o777))
		a.root.setattr("", dir, client.Mode(0o777))
		subject.ask(a, dir)
	}
	if path4 != "" {
		if err := ask4(a, addr, path4); err != nil {
			return nil, err
		}
	}
	return a.answers, nil
}
