//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answer is a server's answer to one question, as the command ask writes it.
type answer struct {
	Name   string
	Asked  time.Duration // since the first question
	Fields map[string]string
}

// String returns all that was answered, a field a line.
func (a answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "after %v", a.Asked)
	for _, field := range slices.Sorted(maps.Keys(a.Fields)) {
		fmt.Fprintf(&b, "\n\t%s: %q", field, a.Fields[field])
	}
	return b.String()
}

// outcome returns the result in one word: what RPC says if it refuses, else the status.
func (a answer) outcome() string {
	for _, field := range []string{"rpc", "undecodable", "status"} {
		if v := a.Fields[field]; v != "" {
			return v
		}
	}
	return "ok"
}

// reference is a server that others rely on.
type reference struct {
	name     string
	server   string   // for uml-nfs
	programs []string // that it needs
	leave    string   // questions that it does not survive
	path4    string   // of the export by version 4
}

var references = []reference{
	{
		name: "ganesha", server: "ganesha:ext4", programs: []string{"ganesha.nfsd", "rpcbind"},
		// It opens the FIFO, and waits for a writer without end. It dies of the second ones. The last
		// it calls garbage, and does not count it in the session.
		leave: "^mknod: COMMIT a fifo$|^v4 compounds: (ALLOCATE|DEALLOCATE|READ_PLUS) without a handle$|" +
			"^v4 xattrs: SETXATTR a value of 70000 bytes",
		path4: "/export",
	},
	{
		name:     "knfsd",
		server:   "uml-nfsd:ext4",
		programs: []string{"rpc.nfsd", "rpc.mountd", "rpcbind", "rpc.statd"},
		path4:    "/",
	},
}

// TestAnswersLikeOtherServers asks ringnfs, nfs-ganesha and Linux's own nfsd the same several
// thousand questions, by version 3 and by version 4.2, and compares the answers, field by field.
// The tables differences and differences4 have the answers that may differ, with the reason. Every
// other difference is a mistake of ringnfs, or of these tables.
func TestAnswersLikeOtherServers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "linux.uml", "modprobe", "ip", "unshare", "setpriv", "mount.nfs", "mkfs.ext4")
	ask := filepath.Join(t.TempDir(), "ask")
	out, err := exec.Command("go", "build", "-o", ask, "./internal/ask").CombinedOutput()
	require.NoError(t, err, string(out))
	dir := logDir(t)
	ours := interview(t, ask, dir, "ringnfs:ext4", "", `-path "$RUNDIR/export" -path4 "$RUNDIR/export"`)
	require.Greater(t, len(ours), 4000)
	for _, r := range references {
		t.Run(r.name, func(t *testing.T) {
			need(t, r.programs...)
			theirs := interview(
				t,
				ask,
				dir,
				r.server,
				"20048",
				fmt.Sprintf("-path /export -path4 %s -leave %s", r.path4, quote(r.leave)),
			)
			compare(t, r.name, ours, theirs)
		})
	}
}

// interview starts a server and asks it.
func interview(t *testing.T, ask, dir, server, mountPort, flags string) []answer {
	t.Helper()
	file := filepath.Join(dir, strings.ReplaceAll(server, ":", "-")+".json")
	mount := "$PORT"
	if mountPort != "" {
		mount = mountPort
	}
	command := fmt.Sprintf(
		"exec %s -addr $SERVER:$PORT -mount $SERVER:%s -o %s %s",
		quote(ask),
		mount,
		quote(file),
		flags,
	)
	guests := 0
	if strings.HasPrefix(server, "uml-nfsd") {
		guests = 1
	}
	out, says, err := umlNFS(t, guests, "--server", server, "--clients", "0", "--ns-cmd", command,
		"--logs", filepath.Join(dir, server), "-v", "-c", "true")
	require.NoError(t, err, "%s: %s%s", server, &out, &says)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var answers []answer
	require.NoError(t, json.Unmarshal(data, &answers))
	return answers
}

// compare compares our answers with those of a reference.
func compare(t *testing.T, reference string, ours, theirs []answer) {
	t.Helper()
	others := map[string]answer{}
	for _, a := range theirs {
		others[a.Name] = a
	}
	compared, fields, unexpected, used := 0, 0, 0, map[int]int{}
	all := slices.Concat(differences, differences4)
	for n, a := range ours {
		b, ok := others[a.Name]
		if !ok || b.Fields["left out"] != "" {
			continue // only one of the servers gave occasion to this question
		}
		compared++
		differs := func(field, our, their string) {
			for i, d := range all {
				if d.expects(reference, a.Name, field, our) {
					used[i]++
					return
				}
			}
			if unexpected++; unexpected <= 50 {
				t.Errorf("%s: %s: we say %q, %s says %q", a.Name, field, our, reference, their)
			}
			if unexpected <= 5 {
				t.Logf("question %d of %d; ringnfs %v\n%s %v", n+1, len(ours), a, reference, b)
			}
		}
		if our, their := a.outcome(), b.outcome(); our != their {
			differs("outcome", our, their)
			continue
		}
		fields += compareFields(a, b, differs)
	}
	for i, d := range all {
		if d.from(reference) && used[i] == 0 && !d.rare {
			t.Errorf("no difference to %s any more: %s, %s (%s)", reference, d.question, d.field, d.reason)
		}
	}
	require.Greater(t, compared, 4000, "answers that both gave")
	t.Logf(
		"%d answers with %d fields compared; %d differences are expected, %d are not",
		compared,
		fields,
		sum64(used),
		unexpected,
	)
}

func sum64(m map[int]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// compareFields compares two answers with the same outcome, and returns how many
// fields it looked at.
func compareFields(a, b answer, differs func(field, our, their string)) (n int) {
	names := make([]string, 0, len(a.Fields)+4)
	for field := range a.Fields {
		names = append(names, field)
	}
	for field := range b.Fields {
		if _, ok := a.Fields[field]; !ok {
			names = append(names, field)
		}
	}
	sort.Strings(names)
	for _, field := range names {
		our, their := a.Fields[field], b.Fields[field]
		group, _, part := strings.Cut(field, ".")
		if part && (a.Fields[group] != "present" || b.Fields[group] != "present") {
			continue // the group itself is compared
		}
		n++
		// Attributes and weak cache consistency data are optional (RFC 1813, section 2.6),
		// so having more of them is no mistake.
		if our == their || our == "present" && their == "absent" {
			continue
		}
		differs(field, our, their)
	}
	return n
}

// difference is one difference that we accept, or several of a kind.
type difference struct {
	reference string // "" for every one
	question  *regexp.Regexp
	field     *regexp.Regexp // "outcome": the status
	ours      *regexp.Regexp // what we say
	reason    string
	rare      bool // does not show each time
}

func (d difference) from(reference string) bool { return d.reference == "" || d.reference == reference }

func (d difference) expects(reference, question, field, our string) bool {
	return d.from(reference) && d.field.MatchString(field) && d.question.MatchString(question) &&
		d.ours.MatchString(our)
}

// sometimes returns an entry that depends on chance.
func (d difference) sometimes() difference {
	d.rare = true
	return d
}

// expect makes an entry of the table. The patterns must match the whole text.
func expect(reference, question, field, ours, reason string) difference {
	whole := func(s string) *regexp.Regexp { return regexp.MustCompile("^(?s:" + s + ")$") }
	return difference{
		reference: reference,
		question:  whole(question),
		field:     whole(field),
		ours:      whole(ours),
		reason:    reason,
	}
}
