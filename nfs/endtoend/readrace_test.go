package endtoend

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

const (
	racePages = 768 // of the file that is changed while it is read
	raceSize  = racePages * readPage
)

// raced is a file in which every eight bytes name their page and the change that they come from.
// begun and ended say which changes a page may show.
type raced struct {
	f            *os.File
	h            fh
	begun, ended [racePages]atomic.Uint32
}

// stamp makes pages in the state after the given change.
func stamp(b []byte, page int, change uint32) {
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], uint64(page+i/readPage)<<32|uint64(change))
	}
}

func newRaced(t *testing.T, dir, name string) *raced {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	r := &raced{f: f}
	b := make([]byte, raceSize)
	stamp(b, 0, 1)
	for p := range racePages {
		r.begun[p].Store(1)
		r.ended[p].Store(1)
	}
	_, err = f.WriteAt(b, 0)
	require.NoError(t, err)
	return r
}

// write stores pages in the state after change, as another process does or over NFS.
func (r *raced) write(rng *rand.Rand, c *nfstest.Client, change uint32) error {
	n := 1 + rng.IntN(96)
	page := rng.IntN(racePages - n)
	b := make([]byte, n*readPage)
	stamp(b, page, change)
	for p := page; p < page+n; p++ {
		r.begun[p].Store(change)
	}
	if rng.IntN(2) == 0 {
		if _, err := r.f.WriteAt(b, int64(page)*readPage); err != nil {
			return err
		}
	} else {
		var res nfs3.WRITE3res
		if err := c.Start(nfs3.NFSPROC3_WRITE, nfstest.WriteArgs(r.h, uint64(page)*readPage, b, nfs3.UNSTABLE)).TryInto(&res); err != nil {
			return err
		}
		if res.Status != nfs3.NFS3_OK || int(res.Resok.Count) != len(b) {
			return wrongf("WRITE of %d: %v, %d", len(b), res.Status, res.Resok.Count)
		}
	}
	for p := page; p < page+n; p++ {
		r.ended[p].Store(change)
	}
	return nil
}

// cut makes the file shorter at any byte and then as long as it was; or it removes some pages from
// the middle of the file, or from the page cache.
func (r *raced) cut(rng *rand.Rand, c *nfstest.Client) error {
	size := uint64(rng.IntN(raceSize))
	switch rng.IntN(4) {
	case 0:
		if err := r.f.Truncate(int64(size)); err != nil {
			return err
		}
	case 1:
		var res nfs3.SETATTR3res
		if err := c.Start(nfs3.NFSPROC3_SETATTR, &nfs3.SETATTR3args{Object: r.h, NewAttributes: nfstest.Size(size)}).TryInto(&res); err != nil {
			return err
		}
		if res.Status != nfs3.NFS3_OK {
			return wrongf("SETATTR of size %d: %v", size, res.Status)
		}
	case 2:
		return unix.Fallocate(
			int(r.f.Fd()),
			unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE,
			int64(size),
			1+rng.Int64N(raceSize/4),
		)
	default:
		if rng.IntN(4) == 0 {
			if err := r.f.Sync(); err != nil {
				return err
			}
		}
		return unix.Fadvise(int(r.f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	return r.f.Truncate(raceSize)
}

// read makes one READ and checks the result. Where the file is cut, bytes may be missing at the
// end, or be zero.
func (r *raced) read(c *nfstest.Client, off uint64, count uint32, cut bool) error {
	// The result must not be older than the content from before the call.
	var least [racePages]uint32
	for p := range least {
		least[p] = r.ended[p].Load()
	}
	var res nfs3.READ3res
	if err := c.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(r.h, off, count)).TryInto(&res); err != nil {
		return err
	}
	data := res.Resok.Data
	switch {
	case res.Status != nfs3.NFS3_OK:
		return wrongf("READ of %d at %d: %v", count, off, res.Status)
	case int(res.Resok.Count) != len(data) || len(data) > int(count) || off+uint64(len(data)) > raceSize:
		return wrongf("READ of %d at %d: count %d with %d bytes", count, off, res.Resok.Count, len(data))
	case len(data) == 0 && !res.Resok.Eof:
		return wrongf("READ of %d at %d: nothing, and that is not the end", count, off)
	case !cut && len(data) != min(int(count), raceSize-int(off)):
		return wrongf("READ of %d at %d: %d bytes", count, off, len(data))
	case !cut && res.Resok.Eof != (off+uint64(count) >= raceSize):
		return wrongf("READ of %d at %d: eof %v", count, off, res.Resok.Eof)
	}
	for page := int(off / readPage); uint64(page)*readPage < off+uint64(len(data)); page++ {
		most := r.begun[page].Load()
		end := min(uint64(page+1)*readPage, off+uint64(len(data)))
		// Look at whole words: those at the ends may be there in part.
		for at := max(uint64(page)*readPage, (off+7)&^7); at+8 <= end; at += 8 {
			v := binary.LittleEndian.Uint64(data[at-off:])
			of, change := uint32(v>>32), uint32(v)
			if of != uint32(page) && !(cut && cleared(of, uint32(page))) {
				return wrongf("READ of %d at %d: %#x at %d, which is page %d", count, off, v, at, page)
			}
			if change > most || change < least[page] && !cut {
				return wrongf(
					"READ of %d at %d: page %d is from change %d; it must be from %d to %d",
					count,
					off,
					page,
					change,
					least[page],
					most,
				)
			}
		}
	}
	return nil
}

// cleared reports whether got is want with some of its bytes zero. A file may be cut at any byte.
func cleared(got, want uint32) bool {
	for ; want > 0; got, want = got>>8, want>>8 {
		if b := byte(got); b != 0 && b != byte(want) {
			return false
		}
	}
	return got == 0
}

// race makes several connections read while change is made again and again.
func race(
	t *testing.T,
	s *testServer,
	dir, name string,
	cut bool,
	change func(r *raced, rng *rand.Rand, c *nfstest.Client, n uint32) error,
) {
	r := newRaced(t, dir, name)
	c, root := s.mount()
	r.h = lookup(t, c, root, name)
	const readers = 3
	clients := []*nfstest.Client{s.dial(), s.dial(), s.dial()}
	var reading atomic.Int32
	reading.Store(readers)
	together(t, readers+1, func(i int, rng *rand.Rand) error {
		if i == readers {
			for n := uint32(2); reading.Load() > 0; n++ {
				if err := change(r, rng, c, n); err != nil {
					return err
				}
				time.Sleep(100 * time.Microsecond) // readers need the processor, too
			}
			return nil
		}
		defer reading.Add(-1)
		// Make several calls at once on one connection, too.
		const depth = 3
		errs := make(chan error, depth)
		for d := range depth {
			rng := rand.New(rand.NewPCG(rng.Uint64(), uint64(d)))
			go func() {
				var err error
				for n := 0; n < 7 && err == nil; n++ {
					count := uint32(1 + rng.IntN(readMax))
					off := uint64(rng.IntN(raceSize))
					if rng.IntN(2) == 0 {
						off, count = off&^(readPage-1), (count+readPage-1)&^(readPage-1)
					}
					err = r.read(clients[i], off, count, cut)
				}
				errs <- err
			}()
		}
		var err error
		for range depth {
			if e := <-errs; err == nil {
				err = e
			}
		}
		return err
	})
	require.NoError(t, os.Remove(r.f.Name()))
}

func TestReadsOfAFileThatIsOverwrittenGiveOldOrNewBytes(t *testing.T) {
	onEveryPath(t, func(t *testing.T, s *testServer, dir string) {
		race(t, s, dir, fmt.Sprintf("overwritten-%d", s.cfg.ReadPath), false, (*raced).write)
	})
}

func TestReadsOfAFileThatIsCutAreWholeRecords(t *testing.T) {
	onEveryPath(t, func(t *testing.T, s *testServer, dir string) {
		race(
			t,
			s,
			dir,
			fmt.Sprintf("cut-%d", s.cfg.ReadPath),
			true,
			func(r *raced, rng *rand.Rand, c *nfstest.Client, n uint32) error {
				if rng.IntN(2) == 0 {
					return r.write(rng, c, n)
				}
				return r.cut(rng, c)
			},
		)
	})
}
