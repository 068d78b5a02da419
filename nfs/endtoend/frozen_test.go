package endtoend

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// writers returns how many threads of this process are in pwritev2.
func writers(t *testing.T) int { return inCall(t, unix.SYS_PWRITEV2) }

// inCall returns how many threads of this process are in a system call.
func inCall(t *testing.T, nr int) (n int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/syscall")
		if err == nil && strings.HasPrefix(string(b), fmt.Sprint(nr, " ")) {
			n++
		}
	}
	return n
}

// Lanes write themselves, and all of them write to a file system that is then frozen.
func TestAFrozenDiskKeepsNobodyFromConnecting(t *testing.T) {
	noLeaks(t)
	frozen, other := mounted(t, fileSystems[0].mkfs), exportDir(t)
	for _, lanes := range []int{1, 2} {
		t.Run(fmt.Sprint(lanes), func(t *testing.T) {
			cfg := config(t, frozen)
			cfg.Lanes = lanes
			cfg.WritePath = writePath(t, "inline")
			cfg.Exports = append(cfg.Exports, nfs.Export{Dir: other, Squash: export.SquashNone})
			s := start(t, cfg)
			for _, note := range s.Info().Notes {
				if strings.Contains(note, "lanes do not write") {
					t.Skip(note)
				}
			}
			var writing []*nfstest.Client
			var files []fh
			for i := range 8 {
				c := s.dial()
				f := put(t, c, mnt(t, c, frozen), fmt.Sprint("f", lanes, "-", i), make([]byte, 4096))
				writing, files = append(writing, c), append(files, f)
			}
			thaw := disktest.Freeze(t, frozen)
			var calls []*nfstest.Pending
			for i, c := range writing {
				calls = append(
					calls,
					c.Start(
						nfs3.NFSPROC3_WRITE,
						&nfs3.WRITE3args{
							File:   files[i],
							Count:  4096,
							Stable: nfs3.UNSTABLE,
							Data:   make([]byte, 4096),
						},
					),
				)
			}
			eventually(t, func() bool { return writers(t) >= lanes }, "writes wait for the file system")
			for range 40 {
				c := s.dial()
				c.Null()
				root := mnt(t, c, other)
				getattr(t, c, root)
				mkdir(t, c, root, fmt.Sprint(nfstest.NewXID()), 0o755)
				getattr(t, c, mnt(t, c, frozen)) // calls that do not write to it are answered, too
			}
			thaw()
			for _, p := range calls {
				var res nfs3.WRITE3res
				p.Into(&res)
				ok(t, res.Status)
			}
			s.stop()
		})
	}
}

func writePath(t *testing.T, word string) nfs.WritePath {
	t.Helper()
	p, err := nfs.ParseWritePath(word)
	require.NoError(t, err)
	return p
}

// Changes wait for frozen file systems, as many as there can be. The file systems' clients can
// still connect, mount and read.
func TestChangesThatWaitKeepNobodyFromMounting(t *testing.T) {
	noLeaks(t)
	for _, volumes := range []int{1, 2} {
		t.Run(fmt.Sprint(volumes), func(t *testing.T) {
			var dirs []string
			for range volumes {
				dirs = append(dirs, mounted(t, fileSystems[0].mkfs))
			}
			cfg := config(t, dirs[0])
			cfg.Workers = 8
			for _, dir := range dirs[1:] {
				cfg.Exports = append(cfg.Exports, nfs.Export{Dir: dir, Squash: export.SquashNone})
			}
			s := start(t, cfg)
			c := s.dial()
			var calls []*nfstest.Pending
			var thaws []func()
			for _, dir := range dirs {
				root := mnt(t, c, dir)
				var parents []fh // changes of one directory wait for each other
				for i := range 16 {
					parents = append(parents, mkdir(t, c, root, fmt.Sprint("d", i), 0o755))
				}
				thaws = append(thaws, disktest.Freeze(t, dir))
				for _, p := range parents {
					calls = append(
						calls,
						c.Start(
							nfs3.NFSPROC3_MKDIR,
							&nfs3.MKDIR3args{Where: nfs3.Diropargs3{Dir: p, Name: []byte("d")}},
						),
					)
				}
			}
			// All but two workers make changes. If two directories have one lock in
			// common, as a few of many have, one worker waits for the other.
			eventually(
				t,
				func() bool { return inCall(t, unix.SYS_MKDIRAT) >= (cfg.Workers-2)/2 },
				"changes wait for the file system",
			)
			for range 10 {
				c := s.dial()
				c.Null()
				for _, dir := range dirs {
					getattr(t, c, mnt(t, c, dir))
				}
			}
			for _, thaw := range thaws {
				thaw()
			}
			for _, p := range calls {
				var res nfs3.MKDIR3res
				p.Into(&res)
				ok(t, res.Status)
			}
			s.stop()
		})
	}
}

// More changes wait for a frozen file system than the duplicate request cache and the workers have
// room for. Each runs once and is answered.
func TestEveryChangeThatWaitedForAFrozenDiskIsAnswered(t *testing.T) {
	noLeaks(t)
	frozen := mounted(t, fileSystems[0].mkfs)
	s := start(t, config(t, frozen))
	const conns, each = 20, 250
	parents := make([]fh, conns)
	var calls []*nfstest.Pending
	clients := make([]*nfstest.Client, conns)
	for i := range clients {
		clients[i] = s.dial()
		parents[i] = mkdir(t, clients[i], mnt(t, clients[i], frozen), fmt.Sprint("conn", i), 0o755)
	}
	thaw := disktest.Freeze(t, frozen)
	for i, c := range clients {
		for n := range each {
			calls = append(calls, c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{
				Where: nfs3.Diropargs3{Dir: parents[i], Name: []byte(fmt.Sprint("d", n))},
			}))
		}
	}
	eventually(t, func() bool { return inCall(t, unix.SYS_MKDIRAT) > 0 }, "changes wait for the file system")
	thaw()
	for _, p := range calls {
		var res nfs3.MKDIR3res
		p.Into(&res)
		ok(t, res.Status)
	}
	for i := range clients {
		made, err := os.ReadDir(fmt.Sprintf("%s/conn%d", frozen, i))
		require.NoError(t, err)
		require.Len(t, made, each)
	}
	s.stop()
}

// However many large WRITEs wait for a frozen file system, the server reads from everybody else,
// and all of them are answered in the end.
func TestWritesToAFrozenDiskLeaveMemoryToOthers(t *testing.T) {
	noLeaks(t)
	frozen, other := mounted(t, fileSystems[0].mkfs), exportDir(t)
	cfg := config(t, frozen)
	cfg.Lanes, cfg.Memory = 1, 32<<20
	cfg.WritePath = writePath(t, "worker")
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: other, Squash: export.SquashNone})
	s := start(t, cfg)
	existing := s.dial()
	root := mnt(t, existing, other)
	const clients, writes, size = 6, 16, 1 << 20
	var writing []*nfstest.Client
	var files []fh
	for i := range clients {
		c := s.dial()
		writing, files = append(
			writing,
			c,
		), append(
			files,
			put(t, c, mnt(t, c, frozen), fmt.Sprint("f", i), nil),
		)
	}
	thaw := disktest.Freeze(t, frozen)
	answers := make(chan error, clients)
	for i, c := range writing {
		go func() {
			var calls []*nfstest.Pending
			for range writes {
				calls = append(
					calls,
					c.Start(
						nfs3.NFSPROC3_WRITE,
						&nfs3.WRITE3args{
							File:   files[i],
							Count:  size,
							Stable: nfs3.UNSTABLE,
							Data:   make([]byte, size),
						},
					),
				)
			}
			var failed error
			for _, p := range calls {
				var res nfs3.WRITE3res
				if err := p.TryInto(&res); err != nil || res.Status != nfs3.NFS3_OK {
					failed = errors.Join(failed, err, fmt.Errorf("status %v", res.Status))
				}
			}
			answers <- failed
		}()
	}
	eventually(t, func() bool { return writers(t) >= 3 }, "writes wait for the file system")
	for range 40 {
		c := s.dial()
		c.Null()
		mkdir(t, c, mnt(t, c, other), fmt.Sprint(nfstest.NewXID()), 0o755)
		getattr(t, c, mnt(t, c, frozen))
		existing.Null()
		mkdir(t, existing, root, fmt.Sprint(nfstest.NewXID()), 0o755)
	}
	thaw()
	for range clients {
		require.NoError(t, <-answers)
	}
	s.stop()
}
