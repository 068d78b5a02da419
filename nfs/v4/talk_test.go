package v4

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// A dialogue is a file in testdata/talk: what clients send, one operation a line, and what the
// server answers.
//
//	# What is told, and where it is from.
//	server minor=2                  # the minor version of the sessions; 0 has none
//	file f 0123456789 mode=0666     # a file in the export, /x
//	client me                       # makes a client, with a session if there are sessions
//	me                              # a compound of that client: the lines that are indented
//	                                # (slot=N, cachethis, again: of its SEQUENCE; fails=STATUS: of that)
//	  WALK x f                      # PUTROOTFH and LOOKUPs
//	  READ anonymous 0 3 -> data=012
//	  GETATTR size -> size=$n       # the first $n stores the value, later ones compare it
//	  LOOKUP y -> NOTDIR            # NFS4ERR_NOTDIR; without a status it is OK
//	pass 46                         # seconds
//	restart                         # the server starts again; what clients hold is forgotten
//
// The results that are named are compared, op by op. Each operation up to the first one that fails
// must be answered. Whatever the runner does not know is an error. talkops_test.go has the
// operations, talkattrs_test.go the attributes.

func TestDialogues(t *testing.T) {
	list, err := filepath.Glob("testdata/talk/*")
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, path := range list {
		t.Run(filepath.Base(path), func(t *testing.T) { runTalk(t, path) })
	}
}

// talk is a dialogue that is going on.
type talk struct {
	t     *testing.T
	place string // file and line, for messages
	r     *rig
	fs    *memfs.FS
	minor uint32
	now   uint32
	tick  time.Duration
	epoch uint32
	store *memory
	opts  export.Options

	clients map[string]*talker
	vars    map[string]string
	who     *talker
	block   []*step
}

// talker is a client.
type talker struct {
	name    string
	uid     uint32
	conn    uint64
	id      uint64   // of the client, in minor version 0
	session *session // from 1 on
	options []string // of the compound that is being read
}

// step is an operation of a compound, and what is expected.
type step struct {
	place  string
	op     *talkOp
	status string
	want   []string
}

// memory is a store of client records that outlives a server.
type memory struct{ current, recovery map[string]state.Record }

func (m *memory) Load() ([]state.Record, error) {
	maps.Copy(m.recovery, m.current)
	clear(m.current)
	return slices.Collect(maps.Values(m.recovery)), nil
}

func (m *memory) Record(rs []state.Record) error {
	for _, r := range rs {
		m.current[r.Owner] = r
	}
	return nil
}

func (m *memory) Forget(rs []state.Record) error {
	for _, r := range rs {
		delete(m.current, r.Owner)
		delete(m.recovery, r.Owner)
	}
	return nil
}

func (m *memory) EndGrace() error { clear(m.recovery); return nil }

func runTalk(t *testing.T, path string) {
	b, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = b.Close() }()
	k := &talk{
		t: t, minor: 1, clients: map[string]*talker{}, vars: map[string]string{},
		store: &memory{map[string]state.Record{}, map[string]state.Record{}},
		opts:  export.Options{Squash: export.SquashNone},
	}
	lines := bufio.NewScanner(b)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		indented := line[0] == ' '
		if !indented {
			k.send()
		}
		k.place = fmt.Sprintf("%s:%d: %s", filepath.Base(path), n, strings.TrimSpace(line))
		if indented {
			k.operation(words)
		} else {
			k.direct(words)
		}
	}
	require.NoError(t, lines.Err())
	k.send()
}

// must ends the test unless ok.
func (k *talk) must(ok bool, format string, args ...any) {
	k.t.Helper()
	if !ok {
		k.t.Fatalf("%s: %s", k.place, fmt.Sprintf(format, args...))
	}
}

// number reads a number, octal with a leading 0.
func (k *talk) number(word string) uint64 {
	k.t.Helper()
	n, err := strconv.ParseUint(word, 0, 64)
	k.must(err == nil, "%q is no number", word)
	return n
}

// options reads words of the form key=value, or key.
func (k *talk) options(words []string, known ...string) map[string]string {
	k.t.Helper()
	m := map[string]string{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		k.must(slices.Contains(known, key), "unknown word %q", w)
		m[key] = value
	}
	return m
}

// direct does what a line says that is no operation.
func (k *talk) direct(words []string) {
	if who := k.clients[words[0]]; who != nil {
		k.who, who.options = who, words[1:]
		return
	}
	switch words[0] {
	case "server":
		k.must(k.r == nil, "the server runs")
		o := k.options(words[1:], "minor", "tick", "readonly")
		if v, ok := o["minor"]; ok {
			k.minor = uint32(k.number(v))
		}
		if v, ok := o["tick"]; ok {
			var err error
			k.tick, err = time.ParseDuration(v)
			k.must(err == nil, "no time")
		}
		_, k.opts.ReadOnly = o["readonly"]
	case "file":
		k.must(len(words) > 2, "a name and a content")
		k.file(words[1], words[2], k.options(words[3:], "mode", "uid"))
	case "client":
		k.must(len(words) > 1, "which")
		k.client(words[1], k.options(words[2:], "uid", "incomplete"))
	case "pass":
		k.server()
		k.now += uint32(k.number(words[1]))
		k.r.cfg.State.Sweep()
		k.r.cfg.Files.Sweep()
	case "restart":
		k.start()
	default:
		k.must(false, "unknown word")
	}
}

// server starts the server if it does not run yet.
func (k *talk) server() *rig {
	if k.r == nil {
		k.fs = memfs.New(memfs.Config{Mode: 0o777, Tick: k.tick})
		k.start()
	}
	return k.r
}

// start starts the server, for the first time or again.
func (k *talk) start() {
	k.epoch++
	cfg := remembersIn(&k.now, func(c *state.Config, f *files.Config) {
		c.Store, c.Epoch, f.Epoch = k.store, k.epoch, k.epoch
	})
	require.NoError(k.t, cfg.State.Recover())
	k.r = newRig(k.t, cfg, export.Export{Path: "/x", FS: k.fs, Options: k.opts})
	k.r.minor = k.minor
}

func (k *talk) file(name, content string, o map[string]string) {
	r := k.server()
	v := r.table.View(1, r.table.Exports()[0])
	m := vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)}
	set := vfs.SetAttr{HasMode: true, Mode: 0o666}
	if v, ok := o["mode"]; ok {
		set.Mode = uint32(k.number(v))
	}
	cred := vfs.Cred{}
	if v, ok := o["uid"]; ok {
		set.HasUID, set.UID = true, uint32(k.number(v))
	}
	st := v.Create(&cred, k.fs.Root(), &vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &set}, &m)
	k.must(st == vfs.OK, "%v", st)
	_, _, _, st = v.Write(&cred, m.Entry.Handle, &vfs.WriteArgs{Src: [][]byte{[]byte(content)}}, new(vfs.WCC))
	k.must(st == vfs.OK, "%v", st)
}

// client makes a client; incomplete is one that has not said RECLAIM_COMPLETE.
func (k *talk) client(name string, o map[string]string) {
	r := k.server()
	c := &talker{name: name, conn: uint64(1 + len(k.clients))}
	if v, ok := o["uid"]; ok {
		c.uid = uint32(k.number(v))
	}
	k.clients[name] = c
	r.uid, r.minor, r.conn = c.uid, k.minor, c.conn
	if k.minor == 0 {
		set := nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID, Opsetclientid: nfs4.SETCLIENTID4args{
			Client: nfs4.NfsClientId4{Verifier: nfs4.Verifier4{1}, Id: []byte(name)},
		}}
		got := r.ok(set)[0].Opsetclientid.Resok4
		confirm := nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM}
		confirm.OpsetclientidConfirm = nfs4.SETCLIENTIDCONFIRM4args(got)
		r.ok(confirm)
		c.id = uint64(got.Clientid)
		return
	}
	c.session = r.session(name)
	r.minor = k.minor
	if _, incomplete := o["incomplete"]; !incomplete {
		r.ok(c.session.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	}
}

// operation reads a line of a compound.
func (k *talk) operation(words []string) {
	k.must(k.who != nil, "nobody sends this")
	var want []string
	if i := slices.Index(words, "->"); i >= 0 {
		words, want = words[:i], words[i+1:]
	}
	if words[0] == "WALK" {
		k.must(len(want) == 0, "WALK has no result of its own")
		k.add("PUTROOTFH")
		for _, name := range words[1:] {
			k.add("LOOKUP", name)
		}
		return
	}
	make := talkOps[words[0]]
	k.must(make != nil, "unknown operation")
	line := &talkLine{talk: k, words: words[1:]}
	s := &step{place: k.place, op: make(line), status: "OK", want: want}
	k.must(len(line.words) == 0, "unknown words %q", line.words)
	if len(want) > 0 && !strings.Contains(want[0], "=") {
		s.status, s.want = want[0], want[1:]
	}
	k.block = append(k.block, s)
}

// add adds an operation that is to go well.
func (k *talk) add(words ...string) {
	line := &talkLine{talk: k, words: words[1:]}
	k.block = append(k.block, &step{place: k.place, op: talkOps[words[0]](line), status: "OK"})
}

// send sends the compound that has been read, and compares what comes.
func (k *talk) send() {
	steps, who := k.block, k.who
	if k.block = nil; len(steps) == 0 {
		return
	}
	r := k.server()
	r.uid, r.minor, r.conn = who.uid, k.minor, who.conn
	o := k.options(who.options, "slot", "cachethis", "again", "fails")
	var ops []nfs4.NfsArgop4
	if s := who.session; s != nil {
		s.r = r
		_, s.keep = o["cachethis"]
		s.slot = 0
		if v, ok := o["slot"]; ok {
			s.slot = uint32(k.number(v))
		}
		if _, again := o["again"]; again {
			ops = append(ops, s.again())
		} else {
			ops = append(ops, s.sequence())
		}
	}
	for _, s := range steps {
		ops = append(ops, s.op.arg)
	}
	res := r.do(ops...)
	results := res.Resarray
	if who.session != nil {
		k.place = steps[0].place
		if st, ok := o["fails"]; ok {
			k.must(len(results) == 1 && statusName(res.Status) == st, "SEQUENCE: %v", res.Status)
			return
		}
		k.must(len(results) > 0 && results[0].Opsequence.SrStatus == nfs4.NFS4_OK, "SEQUENCE: %v", res.Status)
		results = results[1:]
	}
	for i, s := range steps {
		k.place = s.place
		k.must(i < len(results), "the compound has ended before: %v", res.Status)
		status := nfs4.NFS4_OK
		if i == len(results)-1 {
			status = res.Status
		}
		k.must(statusName(status) == s.status, "it is %v", status)
		k.compare(s.want, s.op.result(&results[i]))
		if status != nfs4.NFS4_OK {
			k.must(i == len(steps)-1, "what follows is not answered")
		}
	}
}

// statusName is what dialogues call a status.
func statusName(st nfs4.Nfsstat4) string {
	return strings.TrimPrefix(strings.TrimPrefix(st.String(), "NFS4ERR_"), "NFS4_")
}

// compare compares the results that are named.
func (k *talk) compare(want []string, got map[string]string) {
	for _, w := range want {
		key, value, ok := strings.Cut(w, "=")
		k.must(ok, "%q is not key=value", w)
		have, ok := got[key]
		k.must(ok, "there is no %s in %v", key, got)
		name, isVar := strings.CutPrefix(value, "$")
		name, differs := strings.CutSuffix(name, "!")
		switch {
		case !isVar:
			k.must(have == value, "%s is %s", key, have)
		case differs:
			old, ok := k.vars[name]
			k.must(ok, "nobody has said $%s", name)
			k.must(old != have, "%s is %s as before", key, have)
		default:
			if old, ok := k.vars[name]; ok {
				k.must(old == have, "%s is %s, $%s is %s", key, have, name, old)
			}
			k.vars[name] = have
		}
	}
}
