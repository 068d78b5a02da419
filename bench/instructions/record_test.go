package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// window is a load of 100 calls, of which each costs the server and the client so much.
func window(l job.Load, server, client int64) job.Window {
	l.Calls = 100
	return job.Window{
		Load: l, Elapsed: 200 * (server + client), Client: 100 * client, Switches: 250,
		Others: map[string]int64{"server": 60 * server, "jbd2": 40 * server},
	}
}

func TestTheServerSideIsAllButTheClient(t *testing.T) {
	w := window(of("make", 4, 16, 0, 100), 1000, 300)
	require.Equal(t, int64(100_000), w.Server())
	require.Equal(t, Run{Server: 1000, Total: 1300, Elapsed: 2600, Switches: 2.5}, newRun(&w))
}

func TestRunsOfOneLoadAreOneFigure(t *testing.T) {
	r := &Record{}
	x := task{job.Ringnfs, "ext4", &chain{version: "4.2", loads: one("make", 4, 16, 0, 100)}, phases}
	for _, cost := range []int64{300, 100, 200} {
		r.add(&x, &measured{windows: []job.Window{window(x.chain.loads[0], cost, 10)}}, nil)
	}
	require.Len(t, r.Figures, 1)
	require.Equal(t, "v4.2 create 4x16", r.Figures[0].Load)
	require.Equal(t, []float64{100, 200, 300}, r.Figures[0].of(serverSide))
	path := filepath.Join(t.TempDir(), "record")
	require.NoError(t, r.write(path))
	same, err := readRecord(path)
	require.NoError(t, err)
	require.Equal(t, r, same)
}

func TestTheReportComparesServersFirstAndGoalsLast(t *testing.T) {
	r := &Record{Missing: []string{"go-nfs: not to be had here\nat all"}}
	for server, cost := range map[string]int64{job.Ringnfs: 90_000, job.Knfsd: 100_000,
		job.Floor: 45_000} {
		x := task{server, "ext4", &chain{version: "3", loads: one("make", 4, 16, 0, 100)}, phases}
		r.add(&x, &measured{windows: []job.Window{window(x.chain.loads[0], cost, 1000)}}, nil)
	}
	var b strings.Builder
	require.NoError(t, r.markdown(&b))
	text := b.String()
	require.Contains(t, text, "| load | ringnfs | knfsd | floor | ringnfs/knfsd | ringnfs/floor |")
	require.Contains(t, text,
		"| create 4x16 | 90.0k (91.0k) | 100k (101k) | 45.0k (46.0k) | 0.90 | 2.00 |")
	require.Contains(t, text, "- go-nfs: not to be had here\n")
	require.Contains(t, text, "| ext4 | create 4x16 | 0.90 | ≤ 0.75 |")
	require.Less(t, strings.Index(text, "ringnfs/knfsd"), strings.Index(text, "goals"))
}

func TestThousandsHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{2345: "2.3k", 99_940: "99.9k", 99_960: "100k",
		9_994_000: "9994k", 9_996_000: "10.0M"} {
		require.Equal(t, want, thousands(v))
	}
}

func TestTheShortFormHasWhatItsNameSays(t *testing.T) {
	all := regexp.MustCompile("")
	var names []string
	for _, x := range plan([]string{job.Ringnfs}, []string{"ext4"}, true, true, all) {
		for i := range x.chain.loads {
			names = append(names, x.chain.name(&x.chain.loads[i]))
		}
	}
	require.Equal(t, []string{
		"null 4x16", "getattr 4x16", "lookup 4x16", "read 4 KiB 8x8", "read 1 MiB 4x4",
		"write 4 KiB 4x8", "create 4x16", "rename 4x16", "remove 4x16",
	}, names)
}

func TestServersWithoutVersion4AreNotAskedForIt(t *testing.T) {
	for _, x := range plan(servers, []string{"ext4", "tmpfs"}, false, false, regexp.MustCompile("^v4")) {
		require.Equal(t, "4.2", x.chain.version)
		require.NotContains(t, []string{job.Floor, job.GoNFS}, x.server)
	}
}

func TestRingnfsIsMeasuredAtSeveralMomentsWhereTheyCount(t *testing.T) {
	loads := regexp.MustCompile("^(null|create) (4x16|1x1)")
	for _, always := range []bool{false, true} {
		for _, x := range plan(servers, []string{"ext4", "xfs"}, false, always, loads) {
			want := 1
			if x.server == job.Ringnfs && (always || x.fs == "ext4" && x.chain.loads[0].Conns == 4) {
				want = 3
			}
			require.Len(t, x.phases, want, "%s on %s", x.server, x.fs)
		}
	}
}
