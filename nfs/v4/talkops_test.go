package v4

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// talkOp is an operation of a dialogue: what is sent, and what of the result can be compared. The
// result may be that of an operation that has failed.
type talkOp struct {
	arg    nfs4.NfsArgop4
	result func(*nfs4.NfsResop4) map[string]string
}

// talkLine is the words of an operation that have not been read yet.
type talkLine struct {
	*talk
	words []string
}

// word takes the next word, with the value of a $variable in its place.
func (l *talkLine) word() string {
	l.must(len(l.words) > 0, "a word is missing")
	w := l.words[0]
	l.words = l.words[1:]
	return l.value(w)
}

func (l *talkLine) value(w string) string {
	name, isVar := strings.CutPrefix(w, "$")
	if !isVar {
		return w
	}
	v, ok := l.vars[name]
	l.must(ok, "nobody has said $%s", name)
	return v
}

func (l *talkLine) num() uint64 { return l.number(l.word()) }

// rest takes all words that are left.
func (l *talkLine) rest(known ...string) talkOptions {
	o := l.options(l.words, known...)
	l.words = nil
	return talkOptions{l, o}
}

// content takes a word; c*n is n times c.
func (l *talkLine) content() []byte {
	text, times, ok := strings.Cut(l.word(), "*")
	if !ok {
		return []byte(text)
	}
	return []byte(strings.Repeat(text, int(l.number(times))))
}

// stateid takes a stateid: one that a result has said, or a special one.
func (l *talkLine) stateid() (id nfs4.Stateid4) { return l.stateidOf(l.word()) }

func (l *talkLine) stateidOf(w string) (id nfs4.Stateid4) {
	switch w {
	case "anonymous":
		return id
	case "bypass":
		id.Seqid = 1<<32 - 1
		for i := range id.Other {
			id.Other[i] = 0xff
		}
		return id
	case "current":
		id.Seqid = 1
		return id
	}
	seq, other, _ := strings.Cut(w, "/")
	b, err := hex.DecodeString(other)
	l.must(err == nil && len(b) == len(id.Other), "%q is no stateid", w)
	copy(id.Other[:], b)
	id.Seqid = uint32(l.number(seq))
	return id
}

func stateidText(id *nfs4.Stateid4) string { return fmt.Sprintf("%d/%x", id.Seqid, id.Other[:]) }

// talkOptions are the words of the form key=value.
type talkOptions struct {
	l *talkLine
	m map[string]string
}

func (o talkOptions) has(key string) bool { _, ok := o.m[key]; return ok }

func (o talkOptions) num(key string, otherwise uint64) uint64 {
	if v, ok := o.m[key]; ok {
		return o.l.number(o.l.value(v))
	}
	return otherwise
}

func (o talkOptions) text(key, otherwise string) string {
	if v, ok := o.m[key]; ok {
		return o.l.value(v)
	}
	return otherwise
}

// share reads read, write, both or none.
func (o talkOptions) share(key, otherwise string) uint32 {
	word := o.text(key, otherwise)
	n, ok := map[string]uint32{"none": 0, "read": 1, "write": 2, "both": 3}[word]
	o.l.must(ok, "%q is no share", word)
	return n
}

// nothing is for results of which there is nothing to compare but the status.
func nothing(*nfs4.NfsResop4) map[string]string { return nil }

func changed(c *nfs4.ChangeInfo4) map[string]string {
	return map[string]string{
		"before": fmt.Sprint(uint64(c.Before)), "after": fmt.Sprint(uint64(c.After)),
		"changed": fmt.Sprint(c.Before != c.After),
	}
}

// simple is an operation without arguments.
func simple(op nfs4.NfsOpnum4) func(*talkLine) *talkOp {
	return func(*talkLine) *talkOp { return &talkOp{nfs4.NfsArgop4{Argop: op}, nothing} }
}

// talkOps has the operations by the name that dialogues call them by.
var talkOps map[string]func(*talkLine) *talkOp

func init() {
	talkOps = map[string]func(*talkLine) *talkOp{
		"PUTROOTFH":        simple(nfs4.OP_PUTROOTFH),
		"SAVEFH":           simple(nfs4.OP_SAVEFH),
		"RESTOREFH":        simple(nfs4.OP_RESTOREFH),
		"LOOKUPP":          simple(nfs4.OP_LOOKUPP),
		"COMMIT":           simple(nfs4.OP_COMMIT),
		"RECLAIM_COMPLETE": simple(nfs4.OP_RECLAIM_COMPLETE),

		"ACCESS": talkAccess, "ALLOCATE": talkAllocate, "CLOSE": talkClose, "CREATE": talkCreate,
		"DEALLOCATE": talkDeallocate, "FREE_STATEID": talkFree, "GETATTR": talkGetattr,
		"GETFH": talkGetfh, "GETXATTR": talkGetxattr, "LINK": talkLink, "LISTXATTRS": talkListxattrs,
		"LOCK": talkLock, "LOCKT": talkLockt, "LOCKU": talkLocku, "LOOKUP": talkLookup,
		"OPEN": talkOpen, "OPEN_CONFIRM": talkConfirm, "OPEN_DOWNGRADE": talkDowngrade,
		"PUTFH": talkPutfh, "READ": talkRead, "READ_PLUS": talkReadPlus, "RELEASE_LOCKOWNER": talkRelease,
		"REMOVE": talkRemove, "REMOVEXATTR": talkRemovexattr, "RENAME": talkRename, "RENEW": talkRenew,
		"SEEK": talkSeek, "SETATTR": talkSetattr, "SETXATTR": talkSetxattr, "TEST_STATEID": talkTest,
		"WRITE": talkWrite,
	}
}

func talkAccess(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: uint32(l.num())}}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"access": fmt.Sprint(r.Opaccess.Resok4.Access)}
	}}
}

func talkAllocate(l *talkLine) *talkOp {
	return &talkOp{allocateOp(l.stateid(), l.num(), l.num()), nothing}
}

func talkDeallocate(l *talkLine) *talkOp {
	return &talkOp{deallocateOp(l.stateid(), l.num(), l.num()), nothing}
}

func talkClose(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_CLOSE}
	arg.Opclose.OpenStateid = l.stateid()
	arg.Opclose.Seqid = nfs4.Seqid4(l.rest("seqid").num("seqid", 0))
	return &talkOp{arg, nothing}
}

func talkConfirm(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM}
	arg.OpopenConfirm.OpenStateid = l.stateid()
	arg.OpopenConfirm.Seqid = nfs4.Seqid4(l.rest("seqid").num("seqid", 0))
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"stateid": stateidText(&r.OpopenConfirm.Resok4.OpenStateid)}
	}}
}

func talkDowngrade(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE}
	a := &arg.OpopenDowngrade
	a.OpenStateid = l.stateid()
	o := l.rest("seqid", "access", "deny")
	a.Seqid = nfs4.Seqid4(o.num("seqid", 0))
	a.ShareAccess, a.ShareDeny = o.share("access", "read"), o.share("deny", "none")
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"stateid": stateidText(&r.OpopenDowngrade.Resok4.OpenStateid)}
	}}
}

// talkCreate reads a kind (dir, fifo, link), a name, and attributes.
func talkCreate(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_CREATE}
	kind := l.word()
	n, ok := map[string]nfs4.NfsFtype4{"dir": nfs4.NF4DIR, "fifo": nfs4.NF4FIFO, "link": nfs4.NF4LNK}[kind]
	l.must(ok, "%q cannot be made", kind)
	arg.Opcreate = nfs4.CREATE4args{
		Objtype: nfs4.Createtype4{Type: n, Linkdata: nfs4.Linktext4("target")},
		Objname: nfs4.Component4(l.word()), Createattrs: l.attributes(),
	}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		m := changed(&r.Opcreate.Resok4.Cinfo)
		m["attrs"] = attrNames(r.Opcreate.Resok4.Attrset)
		return m
	}}
}

func talkFree(l *talkLine) *talkOp {
	return &talkOp{nfs4.NfsArgop4{
		Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: l.stateid()},
	}, nothing}
}

func talkTest(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_TEST_STATEID}
	arg.OptestStateid.TsStateids = []nfs4.Stateid4{l.stateid()}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		m := map[string]string{}
		for _, st := range r.OptestStateid.TsrResok4.TsrStatusCodes {
			m["state"] = statusName(st)
		}
		return m
	}}
}

func talkGetattr(l *talkLine) *talkOp {
	var numbers []int
	for len(l.words) > 0 {
		name := l.word()
		a, ok := talkAttrs[name]
		l.must(ok, "unknown attribute %q", name)
		numbers = append(numbers, a.number)
	}
	return &talkOp{getattr(numbers...), func(r *nfs4.NfsResop4) map[string]string {
		return l.readAttributes(&r.Opgetattr.Resok4.ObjAttributes)
	}}
}

func talkGetfh(*talkLine) *talkOp {
	return &talkOp{getfh(), func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"fh": hex.EncodeToString(r.Opgetfh.Resok4.Object)}
	}}
}

func talkPutfh(l *talkLine) *talkOp {
	b, err := hex.DecodeString(l.word())
	l.must(err == nil, "no file handle")
	return &talkOp{nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: b}}, nothing}
}

func talkLookup(l *talkLine) *talkOp { return &talkOp{lookup(l.word()), nothing} }

func talkLink(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_LINK, Oplink: nfs4.LINK4args{Newname: nfs4.Component4(l.word())}}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string { return changed(&r.Oplink.Resok4.Cinfo) }}
}

func talkRemove(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(l.word())}}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string { return changed(&r.Opremove.Resok4.Cinfo) }}
}

func talkRename(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_RENAME, Oprename: nfs4.RENAME4args{
		Oldname: nfs4.Component4(l.word()), Newname: nfs4.Component4(l.word()),
	}}
	return &talkOp{arg, nothing}
}

// lockType reads read or write; readw and writew wait.
func (l *talkLine) lockType() nfs4.NfsLockType4 {
	word := l.word()
	n, ok := map[string]nfs4.NfsLockType4{
		"read": nfs4.READ_LT, "write": nfs4.WRITE_LT, "readw": nfs4.READW_LT, "writew": nfs4.WRITEW_LT,
	}[word]
	l.must(ok, "%q is no lock", word)
	return n
}

// talkLock reads a type, the stateid of an open with new=OWNER, or that of a lock, offset and
// length.
func talkLock(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_LOCK}
	a := &arg.Oplock
	a.Locktype = l.lockType()
	id := l.stateid()
	a.Offset, a.Length = nfs4.Offset4(l.num()), nfs4.Length4(l.num())
	o := l.rest("new", "reclaim", "seqid", "lockseq", "clientid")
	a.Reclaim = o.has("reclaim")
	if a.Locker.NewLockOwner = o.has("new"); a.Locker.NewLockOwner {
		a.Locker.OpenOwner = nfs4.OpenToLockOwner4{
			OpenSeqid: nfs4.Seqid4(o.num("seqid", 0)), OpenStateid: id,
			LockSeqid: nfs4.Seqid4(o.num("lockseq", 0)), LockOwner: nfs4.LockOwner4{
				Clientid: nfs4.Clientid4(o.num("clientid", l.who.id)), Owner: []byte(o.text("new", "")),
			},
		}
	} else {
		a.Locker.LockOwner = nfs4.ExistLockOwner4{LockStateid: id, LockSeqid: nfs4.Seqid4(o.num("lockseq", 0))}
	}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		m := deniedBy(&r.Oplock.Denied)
		m["stateid"] = stateidText(&r.Oplock.Resok4.LockStateid)
		return m
	}}
}

func deniedBy(d *nfs4.LOCK4denied) map[string]string {
	return map[string]string{
		"owner": string(d.Owner.Owner), "offset": fmt.Sprint(uint64(d.Offset)),
		"length": fmt.Sprint(uint64(d.Length)),
	}
}

func talkLockt(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_LOCKT}
	a := &arg.Oplockt
	a.Locktype, a.Offset, a.Length = l.lockType(), nfs4.Offset4(l.num()), nfs4.Length4(l.num())
	a.Owner = nfs4.LockOwner4{Clientid: nfs4.Clientid4(l.who.id), Owner: []byte(l.word())}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string { return deniedBy(&r.Oplockt.Denied) }}
}

func talkLocku(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_LOCKU}
	a := &arg.Oplocku
	a.Locktype = nfs4.WRITE_LT
	a.LockStateid, a.Offset, a.Length = l.stateid(), nfs4.Offset4(l.num()), nfs4.Length4(l.num())
	a.Seqid = nfs4.Seqid4(l.rest("lockseq").num("lockseq", 0))
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"stateid": stateidText(&r.Oplocku.LockStateid)}
	}}
}

func talkRelease(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_RELEASE_LOCKOWNER}
	arg.OpreleaseLockowner.LockOwner = nfs4.LockOwner4{
		Clientid: nfs4.Clientid4(l.who.id), Owner: []byte(l.word()),
	}
	return &talkOp{arg, nothing}
}

func talkRenew(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_RENEW}
	arg.Oprenew.Clientid = nfs4.Clientid4(l.who.id)
	return &talkOp{arg, nothing}
}

// talkOpen reads the name of a file, or . for the current file handle, an owner and options; with
// create=HOW attributes of the new file follow after a colon.
func talkOpen(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN}
	a := &arg.Opopen
	name, owner := l.word(), l.word()
	var rest []string
	for i, w := range l.words {
		if w == ":" {
			l.words, rest = l.words[:i], l.words[i+1:]
			break
		}
	}
	o := l.rest("access", "deny", "create", "verf", "seqid", "reclaim", "clientid")
	l.words = rest
	attrs := l.attributes()
	a.Seqid = nfs4.Seqid4(o.num("seqid", 0))
	a.ShareAccess, a.ShareDeny = o.share("access", "read"), o.share("deny", "none")
	a.Owner = nfs4.OpenOwner4{Clientid: nfs4.Clientid4(o.num("clientid", l.who.id)), Owner: []byte(owner)}
	switch {
	case o.has("reclaim"):
		a.Claim.Claim = nfs4.CLAIM_PREVIOUS
	case name == ".":
		a.Claim.Claim = nfs4.CLAIM_FH
	default:
		a.Claim.File = nfs4.Component4(name)
	}
	var verf nfs4.Verifier4
	binary.BigEndian.PutUint64(verf[:], o.num("verf", 0))
	if o.has("create") {
		how, ok := map[string]nfs4.Createmode4{
			"unchecked": nfs4.UNCHECKED4, "guarded": nfs4.GUARDED4, "exclusive": nfs4.EXCLUSIVE4,
			"exclusive1": nfs4.EXCLUSIVE4_1,
		}[o.text("create", "")]
		l.must(ok, "unknown way to create")
		a.Openhow = nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE, How: nfs4.Createhow4{
			Mode: how, Createattrs: attrs, Createverf: verf,
			ChCreateboth: nfs4.Creatverfattr{CvaVerf: verf, CvaAttrs: attrs},
		}}
	}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		ok := &r.Opopen.Resok4
		m := changed(&ok.Cinfo)
		m["stateid"], m["attrs"] = stateidText(&ok.Stateid), attrNames(ok.Attrset)
		m["confirm"] = fmt.Sprint(ok.Rflags&nfs4.OPEN4_RESULT_CONFIRM != 0)
		return m
	}}
}

func talkRead(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_READ}
	arg.Opread = nfs4.READ4args{Stateid: l.stateid(), Offset: nfs4.Offset4(l.num()), Count: nfs4.Count4(l.num())}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		ok := &r.Opread.Resok4
		return map[string]string{"data": string(ok.Data), "eof": fmt.Sprint(ok.Eof)}
	}}
}

// talkReadPlus says of each segment its kind, offset and length.
func talkReadPlus(l *talkLine) *talkOp {
	return &talkOp{readPlusOp(l.stateid(), l.num(), uint32(l.num())), func(r *nfs4.NfsResop4) map[string]string {
		ok := &r.OpreadPlus.RpResok4
		var list []string
		for i := range ok.RprContents {
			if c := &ok.RprContents[i]; c.RpcContent == nfs4.NFS4_CONTENT_HOLE {
				list = append(list, fmt.Sprintf("hole:%d:%d", uint64(c.RpcHole.DiOffset), uint64(c.RpcHole.DiLength)))
			} else {
				list = append(list, fmt.Sprintf("data:%d:%d", uint64(c.RpcData.DOffset), len(c.RpcData.DData)))
			}
		}
		return map[string]string{"segments": strings.Join(list, ","), "eof": fmt.Sprint(ok.RprEof)}
	}}
}

func talkSeek(l *talkLine) *talkOp {
	id, off, what := l.stateid(), l.num(), nfs4.NFS4_CONTENT_DATA
	if l.word() == "hole" {
		what = nfs4.NFS4_CONTENT_HOLE
	}
	return &talkOp{seekOp(id, off, what), func(r *nfs4.NfsResop4) map[string]string {
		ok := &r.Opseek.Resok4
		return map[string]string{"offset": fmt.Sprint(uint64(ok.SrOffset)), "eof": fmt.Sprint(ok.SrEof)}
	}}
}

// talkSetattr reads a stateid and attributes.
func talkSetattr(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR}
	arg.Opsetattr = nfs4.SETATTR4args{Stateid: l.stateid(), ObjAttributes: l.attributes()}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"attrs": attrNames(r.Opsetattr.Attrsset)}
	}}
}

func talkWrite(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_WRITE}
	arg.Opwrite = nfs4.WRITE4args{Stateid: l.stateid(), Offset: nfs4.Offset4(l.num()), Data: l.content()}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"count": fmt.Sprint(uint32(r.Opwrite.Resok4.Count))}
	}}
}

func talkGetxattr(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_GETXATTR}
	arg.Opgetxattr.GxaName = nfs4.Xattrkey4(l.word())
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		return map[string]string{"value": string(r.Opgetxattr.GxrValue)}
	}}
}

// talkSetxattr reads a name and a value, and create or replace.
func talkSetxattr(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_SETXATTR}
	a := &arg.Opsetxattr
	a.SxaKey, a.SxaValue = nfs4.Xattrkey4(l.word()), l.content()
	switch o := l.rest("create", "replace"); {
	case o.has("create"):
		a.SxaOption = nfs4.SETXATTR4_CREATE
	case o.has("replace"):
		a.SxaOption = nfs4.SETXATTR4_REPLACE
	}
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string { return changed(&r.Opsetxattr.SxrInfo) }}
}

func talkRemovexattr(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_REMOVEXATTR}
	arg.Opremovexattr.RxaName = nfs4.Xattrkey4(l.word())
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string { return changed(&r.Opremovexattr.RxrInfo) }}
}

// talkListxattrs reads a cookie and the most bytes.
func talkListxattrs(l *talkLine) *talkOp {
	arg := nfs4.NfsArgop4{Argop: nfs4.OP_LISTXATTRS}
	a := &arg.Oplistxattrs
	a.LxaCookie, a.LxaMaxcount = nfs4.NfsCookie4(l.num()), nfs4.Count4(l.num())
	return &talkOp{arg, func(r *nfs4.NfsResop4) map[string]string {
		ok := &r.Oplistxattrs.LxrValue
		var names []string
		for _, n := range ok.LxrNames {
			names = append(names, string(n))
		}
		return map[string]string{
			"names": strings.Join(names, ","), "eof": strconv.FormatBool(ok.LxrEof),
			"cookie": fmt.Sprint(uint64(ok.LxrCookie)),
		}
	}}
}
