package posixfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// span is one fsync or one flush as the test's own clock saw it.
type span struct {
	from, to int
	errno    unix.Errno
}

// TestEachFlushIsCoveredByAnFsyncThatBeganAfterIt lets threads commit and write
// FILE_SYNC to one file over fsyncs that fail by chance.
func TestEachFlushIsCoveredByAnFsyncThatBeganAfterIt(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	clock, failed := 0, 0
	var syncs []span
	now := func() int { mu.Lock(); defer mu.Unlock(); clock++; return clock }
	o := options{fsync: func(int) unix.Errno {
		from := now()
		mu.Lock()
		var errno unix.Errno
		if random.IntN(4) == 0 {
			errno = unix.EIO
			failed++
		}
		mu.Unlock()
		time.Sleep(200 * time.Microsecond) // like a disc, so that some calls wait
		to := now()
		mu.Lock()
		defer mu.Unlock()
		syncs = append(syncs, span{from, to, errno})
		return errno
	}}
	s := serve(t, tmpfsDir(t), Config{}, o)
	s.write("f", "", 0o666)
	h, verf := s.lookup("f"), s.fs.Verifier()
	const threads, rounds = 6, 60
	all := make(chan error, threads)
	var flushed [threads][]span
	var runners []*runner
	for i := range threads {
		r := newRunner(t, s.fs, true)
		runners = append(runners, r)
		r.jobs <- func() {
			v := r.v
			all <- func() error {
				var w vfs.WCC
				for k := range rounds {
					how := vfs.Unstable
					if k%3 == 0 {
						how = vfs.FileSync
					}
					from := now()
					n, got, _, st := v.Write(r.cred(0, 0), h, &vfs.WriteArgs{Off: uint64(i*rounds + k), Src: [][]byte{{1}}, How: how}, &w)
					if how == vfs.Unstable {
						if st != vfs.OK || n != 1 {
							return fmt.Errorf("write: %d, status %d", n, st)
						}
						from = now()
						_, st = v.Commit(r.cred(0, 0), h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
					} else if st == vfs.OK && got != how {
						return errors.New("not as stable as was asked for")
					}
					x := span{from: from, to: now()}
					switch st {
					case vfs.OK:
					case vfs.IO:
						x.errno = unix.EIO
					default:
						return fmt.Errorf("status %d", st)
					}
					flushed[i] = append(flushed[i], x)
				}
				return nil
			}()
		}
	}
	for range threads {
		require.NoError(t, <-all)
	}
	for _, r := range runners {
		r.close()
	}
	count := 0
	for _, list := range flushed {
		for _, x := range list {
			count++
			good, bad := 0, 0
			for i, y := range syncs {
				// An fsync that has ended is known to have ended once the next one
				// begins.
				past := i+1 < len(syncs) && syncs[i+1].from < x.from
				switch {
				case y.to > x.to:
				case y.errno == 0 && y.from > x.from:
					good++
				case y.errno != 0 && !past:
					bad++
				}
			}
			if x.errno == 0 {
				require.Positive(t, good, "a success without an fsync of its own time: %v", x)
			} else {
				require.Positive(t, bad, "a failure that nobody had: %v", x)
			}
		}
	}
	t.Logf("%d flushes by %d fsyncs, %d failed", count, len(syncs), failed)
	require.Less(t, len(syncs), count, "none was shared")
	require.Equal(t, verf+uint64(failed), s.fs.Verifier(), "each failure changes the verifier once")
}

func TestAStableWriteWhoseFlushFailsIsAnErrorAndChangesTheVerifier(t *testing.T) {
	var errno unix.Errno
	s := serve(t, tmpfsDir(t), Config{}, options{fsync: func(int) unix.Errno { return errno }})
	s.write("f", "", 0o666)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		for _, how := range []vfs.Stability{vfs.DataSync, vfs.FileSync} {
			for e, want := range map[unix.Errno]vfs.Status{unix.EIO: vfs.IO, unix.ENOSPC: vfs.NoSpc, unix.EDQUOT: vfs.DQuot} {
				errno = e
				var w vfs.WCC
				verf := s.fs.Verifier()
				_, _, _, st := v.Write(
					s.root(),
					h,
					&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: how},
					&w,
				)
				require.Equal(t, want, st)
				require.True(t, w.HasBefore && w.After.Filled())
				require.Equal(t, verf+1, s.fs.Verifier())
				errno = 0
				_, got, now, st := v.Write(
					s.root(),
					h,
					&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: how},
					&w,
				)
				require.Equal(t, vfs.OK, st)
				require.GreaterOrEqual(t, got, how)
				require.Equal(t, verf+1, now, "in force when the write began")
			}
		}
	})
}
