package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// op is an operation of a compound.
type op = nfs4.NfsArgop4

// talker asks by version 4.2, in one session, as the superuser.
type talker struct {
	*asker
	c   *client4.Client
	dir []op // leads to the directory of the subject
}

// ask4 asks everything that is asked by version 4. The export is at path there.
func ask4(a *asker, addr, path string) error {
	nc, err := dial(addr)
	if err != nil {
		return err
	}
	defer nc.conn.Close()
	nc.conn.Cred = nc.cred
	t := &talker{asker: a, c: client4.New(client.Caller(nc.conn), 2, []byte("ask"))}
	if err := t.c.Establish(client4.Limits{}); err != nil {
		return fmt.Errorf("version 4: %w", err)
	}
	root := []op{client4.PutRootFH()}
	for name := range strings.SplitSeq(path, "/") {
		if name != "" {
			root = append(root, client4.Lookup(name))
		}
	}
	for _, subject := range []struct {
		name string
		ask  func(*talker)
	}{
		{"v4 compounds", ask4Compounds},
		{"v4 sessions", ask4Sessions},
		{"v4 names", ask4Names},
		{"v4 kinds", ask4Kinds},
		{"v4 attributes", ask4Attributes},
		{"v4 set attributes", ask4SetAttributes},
		{"v4 opens", ask4Opens},
		{"v4 stateids", ask4Stateids},
		{"v4 locks", ask4Locks},
		{"v4 listings", ask4Listings},
		{"v4 data", ask4Data},
		{"v4 xattrs", ask4Xattrs},
	} {
		a.begin(subject.name)
		name := strings.ReplaceAll(subject.name, " ", "-")
		t.dir = root
		t.must(client4.Mkdir(name, 0o777))
		t.dir = append(root[:len(root):len(root)], client4.Lookup(name))
		subject.ask(t)
	}
	return nil // the session and what the questions have opened end with the server
}

// do makes a compound in the subject's directory, and returns the results of ops and the status.
func (t *talker) do(ops ...op) ([]nfs4.NfsResop4, nfs4.Nfsstat4, nfs4.NfsOpnum4) {
	res, err := t.c.Do(append(t.dir[:len(t.dir):len(t.dir)], ops...)...)
	st, failed := nfs4.NFS4_OK, nfs4.NfsOpnum4(0)
	var e *client4.StatusError
	switch {
	case errors.As(err, &e):
		st, failed = e.Status, e.Op
	case err != nil:
		panic(failure{fmt.Errorf("%s: %w", t.answers[len(t.answers)-1].Name, err)})
	}
	if len(res) >= len(t.dir) {
		return res[len(t.dir):], st, failed
	}
	return nil, st, failed
}

// must is do for what is no question.
func (t *talker) must(ops ...op) []nfs4.NfsResop4 {
	res, st, failed := t.do(ops...)
	if st != nfs4.NFS4_OK {
		panic(failure{fmt.Errorf("version 4: %s of %s: %s", client4.Name(failed), t.subject, st)})
	}
	return res
}

// question asks a compound in the subject's directory. The answer has the status, and the operation
// that it is of unless that is the last one.
func (t *talker) question(what string, ops ...op) (*Answer, []nfs4.NfsResop4) {
	x := t.note(client4.Name(ops[len(ops)-1].Argop), what)
	if t.leave != nil && t.leave.MatchString(x.Name) {
		x.set("left out", true)
		return x, nil
	}
	res, st, failed := t.do(ops...)
	x.set("status", st)
	if st != nfs4.NFS4_OK {
		if failed != ops[len(ops)-1].Argop {
			x.set("of", client4.Name(failed))
		}
		return x, nil
	}
	return x, res
}

// file makes a file with some content, and returns what leads to it.
func (t *talker) file(name, content string) op {
	id := t.opened(name, 3)
	t.must(client4.Lookup(name), client4.Write(id, 0, []byte(content), nfs4.FILE_SYNC4))
	t.must(client4.Lookup(name), client4.Close(id, 0))
	return client4.Lookup(name)
}

// opened opens a file, and makes it if there is none.
func (t *talker) opened(name string, access uint32) nfs4.Stateid4 {
	o := client4.Open{Owner: []byte("owner of " + name), Access: access, Name: name, Create: true, Mode: 0o666}
	return t.must(o.Op())[0].Opopen.Resok4.Stateid
}

// create is CREATE of an object of a kind.
func create(name string, kind nfs4.NfsFtype4) op {
	a := op{Argop: nfs4.OP_CREATE}
	a.Opcreate = nfs4.CREATE4args{
		Objtype: nfs4.Createtype4{Type: kind, Linkdata: nfs4.Linktext4("target"), Devdata: nfs4.Specdata4{Specdata1: 1, Specdata2: 3}},
		Objname: nfs4.Component4(name), Createattrs: client4.Mode(0o644),
	}
	return a
}

func rename(from, to string) op {
	return op{Argop: nfs4.OP_RENAME, Oprename: nfs4.RENAME4args{
		Oldname: nfs4.Component4(from), Newname: nfs4.Component4(to),
	}}
}

func link(name string) op {
	return op{Argop: nfs4.OP_LINK, Oplink: nfs4.LINK4args{Newname: nfs4.Component4(name)}}
}

func secinfo(name string) op {
	return op{Argop: nfs4.OP_SECINFO, Opsecinfo: nfs4.SECINFO4args{Name: nfs4.Component4(name)}}
}

func access(bits uint32) op {
	return op{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: bits}}
}

func bare(n nfs4.NfsOpnum4) op { return op{Argop: n} }

var (
	saveFH    = bare(nfs4.OP_SAVEFH)
	restoreFH = bare(nfs4.OP_RESTOREFH)
)

func readDir(cookie uint64, dirCount, maxCount uint32, numbers ...int) op {
	a := client4.ReadDir(cookie, nfs4.Verifier4{}, maxCount, numbers...)
	a.Opreaddir.Dircount = nfs4.Count4(dirCount)
	return a
}

func setattr(id nfs4.Stateid4, a nfs4.Fattr4) op {
	return op{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{Stateid: id, ObjAttributes: a}}
}

func openHow(name string, how nfs4.Openflag4, share, deny uint32) op {
	return op{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: share, ShareDeny: deny, Owner: nfs4.OpenOwner4{Owner: []byte("asker")}, Openhow: how,
		Claim: nfs4.OpenClaim4{Claim: nfs4.CLAIM_NULL, File: nfs4.Component4(name)},
	}}
}

// The special stateids (RFC 8881, section 8.2.3).
var (
	anonymous = nfs4.Stateid4{}
	bypass    = nfs4.Stateid4{Seqid: 1<<32 - 1, Other: [12]byte(bytes.Repeat([]byte{0xff}, 12))}
	current   = nfs4.Stateid4{Seqid: 1}
)
