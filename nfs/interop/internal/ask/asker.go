package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// FH is a file handle.
type FH = nfs3.NfsFh3

// Answer is what the server said to one question.
type Answer struct {
	Name   string            // unique
	Asked  time.Duration     // since the first question
	Fields map[string]string // of the reply
}

// The callers. All are strangers to the server's own user database.
const (
	aliceID = 10001
	bobID   = 10002
	carolID = 10003
	teamID  = 20001 // a group that alice and carol belong to, beside their own
	clubID  = 20002 // a group of bob's
)

// asker keeps the answers.
type asker struct {
	nfs, mnt line
	path     string
	export   FH
	subject  string
	answers  []*Answer
	names    map[string]int
	known    map[string]nfs3.Fattr3 // by handle, the attributes that the server gave last
	verf     *nfs3.Writeverf3
	clock    FH             // of the file that shows the server's time
	leave    *regexp.Regexp // nil: ask everything
	began    time.Time

	root, alice, bob, carol, nobody caller
}

// caller asks in the name of somebody.
type caller struct {
	*asker
	c    line
	slow bool // see slowly
}

func newAsker(nfs, mnt line, path string, export FH) *asker {
	a := &asker{
		nfs:    nfs,
		mnt:    mnt,
		path:   path,
		export: export,
		names:  map[string]int{},
		known:  map[string]nfs3.Fattr3{},
		began:  time.Now(),
	}
	a.root = a.as(0, 0)
	a.alice = a.as(aliceID, aliceID, teamID)
	a.bob = a.as(bobID, bobID, clubID)
	a.carol = a.as(
		carolID,
		carolID,
		30001,
		30002,
		30003,
		30004,
		30005,
		30006,
		30007,
		30008,
		30009,
		30010,
		30011,
		30012,
		30013,
		30014,
		30015,
		teamID,
	)
	a.nobody = a.as(10009, 10009)
	return a
}

// nobodyAtAll returns a caller without a credential.
func (a *asker) nobodyAtAll() caller { return caller{asker: a, c: a.nfs.anonymous()} }

func (a *asker) as(uid, gid uint32, groups ...uint32) caller {
	return caller{asker: a, c: a.nfs.as(uid, gid, groups...)}
}

const (
	// clockStep is the pause between two looks at the server's clock.
	clockStep = time.Millisecond
	// clockLooks is after how many looks a clock stands still.
	clockLooks = 10_000
)

// findClock makes the file that shows the server's time.
func (a *asker) findClock() {
	var r nfs3.CREATE3res
	how := nfs3.Createhow3{Mode: nfs3.UNCHECKED, ObjAttributes: client.Mode(0o600)}
	args := &nfs3.CREATE3args{Where: client.At(a.export, "clock"), How: how}
	a.quietly(nfs3.NFSPROC3_CREATE, args, &r)
	if r.Status != nfs3.NFS3_OK || !r.Resok.Obj.HandleFollows {
		panic(failure{fmt.Errorf("the server's clock: CREATE: %s", r.Status)})
	}
	a.clock = FH{Data: bytes.Clone(r.Resok.Obj.Handle.Data)}
}

// now returns the time that the server gives to a change.
func (a *asker) now() nfs3.Nfstime3 {
	var r nfs3.SETATTR3res
	args := &nfs3.SETATTR3args{Object: a.clock, NewAttributes: client.TimesNow()}
	a.quietly(nfs3.NFSPROC3_SETATTR, args, &r)
	if after := r.Resok.ObjWcc.After; r.Status == nfs3.NFS3_OK && after.AttributesFollow {
		return after.Attributes.Ctime
	}
	panic(failure{fmt.Errorf("the server's clock: SETATTR: %s", r.Status)})
}

// quietly makes a call as the superuser that is no question.
func (a *asker) quietly(proc uint32, args client.Encoder, res client.Decoder) {
	x := &Answer{Name: "the server's clock", Fields: map[string]string{}}
	if !x.reply(a.root.c, program, nfs3.NFS_V3, proc, args, res) {
		panic(failure{fmt.Errorf("%s: %v", x.Name, x.Fields)})
	}
}

// afterTick returns when what is changed next gets a later time than what was changed before. How
// long that takes the server alone can tell: its clock may stand still while its machine is busy.
func (a *asker) afterTick() {
	before := a.now()
	for range clockLooks {
		if a.now() != before {
			return
		}
		time.Sleep(clockStep)
	}
	panic(failure{fmt.Errorf("the server's clock stands still at %d.%09d", before.Seconds, before.Nseconds)})
}

// slowly returns a caller that waits before each call until the server's clock has moved on, so
// that the answer shows which times were changed.
func (w caller) slowly() caller {
	w.slow = true
	return w
}

func (a *asker) begin(subject string) {
	a.subject = subject
	a.verf = nil // a failed write may have changed it
}

// note begins an answer.
func (a *asker) note(proc, what string) *Answer {
	name := a.subject + ": " + proc
	if what != "" {
		name += " " + what
	}
	if n := a.names[name]; n > 0 {
		a.names[name]++
		name += fmt.Sprintf(" (%d)", n+1)
	} else {
		a.names[name] = 1
	}
	x := &Answer{Name: name, Asked: time.Since(a.began), Fields: map[string]string{}}
	a.answers = append(a.answers, x)
	return x
}

func (x *Answer) set(field string, value any) { x.Fields[field] = fmt.Sprint(value) }

// ask makes a call of NFS and reports whether res could be decoded.
func (w caller) ask(proc uint32, what string, args client.Encoder, res client.Decoder) (*Answer, bool) {
	x := w.note(nfs3.NFSV3Names[proc], what)
	if w.leave != nil && w.leave.MatchString(x.Name) {
		x.set("left out", true)
		return x, false
	}
	if w.slow {
		w.afterTick()
	}
	return x, x.reply(w.c, program, nfs3.NFS_V3, proc, args, res)
}

// reply makes a call, keeps its reply, and decodes it. If the reply is not a success of RPC, it
// notes what RPC says.
func (x *Answer) reply(l line, prog, vers, proc uint32, args client.Encoder, res client.Decoder) bool {
	b, xid, err := l.ask(prog, vers, proc, args)
	var results []byte
	if err == nil {
		results, err = client.Results(b, xid)
	}
	var denied *client.Denied
	var refused *client.Refused
	switch {
	case errors.As(err, &denied):
		x.set("rpc", fmt.Sprintf("denied %d %d", denied.Stat, denied.Why))
	case errors.As(err, &refused):
		x.set("rpc", refused.Stat)
		if refused.Stat == client.PROG_MISMATCH {
			x.set("versions", fmt.Sprintf("%d-%d", refused.Versions.Low, refused.Versions.High))
		}
	case err != nil:
		panic(failure{fmt.Errorf("%s: %w", x.Name, err)})
	case res == nil:
		x.set("bytes", len(results))
	default:
		if err := client.Unmarshal(results, res); err != nil {
			x.set("undecodable", err)
			return false
		}
		return true
	}
	return false
}

// when returns how a time is written down. A time near the present is "now".
func when(t nfs3.Nfstime3) string {
	at := time.Unix(int64(t.Seconds), int64(t.Nseconds))
	if d := time.Since(at); d > -time.Hour && d < time.Hour {
		return "now"
	}
	return fmt.Sprintf("%d.%09d", t.Seconds, t.Nseconds)
}

// attr notes attributes. fh may be empty when the object is not known.
func (w caller) attr(x *Answer, field string, fh FH, at nfs3.Fattr3) {
	x.set(field, "present")
	x.set(field+".type", at.Type)
	x.set(field+".mode", fmt.Sprintf("%04o", uint32(at.Mode)))
	x.set(field+".nlink", at.Nlink)
	x.set(field+".uid", at.Uid)
	x.set(field+".gid", at.Gid)
	if at.Type != nfs3.NF3DIR {
		x.set(field+".size", uint64(at.Size))
	}
	if at.Type == nfs3.NF3BLK || at.Type == nfs3.NF3CHR {
		x.set(field+".rdev", fmt.Sprintf("%d,%d", at.Rdev.Specdata1, at.Rdev.Specdata2))
	}
	x.set(field+".atime", when(at.Atime))
	x.set(field+".mtime", when(at.Mtime))
	x.set(field+".ctime", when(at.Ctime))
	if root, ok := w.known[string(w.export.Data)]; ok {
		x.set(field+".fsid", map[bool]string{true: "as the root's", false: "another"}[root.Fsid == at.Fsid])
	}
	if len(fh.Data) == 0 {
		return
	}
	if old, ok := w.known[string(fh.Data)]; ok {
		x.set(field+".fileid", map[bool]string{true: "as before", false: "another"}[old.Fileid == at.Fileid])
		if w.slow {
			if at.Type == nfs3.NF3REG && w.subject == "times" { // elsewhere a READ may have come in between
				x.set(field+".atime moved", at.Atime != old.Atime)
			}
			x.set(field+".mtime moved", at.Mtime != old.Mtime)
			x.set(field+".ctime moved", at.Ctime != old.Ctime)
		}
	}
	w.known[string(fh.Data)] = at
}

func (w caller) post(x *Answer, field string, fh FH, at nfs3.PostOpAttr) {
	if !at.AttributesFollow {
		x.set(field, "absent")
		return
	}
	w.attr(x, field, fh, at.Attributes)
}

func (w caller) wcc(x *Answer, field string, fh FH, v nfs3.WccData) {
	w.before(x, field, fh, v)
	w.post(x, field, fh, v.After)
}

func (w caller) before(x *Answer, field string, fh FH, v nfs3.WccData) {
	if b := v.Before; b.AttributesFollow {
		x.set(field+" before", "present")
		if old, ok := w.known[string(fh.Data)]; ok {
			same := old.Size == b.Attributes.Size && old.Mtime == b.Attributes.Mtime &&
				old.Ctime == b.Attributes.Ctime
			x.set(field+" before.values", map[bool]string{true: "as known", false: "others"}[same])
		}
	} else {
		x.set(field+" before", "absent")
	}
}

// wccs notes the data of two directories, which may be the same.
func (w caller) wccs(x *Answer, from FH, f nfs3.WccData, to FH, t nfs3.WccData) {
	w.before(x, "from", from, f)
	w.before(x, "to", to, t)
	w.post(x, "from", from, f.After)
	w.post(x, "to", to, t.After)
}

// entry notes the handle and the attributes of a new object, and returns the handle.
func (w caller) entry(x *Answer, fh nfs3.PostOpFh3, at nfs3.PostOpAttr) FH {
	x.set("handle", map[bool]string{true: "present", false: "absent"}[fh.HandleFollows])
	h := FH{Data: bytes.Clone(fh.Handle.Data)}
	w.post(x, "obj", h, at)
	return h
}
