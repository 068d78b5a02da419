package records

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/state"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	require.NoError(t, err)
	return s
}

func client(name string, verf byte) state.Record {
	return state.Record{
		Owner: name, Verifier: state.Verifier{verf}, Minor: 1,
		Principal: state.Principal{Flavor: 1, UID: 7, Name: "n-" + name},
	}
}

// load returns the owners and the first byte of their verifiers.
func load(t *testing.T, s *Store) (names []string) {
	t.Helper()
	list, err := s.Load()
	require.NoError(t, err)
	for _, r := range list {
		names = append(names, fmt.Sprintf("%s%d", r.Owner, r.Verifier[0]))
	}
	sort.Strings(names)
	return names
}

func TestWhoWasRecordedMayReclaimAfterTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.Empty(t, load(t, s))
	a := client("a", 1)
	a.Complete = true
	require.NoError(t, s.Record([]state.Record{a, client("", 2)}))
	require.NoError(t, s.Close())
	s = open(t, dir)
	defer func() { require.NoError(t, s.Close()) }()
	list, err := s.Load()
	require.NoError(t, err)
	require.ElementsMatch(t, []state.Record{a, client("", 2)}, list)
}

// Who has not reclaimed when grace ends may not do it after the next start: somebody else may have
// had its files. Until then a crash loses nobody.
func TestGenerationsFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	again := func(s *Store) *Store {
		require.NoError(t, s.Close())
		return open(t, dir)
	}
	s := open(t, dir)
	load(t, s)
	require.NoError(t, s.Record([]state.Record{client("a", 1), client("b", 1)}))
	s = again(s)
	require.Equal(t, []string{"a1", "b1"}, load(t, s))
	require.NoError(t, s.Record([]state.Record{client("a", 1)})) // has reclaimed
	s = again(s)                                                 // within grace
	require.Equal(t, []string{"a1", "b1"}, load(t, s))
	require.NoError(t, s.Record([]state.Record{client("a", 2)})) // a later incarnation
	require.NoError(t, s.EndGrace())
	s = again(s)
	require.Equal(t, []string{"a2"}, load(t, s))
	require.NoError(t, s.Forget([]state.Record{client("a", 1), client("unknown", 1)}))
	s = again(s)
	require.Equal(t, []string{"a2"}, load(t, s), "what is to be forgotten is an earlier incarnation")
	require.NoError(t, s.Forget([]state.Record{client("a", 2)}))
	s = again(s)
	require.Empty(t, load(t, s))
	require.NoError(t, s.Close())
}

func TestAStateDirectoryIsOneServers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(dir)
	require.ErrorContains(t, err, "in use")
	require.NoError(t, s.Close())
	_, err = Open(filepath.Join(dir, "missing"))
	require.ErrorContains(t, err, "no such file")
}

// Whatever is wrong with the file, the server does not start as if there had been no clients.
func TestADamagedFileIsAnErrorWithItsRemedy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 200 {
		require.NoError(t, s.Record([]state.Record{client(fmt.Sprintf("a client with a name %d", i), 1)}))
	}
	require.NoError(t, s.Close())
	path := filepath.Join(dir, FileName)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	damaged := 0
	try := func(b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		s, err := Open(dir)
		if err != nil {
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, "damaged")
			require.ErrorContains(t, err, "mv ")
			require.NotContains(t, err.Error(), "\n")
			damaged++
			return
		}
		// What was changed is of no consequence: all clients are there.
		list, err := s.Load()
		if err == nil {
			// Of the two first pages either may be one that a crash has torn: then the last
			// change has not been made.
			require.GreaterOrEqual(t, len(list), 199)
		} else {
			require.ErrorContains(t, err, "damaged")
		}
		require.NoError(t, s.Close())
	}
	for _, n := range []int{1, 100, 4096, 8192, len(whole) / 2, len(whole) - 4096} {
		try(whole[:n])
	}
	require.Positive(t, damaged)
	for range 30 { // a page of rubbish
		b := append([]byte(nil), whole...)
		page := b[rng.IntN(len(b)/4096)*4096:][:4096]
		for i := range page {
			page[i] = byte(rng.Uint32())
		}
		try(b)
	}
}

func TestManyClientsAreRecordedAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	load(t, s)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := range 4 {
				if err := s.Record([]state.Record{client(fmt.Sprintf("c%d-%d-", i, k), 1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, load(t, s), 64)
}
