//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/load"
)

// scene is a server in the guest, and a client of it.
type scene struct {
	name   string
	netem  string   // what happens to the packets that leave the guest
	flags  string   // of ringnfs serve, besides what all have in common
	helper bool     // the server is the test program of package transport
	early  bool     // the server uses slabs again too early
	inside bool     // the client is in the guest, too
	load   []string // flags of ringnfs bench
	// seconds is how long the client makes load. A busy machine may make few READs in that
	// time; then the client goes on, up to four times as long, again and again.
	seconds float64
	check   func(t *testing.T, x *seen)
}

// seen is the result of a scene.
type seen struct {
	status  string        // of the client
	out     string        // what it said
	ops     uint64        // calls that it verified
	read    time.Duration // that half of them have taken
	log     string        // of the server
	retrans uint64        // segments that the guest had sent again so far
}

var (
	laneLine = regexp.MustCompile(`(?m)^.*\blane .*$`)
	laneWord = regexp.MustCompile(`(\w+)=(\S+)`)
)

// figures are the server's own, from the last line that shows them.
func (x *seen) figures(t *testing.T) map[string]string {
	t.Helper()
	lines := laneLine.FindAllString(x.log, -1)
	require.NotEmpty(t, lines, "the server tells no figures:\n%s", x.log)
	words := make(map[string]string)
	for _, m := range laneWord.FindAllStringSubmatch(lines[len(lines)-1], -1) {
		words[m[1]] = m[2]
	}
	return words
}

func number(t *testing.T, words map[string]string, name string) int {
	t.Helper()
	n, err := strconv.Atoi(words[name])
	require.NoError(t, err, "%s in %v", name, words)
	return n
}

func span(t *testing.T, words map[string]string, name string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(words[name])
	require.NoError(t, err, "%s in %v", name, words)
	return d
}

// few is how many READs a scene must have at least. A quiet machine makes tens of times more. If
// memory is used too early, one of the first READs shows it.
const few = 8

// many READs are under way at once, so that slabs go from one to the next.
var many = []string{"-w", "read-64k-rand", "--conns", "4", "--depth", "16"}

// ackScenes show two things about a notification: that it is the peer's acknowledgement, and what
// happens to a server that does not wait for it. To clients outside of it the guest really sends
// without a copy.
var ackScenes = []scene{
	{
		name: "it comes a round trip after the send", netem: "delay 50ms", flags: "--read-path zc",
		load: []string{"-w", "read-64k-seq", "--conns", "1", "--depth", "1"}, seconds: 2,
		check: func(t *testing.T, x *seen) {
			f := x.verified(t)
			x.withoutCopy(t)
			sent, ack := span(t, f, "sent_p50"), span(t, f, "ack_p50")
			t.Logf(
				"the send takes %v (p99 %v), its notification comes after %v (p10 %v, p99 %v)",
				sent,
				f["sent_p99"],
				ack,
				f["ack_p10"],
				f["ack_p99"],
			)
			// Take the quickest ones, since a busy machine makes the others late.
			quickest := span(t, f, "ack_p10")
			assert.Greater(t, quickest, 40*time.Millisecond)
			assert.Less(
				t,
				quickest,
				2*x.read-10*time.Millisecond,
				"that is not one round trip: a READ, which is one, takes %v",
				x.read,
			)
			assert.Greater(t, ack, 5*sent)
		},
	},
	{
		name: "memory is not used again before", netem: "delay 50ms", flags: "--read-path zc",
		load: []string{"-w", "read-64k-rand,read-256k-rand", "--conns", "4", "--depth", "16"}, seconds: 1.5,
		check: func(t *testing.T, x *seen) {
			f := x.verified(t)
			x.withoutCopy(t)
			assert.Less(
				t,
				5<<20,
				number(t, f, "pinned_most"),
				"there was no want of memory: half of the slabs of each size may be pinned",
			)
		},
	},
	{
		name: "nor while packets are lost", netem: "delay 10ms loss 5%", flags: "--read-path zc",
		load: many, seconds: 3,
		check: func(t *testing.T, x *seen) {
			x.verified(t)
			x.withoutCopy(t)
			assert.NotZero(t, x.retrans, "nothing was sent again")
		},
	},
	{
		name: "nor in the program that can err", netem: "delay 50ms", helper: true,
		load: many, seconds: 1,
		check: func(t *testing.T, x *seen) {
			x.verified(t)
			x.withoutCopy(t)
		},
	},
	{
		name: "memory that is used too early is noticed", netem: "delay 50ms", helper: true, early: true,
		load: many, seconds: 1,
		check: func(t *testing.T, x *seen) {
			assert.NotEqual(t, "0", x.status)
			// The reply has bytes of another reply, or is another reply as a whole.
			assert.Regexp(t, "wrong data at offset|a reply to a call that is not under way", x.out)
			f := x.figures(t)
			assert.NotZero(t, number(t, f, "zero_copy"))
			assert.Zero(t, number(t, f, "acks"), "it waits after all")
		},
	},
	{
		name: "auto does not copy for another machine", flags: "--read-path auto",
		load: []string{"-w", "read-64k-rand,read-1m-seq", "--conns", "4", "--depth", "4"}, seconds: 1,
		check: func(t *testing.T, x *seen) {
			f := x.verified(t)
			x.withoutCopy(t)
			assert.Zero(t, number(t, f, "spliced"))
		},
	},
	{
		name: "auto splices on loopback", flags: "--read-path auto", inside: true,
		load: []string{"-w", "read-64k-rand,read-1m-seq", "--conns", "2", "--depth", "4"}, seconds: 1,
		check: func(t *testing.T, x *seen) {
			f := x.verified(t)
			assert.Zero(t, number(t, f, "zero_copy"))
			assert.LessOrEqual(t, few, number(t, f, "spliced"))
		},
	},
	{
		name: "notifications tell of copies on loopback", flags: "--read-path zc", inside: true,
		load: []string{"-w", "read-64k-rand", "--conns", "1", "--depth", "1"}, seconds: 1,
		check: func(t *testing.T, x *seen) {
			f := x.verified(t)
			assert.LessOrEqual(t, few, number(t, f, "zero_copy"))
			assert.Equal(
				t,
				number(t, f, "zero_copy"),
				number(t, f, "copied"),
				"so that none in the other scenes means none",
			)
		},
	},
}

// verified asserts that the client was content and made some READs at all, and returns the server's
// figures.
func (x *seen) verified(t *testing.T) map[string]string {
	t.Helper()
	require.Equal(t, "0", x.status, x.out)
	assert.LessOrEqual(t, few, int(x.ops))
	f := x.figures(t)
	t.Logf("%d READs verified; %v", x.ops, f)
	return f
}

// withoutCopy asserts that there were sends without a copy, that the kernel confirms it for each,
// and that none is left.
func (x *seen) withoutCopy(t *testing.T) {
	t.Helper()
	f := x.figures(t)
	assert.LessOrEqual(t, few/4, number(t, f, "zero_copy"))
	assert.Zero(t, number(t, f, "copied"))
	assert.Equal(t, number(t, f, "zero_copy"), number(t, f, "acks"))
	assert.Zero(t, number(t, f, "pinned"))
}

// TestNotificationIsTheAcknowledgement tests what docs/design/0006 says: a zero-copy send's
// notification comes when the peer has acknowledged its bytes, and their memory is not used for
// others before that.
func TestNotificationIsTheAcknowledgement(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "tc")
	dir := t.TempDir()
	share := filepath.Join(logDir(t), "share")
	require.NoError(t, os.Mkdir(share, 0o755))
	helper := filepath.Join(dir, "transport.test")
	out, err := exec.Command("go", "test", "-c", "-o", helper, "../transport").CombinedOutput()
	require.NoError(t, err, string(out))

	var names []string
	for _, s := range ackScenes {
		names = append(names, s.file())
		require.NoError(
			t,
			os.WriteFile(filepath.Join(share, s.file()), []byte(s.describe(share, helper)), 0o644),
		)
	}
	client := filepath.Join(here, "testdata", "ackclient.sh")
	o := guest{
		vers: "none", script: "ack.sh", args: names, share: share,
		beside: fmt.Sprintf(
			"%s %s %s > %s 2>&1 &",
			quote(client),
			quote(share),
			strings.Join(names, " "),
			quote(filepath.Join(dir, "client.log")),
		),
	}.run(t)
	before := uint64(0)
	for _, s := range ackScenes {
		t.Run(s.name, func(t *testing.T) {
			require.Contains(t, o.out, "PASS "+s.file()+"\n", "the scene did not take place")
			x := s.look(t, share)
			x.retrans, before = x.retrans-before, x.retrans
			s.check(t, x)
			assert.Contains(t, x.log, "exit 0", "of the server")
			if t.Failed() {
				t.Logf("client:\n%s\nserver:\n%s", x.out, x.log)
			}
		})
	}
}

// file returns the scene's name for the scripts.
func (s *scene) file() string { return strings.ReplaceAll(s.name, " ", "_") }

// describe writes the scene down for the two scripts.
func (s *scene) describe(share, helper string) string {
	// This is the least memory that is possible.
	server := fmt.Sprintf(
		"/run/hostroot%s serve --squash none --portmap off --listen 0.0.0.0 --allow 0.0.0.0/0 --insecure --port 2049 "+
			"--state-dir /tmp/state --lanes 1 --memory 32M %s /tmp/served",
		program,
		s.flags,
	)
	if s.helper {
		early := ""
		if s.early {
			early = "RINGNFS_TEST_EARLY=1"
		}
		server = fmt.Sprintf("env RINGNFS_TEST_SERVE=/tmp/served %s /run/hostroot%s", early, helper)
	}
	client := func(root, share, addr string) string {
		file := fmt.Sprintf("%s/%s.json", share, s.file())
		bench := fmt.Sprintf(
			"%s%s bench --verify --warmup 0 --file-size 4M --json %s %s --seconds $seconds %s:2049:/tmp/served",
			root,
			program,
			file,
			strings.Join(s.load, " "),
			addr,
		)
		enough := fmt.Sprintf(
			`/usr/bin/python3 -c "import json; exit(sum(r[\"ops\"] for r in json.load(open(\"%s\"))[\"runs\"]) < %d)"`,
			file,
			few,
		)
		return fmt.Sprintf("for seconds in %g %g %g %g; do %s || exit; %s && exit; done; exit 0",
			s.seconds, 4*s.seconds, 16*s.seconds, 64*s.seconds, bench, enough)
	}
	where, command := "outside", client("", share, "10.111.0.101")
	if s.inside {
		where, command = "inside", client("/run/hostroot", "$SHARE", "127.0.0.1")
	}
	return fmt.Sprintf("netem=%s\nserver=%s\n%s=%s\n", quote(s.netem), quote(server), where, quote(command))
}

// look reads the results that the scripts have left.
func (s *scene) look(t *testing.T, share string) *seen {
	t.Helper()
	read := func(what string) string {
		b, err := os.ReadFile(filepath.Join(share, s.file()+what))
		require.NoError(t, err)
		return strings.TrimSpace(string(b))
	}
	x := &seen{status: read(".rc"), out: read(".out"), log: read(".log")}
	// Two lines, of names and of values (proc_net_snmp(5)).
	net := strings.Split(read(".net"), "\n")
	require.Len(t, net, 2)
	keys, values := strings.Fields(net[0]), strings.Fields(net[1])
	for i, k := range keys {
		if k == "RetransSegs" {
			n, err := strconv.ParseUint(values[i], 10, 64)
			require.NoError(t, err)
			x.retrans = n
		}
	}
	if x.status != "0" {
		return x
	}
	var result struct {
		Runs []struct {
			Ops      uint64
			Verified bool
			Latency  load.Latency
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(".json")), &result))
	for _, r := range result.Runs {
		require.True(t, r.Verified)
		x.ops += r.Ops
		x.read = time.Duration(r.Latency.P50 * float64(time.Microsecond))
	}
	return x
}
