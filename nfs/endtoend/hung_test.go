package endtoend

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestAFileSystemThatHangsLeavesTheOthersServed(t *testing.T) {
	noLeaks(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := faultfs.Wrap(memfs.New(memfs.Config{Mode: 0o777}), seed)
	dir := exportDir(t)
	cfg := config(t, dir)
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: "/hangs", FS: f, Squash: export.SquashNone})
	s := start(t, cfg)
	c := s.dial()
	root, hangs := mnt(t, c, dir), mnt(t, c, "/hangs")

	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Gate: gate})
	var waiting []*nfstest.Pending
	for i := range 100 {
		waiting = append(waiting, c.Start(nfs3.NFSPROC3_GETATTR, &nfs3.GETATTR3args{Object: hangs}),
			c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(hangs, fmt.Sprint(i))}))
	}
	for range 5 { // of 8 workers, 2 are for the other file system and 1 is for calls that need none
		<-gate.Entered()
	}
	for i, client := range []*nfstest.Client{c, s.dial()} { // of the same peer
		name := fmt.Sprint("directory ", i)
		mkdir(t, client, root, name, 0o755)
		require.Contains(t, client.Names(root), name)
		mnt(t, client, dir)
	}
	select {
	case <-gate.Entered():
		t.Fatal("a worker that is kept for others was taken")
	default:
	}
	gate.Open()
	for _, p := range waiting {
		_, err := p.Wait()
		require.NoError(t, err)
	}
	require.Len(t, c.Names(hangs), 100)
}

// Calls that wait for a file system that hangs are answered when it goes on, however many they are.
// By TCP a client waits as long as its connection is there.
func TestEveryCallToAFileSystemThatHangsIsAnsweredInTheEnd(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	const clients, calls = 20, 250
	var parents []fh // changes of one directory wait for each other, and hold one worker
	for i := range clients {
		parents = append(parents, mkdir(t, c, root, fmt.Sprint(i), 0o755))
	}
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Threads: faultfs.WorkerOnly, Gate: gate})
	var waiting []*nfstest.Pending
	for _, dir := range parents {
		c := s.dial()
		for j := range calls {
			waiting = append(
				waiting,
				c.Start(nfs3.NFSPROC3_MKDIR,
					&nfs3.MKDIR3args{Where: nfstest.At(dir, fmt.Sprint(j))}),
			)
		}
	}
	for range s.cfg.Workers - 2 { // changes cannot have the other two
		<-gate.Entered()
	}
	gate.Open()
	for _, p := range waiting {
		ok(t, statusOf(t, nfs3.NFSPROC3_MKDIR, p.Reply().Results))
	}
	for _, dir := range parents {
		require.Len(t, s.dial().Names(dir), calls)
	}
}
