//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring"
)

// setting is a server with a file system, and the steps of smoke.sh on it.
type setting struct {
	name  string
	fs    string
	path  string
	flags string // of ringnfs serve
	opts  string // of the mount
	steps []string
}

// fileSystems are the file systems on which READs are tried, each with options to mount it so that
// READs of all sizes come in.
var fileSystems = []struct{ fs, opts string }{
	{"ext4", "nconnect=4,rsize=1048576,wsize=1048576"},
	{"xfs", "nconnect=1,rsize=1048576,wsize=1048576"},
	{"btrfs", "nconnect=2,rsize=262144,wsize=1048576"},
	{"tmpfs", "nconnect=4,rsize=65536,wsize=65536"},
}

// readers are the steps that read much of what they have written, and check each byte.
var readers = []string{"big", "oddio", "mmap", "fio"}

// sampled are the steps of a combination that stands for others: those that read and write in each
// way that exists. Other combinations run the steps that read little. The step locks is not among
// them: by version 3 these mounts have nolock, and the server sees none of it.
var sampled = []string{"big", "oddio", "mmap", "fio"}

// least makes the steps do even less than less does.
var least = map[string]string{
	"TREE": "/usr/include/asm-generic", "REPO": "/usr/include/asm-generic",
	"FILES": "200", "BIGMB": "6", "FIOMB": "4",
}

// whole is the whole workload. fio's job files are for measuring; the step fio verifies.
func whole() []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "fiojobs" })
}

// TestWorkloadWithEveryReadPath runs a sample of the workload with each way in which READ data
// leaves, forced, and with the server's own choice, each on another file system. In the full matrix
// it runs all of the workload, each on every file system. TestWorkload runs the whole workload with
// the server's own choice on ext4 and tmpfs.
func TestWorkloadWithEveryReadPath(t *testing.T) {
	sample := map[string]string{"copy": "tmpfs", "splice": "ext4", "zc": "btrfs", "auto": "xfs"}
	for _, path := range []string{"copy", "splice", "zc", "auto"} {
		var list []setting
		for _, f := range fileSystems {
			if full() && !(path == "auto" && (f.fs == "ext4" || f.fs == "tmpfs")) || f.fs == sample[path] {
				steps := whole()
				if !full() {
					steps = sampled
				}
				list = append(list, setting{f.fs, f.fs, path, "--read-path " + path, f.opts, steps})
			}
		}
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			workload(t, list)
		})
	}
}

// TestWorkloadWithoutKernelFeatures switches off each io_uring feature that the server uses, and
// then all of them. Each time it reads by a way that would use the feature: with a sample of the
// workload by each way on another file system, or in the full matrix with all of it on all of them.
// The sample switches off two features at a time that have nothing to do with each other: package
// endtoend serves without each alone.
func TestWorkloadWithoutKernelFeatures(t *testing.T) {
	// A feature that the server does not use makes no difference; it goes off with all others.
	const unused = uring.ReadMultishot | uring.SendVectorized | uring.FixedInstall | uring.Ftruncate | uring.Pipe
	const optional = uring.AllFeatures &^ uring.RecvMultishot
	const ofZeroCopy = uring.SendZC | uring.SendMsgZC | uring.ZCReportUsage
	names := func(f uring.Feature) []string { return strings.Split(f.String(), "+") }
	lists := map[string][]setting{}
	i := 0
	add := func(path, name string, steps, without []string) {
		f := fileSystems[i%len(fileSystems)]
		i++
		flags := "--read-path " + path + " --without " + strings.Join(without, ",")
		lists[path] = append(lists[path], setting{name, f.fs, path, flags, f.opts, steps})
	}
	each := readers
	if !full() {
		each = []string{"big"} // it compares everything that it reads
	}
	for _, name := range names(ofZeroCopy) {
		add("zc", name, each, []string{name})
	}
	others, together := names(optional&^unused&^ofZeroCopy), 1
	if !full() {
		together = 2
	}
	// Neighbours in the list belong together, such as the kinds of buffer rings: take them apart.
	groups := make([][]string, (len(others)+together-1)/together)
	for k, name := range others {
		groups[k%len(groups)] = append(groups[k%len(groups)], name)
	}
	for k, group := range groups {
		add([]string{"splice", "zc"}[k%2], strings.Join(group, "+"), each, group)
	}
	ways := []string{"zc", "splice"}
	if full() {
		ways = []string{"zc", "splice", "zc", "splice"} // each file system
	}
	for k, path := range ways {
		steps := whole()
		if !full() {
			// What does not read has the same way with both.
			steps = append([][]string{{"iouring"}, {"basic"}}[k], sampled...)
		}
		add(path, "EVERYTHING-"+fileSystems[i%len(fileSystems)].fs, steps, names(optional))
	}
	for path, list := range lists {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			workload(t, list)
		})
	}
}

// workload runs the steps of each setting, with a server for each, on one guest.
func workload(t *testing.T, list []setting) {
	t.Helper()
	need(t, "git", "sqlite3", "fio", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
	const port = 2049
	g := guest{
		vers: "none", script: "paths.sh", env: least, port: port + len(list) - 1,
		server: []string{filepath.Join(here, "testdata", "paths-server.sh"), program},
	}
	var wanted []string
	for i, s := range list {
		g.server = append(g.server, fmt.Sprint(s.fs, " ", port+i, " ", s.flags))
		g.args = append(g.args, fmt.Sprint(s.name, " ", port+i, " ", s.opts, " ", strings.Join(s.steps, " ")))
		for _, step := range s.steps {
			wanted = append(wanted, s.name+"/"+step)
		}
	}
	o := g.run(t)
	o.steps(t, wanted...)
	// A server that still holds something at its end says so by its status.
	status, err := os.ReadFile(filepath.Join(o.logs, "server.rc"))
	require.NoError(t, err)
	assert.Equal(t, "0\n", string(status), "the servers' status\n%s", o.serverLog())
	log, err := os.ReadFile(filepath.Join(o.logs, "server.log"))
	require.NoError(t, err)
	for i, s := range list {
		_, of, _ := strings.Cut(string(log), fmt.Sprintf("== %d\n", port+i))
		of, _, _ = strings.Cut(of, "\n== ")
		s.left(t, of)
	}
}

var laneFigure = regexp.MustCompile(` (spliced|zero_copy|plain)=(\d+)`)

// left asserts, from the server's log, that data has left by the path that was forced.
func (s *setting) left(t *testing.T, log string) {
	sum := map[string]int{}
	for _, m := range laneFigure.FindAllStringSubmatch(log, -1) {
		n, err := strconv.Atoi(m[2])
		require.NoError(t, err)
		sum[m[1]] += n
	}
	t.Log(s.name, s.path, sum)
	assert.NotZero(t, sum["plain"], "%s: the server does not say what it has done\n%s", s.name, log)
	able := !strings.Contains(log, "without SEND_ZC:") && !strings.Contains(log, "without SENDMSG_ZC:")
	switch s.path {
	case "splice":
		assert.NotZero(t, sum["spliced"], s.name)
		assert.Zero(t, sum["zero_copy"], s.name)
	case "zc":
		assert.Zero(t, sum["spliced"], s.name)
		if able {
			assert.NotZero(t, sum["zero_copy"], s.name)
		}
	case "auto": // by its address the guest is another machine
		assert.NotZero(t, sum["spliced"]+sum["zero_copy"], s.name)
	default:
		assert.Zero(t, sum["spliced"]+sum["zero_copy"], s.name)
	}
}
