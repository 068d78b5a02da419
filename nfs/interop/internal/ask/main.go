// Command ask asks an NFS server several hundred questions, always the same and
// in the same order, and writes its answers down as JSON, freed of what may
// differ between two correct servers: handles, file numbers, verifiers, the
// present time. nfs/interop compares the answers of different servers.
//
// The export must be empty, writable, and the superuser's without squashing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

func main() {
	addr := flag.String("addr", "", "`host:port` of NFS")
	mountAddr := flag.String("mount", "", "`host:port` of MOUNT, if another")
	path := flag.String("path", "/", "`path` of the export")
	leave := flag.String("leave", "", "questions to leave out, by name: those that stop the server (`regexp`)")
	out := flag.String("o", "", "`file` for the answers")
	flag.Parse()
	if *mountAddr == "" {
		*mountAddr = *addr
	}
	answers, err := interview(*addr, *mountAddr, *path, *leave)
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

// trouble stands in for a test: what fails one ends the interview.
type trouble struct{ testing.TB }

type failure struct{ error }

func (trouble) Helper()                      {}
func (trouble) Cleanup(func())               {}
func (trouble) Logf(string, ...any)          {}
func (trouble) Fatal(v ...any)               { panic(failure{fmt.Errorf("%s", fmt.Sprint(v...))}) }
func (trouble) Fatalf(f string, v ...any)    { panic(failure{fmt.Errorf(f, v...)}) }
func (trouble) Error(v ...any)               { fmt.Fprintln(os.Stderr, v...) }
func (trouble) Errorf(f string, args ...any) { fmt.Fprintf(os.Stderr, f+"\n", args...) }

// interview asks everything.
func interview(addr, mountAddr, path, leave string) (answers []*Answer, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	nfs := nfstest.Dial(trouble{}, addr)
	defer nfs.Close()
	mnt := nfs
	if mountAddr != addr {
		mnt = nfstest.Dial(trouble{}, mountAddr)
		defer mnt.Close()
	}
	fh, st := nfstest.Mount(mnt, path)
	if st != mount.MNT3_OK {
		return nil, fmt.Errorf("MNT %s: %v", path, st)
	}
	a := newAsker(nfs, mnt, path, fh)
	if leave != "" {
		if a.leave, err = regexp.Compile(leave); err != nil {
			return nil, err
		}
	}
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
		dir := a.root.mkdir("", a.export, subject.name, nfstest.Mode(0o777))
		a.root.setattr("", dir, nfstest.Mode(0o777))
		subject.ask(a, dir)
	}
	return a.answers, nil
}
