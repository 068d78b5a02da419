package load

import (
	"context"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

func TestEveryWorkloadRunsAgainstAServer(t *testing.T) {
	target, _ := startServer(t)
	s := open(t, target)
	for _, text := range []string{
		"null", "getattr", "lookup", "access", "read-4k-rand", "read-64k", "read-1m", "write-4k-rand", "write-64k", "write-1m-seq",
		"mixed", "readdirplus", "create", "tree",
	} {
		for _, verify := range []bool{false, true} {
			if again.Now() && !verify {
				continue // verifying does what this does, and more
			}
			t.Run(text+map[bool]string{true: " verified"}[verify], func(t *testing.T) {
				w, err := ParseWorkload(text, 0, false)
				require.NoError(t, err)
				res := runSome(
					t,
					s,
					Job{
						Workload:   w,
						Conns:      2,
						Depth:      3,
						Threads:    2,
						Verify:     verify,
						ServerPIDs: []int{os.Getpid()},
					},
				)
				require.Equal(t, verify, res.Verified)
				require.LessOrEqual(t, res.Latency.P50, res.Latency.P99)
				require.LessOrEqual(t, res.Latency.P99, res.Latency.Max)
				require.NotNil(t, res.Server)
				if w.Size > 0 {
					require.NotZero(t, res.Bytes)
				}
			})
		}
	}
}

func TestASessionLeavesNothingBehind(t *testing.T) {
	target, _ := startServer(t)
	s, err := Open(context.Background(), target, Options{FileSize: 1 << 20, Entries: 40})
	require.NoError(t, err)
	for _, kind := range []string{"mixed", "tree", "create"} {
		w, err := ParseWorkload(kind, 0, false)
		require.NoError(t, err)
		_, err = s.Run(
			context.Background(),
			Job{Workload: w, Conns: 2, Depth: 3, Time: 50 * time.Millisecond, Warmup: time.Millisecond},
		)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "a second time")

	other, err := Open(context.Background(), target, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	var names []string
	list, _, _, err := other.readdir(other.root, page{})
	require.NoError(t, err)
	for _, e := range list {
		if e.name != "." && e.name != ".." && e.name != other.dirName {
			names = append(names, e.name)
		}
	}
	require.Empty(t, names)
}

func TestVerifyFindsWhatSomebodyElseHasChanged(t *testing.T) {
	target, _ := startServer(t)
	s := open(t, target)
	for _, text := range []string{"read-4k", "read-64k", "write-4k"} {
		w, err := ParseWorkload(text, 0, false)
		require.NoError(t, err)
		j := Job{
			Workload: w,
			Conns:    1,
			Depth:    2,
			Time:     100 * time.Millisecond,
			Warmup:   time.Millisecond,
			Verify:   true,
		}
		require.NoError(t, s.Prepare(context.Background(), j))
		// A short run of small WRITEs does not reach the end of the file.
		f := s.data[0]
		bad := make([]byte, 8)
		off := f.size - 8
		if w.Kind == "read" {
			off = 40 // in the first block
		}
		require.NoError(t, s.write(f, off, bad))
		if w.Kind == "write" {
			j.Rate = 100 // ten blocks of five hundred
		}
		_, err = s.Run(context.Background(), j)
		require.ErrorContains(t, err, "wrong data", text)
		require.NoError(t, s.dropData())
	}
}

func TestTheServerIsFoundByItsListener(t *testing.T) {
	target, _ := startServer(t)
	require.Equal(t, []int{os.Getpid()}, FindServer(target.addr(target.Port)))
	require.Empty(t, FindServer("192.0.2.1:2049"), "another machine")
	require.Empty(t, FindServer(net.JoinHostPort("127.0.0.2", strconv.Itoa(target.Port))), "another address")
	before, err := processUsage(os.Getpid())
	require.NoError(t, err)
	after := before
	for round := 0; after.total <= before.total && round < 1<<10; round++ {
		for n := range uint64(1 << 20) {
			_ = word(1, n)
		}
		after, err = processUsage(os.Getpid())
		require.NoError(t, err)
	}
	require.Greater(t, after.total, before.total)
	_, err = processUsage(1 << 30)
	require.Error(t, err)
}

func TestIdleConnectionsAreHeldAndReleased(t *testing.T) {
	target, _ := startServer(t)
	release, err := open(t, target).Hold(context.Background(), 20)
	require.NoError(t, err)
	release()
}

func TestAddressesOfSocketsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:0801": "127.0.0.1:2049", "00000000:006F": "0.0.0.0:111",
		"00000000000000000000000001000000:0801": "[::1]:2049",
		"0000000000000000FFFF00000100007F:0801": "127.0.0.1:2049",
		"000080FE00000000FF00540200000000:0016": "[fe80::254:ff:0:0]:22",
	} {
		got, ok := parseSocketAddr(text)
		require.True(t, ok, text)
		require.Equal(t, want, got.String())
	}
	for _, text := range []string{"", "0100007F", "0100007F:x", "01007F:0801", "zz:1"} {
		_, ok := parseSocketAddr(text)
		require.False(t, ok, text)
	}
}
