package load

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func workload(t testing.TB, text string) Workload {
	t.Helper()
	w, err := ParseWorkload(text, 0, false)
	require.NoError(t, err)
	return w
}

func TestEveryWorkloadRunsByVersion4(t *testing.T) {
	target, _ := startServer(t)
	versions := []Version{{4, 0}, {4, 1}, {4, 2}}
	if again.Now() {
		versions = versions[2:]
	}
	for _, v := range versions {
		s := openBy(t, target, v)
		for _, text := range []string{
			"null", "getattr", "lookup", "access", "read-4k-rand", "read-1m", "write-4k-rand", "write-1m-seq", "mixed",
			"readdirplus", "create", "tree", "open", "lock",
		} {
			t.Run(v.String()+" "+text, func(t *testing.T) {
				w := workload(t, text)
				res := runSome(t, s, Job{
					Workload: w, Conns: 3, Sessions: 2, Depth: 3, Threads: 2, Verify: w.Size > 0,
					ServerPIDs: []int{os.Getpid()},
				})
				require.Equal(t, v.String(), res.Version)
				require.Equal(t, 2, res.Sessions)
				switch text {
				case "open":
					require.Contains(t, res.ByProc, "OPEN")
					require.Contains(t, res.ByProc, "CLOSE")
				case "lock":
					require.Contains(t, res.ByProc, "LOCK")
					require.Contains(t, res.ByProc, "LOCKU")
				}
				if w.Size > 0 {
					require.NotZero(t, res.Bytes)
				}
			})
		}
	}
}

func TestVersionsAreUnderstood(t *testing.T) {
	require.Equal(t, []string{"3", "4.0", "4.1", "4.2"}, Versions())
	for _, text := range Versions() {
		v, err := ParseVersion(text)
		require.NoError(t, err)
		require.Equal(t, text, v.String())
	}
	for _, text := range []string{"", "2", "4", "4.3", "04.1", "3.0"} {
		_, err := ParseVersion(text)
		require.ErrorContains(t, err, "4.2", text)
	}
	require.Equal(t, "3", Version{}.String())
	for _, kind := range []string{"open", "lock"} {
		require.ErrorContains(t, Version{}.Has(Workload{Kind: kind}), "--nfs 4.2")
		require.NoError(t, Version{4, 0}.Has(Workload{Kind: kind}))
	}
	require.NoError(t, Version{}.Has(Workload{Kind: "tree"}))
}

// What a run has made on the server is gone after it: files, opens and sessions.
func TestARunOfVersion4TakesLeaveOfTheServer(t *testing.T) {
	target, _ := startServer(t)
	for _, v := range []Version{{4, 0}, {4, 1}} {
		s, err := Open(context.Background(), target, Options{FileSize: 1 << 20, Entries: 10, Version: v})
		require.NoError(t, err)
		for _, text := range []string{"mixed", "tree", "create", "open", "lock"} {
			var during []client4.Client
			_, err = s.Run(context.Background(), Job{
				Workload: workload(t, text), Conns: 2, Depth: 3, Time: 50 * time.Millisecond, Warmup: time.Millisecond,
				Progress: func(p Progress) {
					if p.Stage == "measure" && during == nil {
						for _, x := range s.parties {
							during = append(during, *x.Client)
						}
					}
				},
			})
			require.NoError(t, err)
			require.Empty(t, s.parties)
			for i := range during {
				if v.Minor > 0 {
					_, err = during[i].Do(client4.PutRootFH())
					var failed *client4.StatusError
					require.ErrorAs(t, err, &failed)
					require.Equal(t, nfs4.NFS4ERR_BADSESSION, failed.Status)
				}
			}
		}
		require.NoError(t, s.Close())
		require.Empty(t, namesIn(t, target))
	}
}

// A server may ask for any call later. In minor version 0 an owner's numbers go on all the same.
func TestCallsThatAreWantedLaterAreMadeAgain(t *testing.T) {
	for _, v := range []Version{{4, 0}, {4, 2}} {
		fs := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
		s := openBy(t, startServerOf(t, fs), v)
		for _, text := range []string{"getattr", "open", "create", "tree", "write-4k"} {
			j := Job{Workload: workload(t, text), Conns: 2, Depth: 4}
			require.NoError(t, s.Prepare(context.Background(), j))
			fault := fs.Add(faultfs.Rule{
				Ops:  []faultfs.Op{faultfs.GetAttr, faultfs.Lookup, faultfs.Create, faultfs.Write, faultfs.Mkdir},
				Skip: 5, OneIn: 3, Count: 20, Status: vfs.Delay,
			})
			res := runSome(t, s, j)
			fault.Remove()
			require.NotZero(t, fault.Hits(), text)
			require.NotZero(t, res.Ops)
		}
	}
}

func TestASessionThatIsTooSmallIsToldWithTheRemedy(t *testing.T) {
	target, _ := startServer(t)
	s := openBy(t, target, Version{4, 1})
	run := func(conns, sessions, depth int) error {
		_, err := s.Run(context.Background(), Job{
			Workload: workload(t, "getattr"), Conns: conns, Sessions: sessions, Depth: depth,
			Time: time.Millisecond, Warmup: time.Millisecond,
		})
		return err
	}
	require.NoError(t, run(1, 1, 64))
	require.ErrorContains(t, run(1, 1, 65), "say --depth 64 or less")
	require.NoError(t, run(2, 1, 32))
	require.ErrorContains(t, run(2, 1, 33), "say --depth 32 or less, or more --sessions")
	require.NoError(t, run(2, 2, 33))
}
