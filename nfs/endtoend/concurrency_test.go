package endtoend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

// modelFile is one file of the model. Its worker orders the calls that touch it: a change is alone,
// reads are together.
type modelFile struct {
	name    string
	h       fh
	exists  bool
	data    []byte
	reading int
	busy    bool // a change is under way
}

const (
	modelFiles = 160
	modelBlock = 3000 // not a multiple of anything
	modelMax   = 24 * modelBlock
	depth      = 64
)

// worker drives one connection with up to depth calls under way, and checks each answer against the
// model of its own directory.
type worker struct {
	c     *nfstest.Client
	dir   fh
	rnd   *rand.Rand
	files []*modelFile
	stamp uint64
}

// step is a call under way and what to do with its answer.
type step struct {
	p    *nfstest.Pending
	done func() error
}

func (w *worker) run(calls int) error {
	var window []step
	for made := 0; made < calls; {
		s, begun := w.begin()
		if begun {
			made++
			window = append(window, s)
		}
		if len(window) == depth || !begun && len(window) > depth/2 {
			if err := window[0].done(); err != nil {
				return err
			}
			window = window[1:]
		}
	}
	for _, s := range window {
		if err := s.done(); err != nil {
			return err
		}
	}
	return w.finish()
}

// begin makes a call on some file that is free for it.
func (w *worker) begin() (step, bool) {
	f := w.files[w.rnd.IntN(len(w.files))]
	if f.busy {
		return step{}, false
	}
	if !f.exists {
		if f.reading > 0 {
			return step{}, false
		}
		return w.create(f), true
	}
	switch n := w.rnd.IntN(20); {
	case n < 9:
		return w.read(f), true
	case n < 13:
		return w.getattr(f), true
	case f.reading > 0:
		return step{}, false
	case n < 19:
		return w.write(f), true
	default:
		return w.remove(f), true
	}
}

func (w *worker) create(f *modelFile) step {
	f.busy = true
	args := &nfs3.CREATE3args{
		Where: nfstest.At(w.dir, f.name),
		How:   nfs3.Createhow3{Mode: nfs3.GUARDED, ObjAttributes: nfstest.Mode(0o600)},
	}
	p := w.c.Start(nfs3.NFSPROC3_CREATE, args)
	return step{p, func() error {
		var res nfs3.CREATE3res
		if err := p.TryInto(&res); err != nil {
			return err
		}
		if res.Status != nfs3.NFS3_OK {
			return wrongf("CREATE %s: %v", f.name, res.Status)
		}
		f.busy, f.exists, f.h, f.data = false, true, res.Resok.Obj.Handle, nil
		return nil
	}}
}

func (w *worker) remove(f *modelFile) step {
	f.busy = true
	p := w.c.Start(nfs3.NFSPROC3_REMOVE, &nfs3.REMOVE3args{Object: nfstest.At(w.dir, f.name)})
	return step{p, func() error {
		var res nfs3.REMOVE3res
		if err := p.TryInto(&res); err != nil {
			return err
		}
		if res.Status != nfs3.NFS3_OK {
			return wrongf("REMOVE %s: %v", f.name, res.Status)
		}
		f.busy, f.exists = false, false
		return nil
	}}
}

func (w *worker) write(f *modelFile) step {
	f.busy = true
	off := w.rnd.IntN(modelMax - modelBlock)
	data := make([]byte, 1+w.rnd.IntN(modelBlock))
	w.stamp++
	for i := range data {
		data[i] = byte(w.stamp>>(8*(i&3))) ^ byte(i)
	}
	p := w.c.Start(
		nfs3.NFSPROC3_WRITE,
		nfstest.WriteArgs(f.h, uint64(off), data, nfs3.StableHow(w.rnd.IntN(8)/7*2)),
	)
	return step{p, func() error {
		var res nfs3.WRITE3res
		if err := p.TryInto(&res); err != nil {
			return err
		}
		if res.Status != nfs3.NFS3_OK || int(res.Resok.Count) != len(data) {
			return wrongf("WRITE %s: %v, %d of %d bytes", f.name, res.Status, res.Resok.Count, len(data))
		}
		if n := off + len(data); n > len(f.data) {
			f.data = append(f.data, make([]byte, n-len(f.data))...)
		}
		copy(f.data[off:], data)
		if a := res.Resok.FileWcc.After; a.AttributesFollow && int(a.Attributes.Size) != len(f.data) {
			return wrongf("WRITE %s: size %d, not %d", f.name, a.Attributes.Size, len(f.data))
		}
		f.busy = false
		return nil
	}}
}

func (w *worker) read(f *modelFile) step {
	f.reading++
	off, count := w.rnd.IntN(modelMax), w.rnd.IntN(modelMax)
	p := w.c.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(f.h, uint64(off), uint32(count)))
	return step{p, func() error {
		var res nfs3.READ3res
		if err := p.TryInto(&res); err != nil {
			return err
		}
		f.reading--
		want := f.data[min(off, len(f.data)):min(off+count, len(f.data))]
		if res.Status != nfs3.NFS3_OK || !bytes.Equal(res.Resok.Data, want) {
			return wrongf(
				"READ %s: %v, %d bytes at %d, not the %d that were written",
				f.name,
				res.Status,
				res.Resok.Count,
				off,
				len(want),
			)
		}
		return nil
	}}
}

func (w *worker) getattr(f *modelFile) step {
	f.reading++
	p := w.c.Start(nfs3.NFSPROC3_GETATTR, &nfs3.GETATTR3args{Object: f.h})
	return step{p, func() error {
		var res nfs3.GETATTR3res
		if err := p.TryInto(&res); err != nil {
			return err
		}
		f.reading--
		if a := res.Resok.ObjAttributes; res.Status != nfs3.NFS3_OK || int(a.Size) != len(f.data) ||
			a.Mode != 0o600 {
			return wrongf("GETATTR %s: %v, %+v", f.name, res.Status, a)
		}
		return nil
	}}
}

// finish compares the directory with the model.
func (w *worker) finish() error {
	have := make(map[string]bool)
	for _, name := range w.c.Names(w.dir) {
		have[name] = true
	}
	for _, f := range w.files {
		if have[f.name] != f.exists {
			return wrongf("%s exists: %v, expected %v", f.name, have[f.name], f.exists)
		}
		delete(have, f.name)
	}
	if len(have) > 0 {
		return wrongf("unexpected files %v", have)
	}
	return nil
}

func TestManyCallsOfManyConnectionsAgreeWithAModel(t *testing.T) {
	s, dir := serveDir(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c, root := s.mount()
	const conns = 4
	calls := 6000
	if again.Now() {
		calls = 2000
	}
	var wg sync.WaitGroup
	workers, errs := make([]*worker, conns), make([]error, conns)
	for i := range conns {
		name := fmt.Sprint("worker", i)
		w := &worker{
			c:     s.dial(),
			dir:   mkdir(t, c, root, name, 0o755),
			rnd:   rand.New(rand.NewPCG(seed, uint64(i))),
			stamp: uint64(i) << 20,
		}
		for n := range modelFiles {
			w.files = append(w.files, &modelFile{name: fmt.Sprint("file", n)})
		}
		workers[i] = w
		wg.Go(func() { errs[i] = w.run(calls) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	for i, w := range workers {
		for _, f := range w.files {
			if !f.exists {
				continue
			}
			got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("worker", i), f.name))
			require.NoError(t, err)
			require.True(t, bytes.Equal(f.data, got), "%d %s", i, f.name)
		}
	}
}

// Connections are reset with READs in flight, in the middle of a WRITE and with replies unread, and
// new ones take their place. The other connections and the new ones get their own bytes and no
// others.
func TestResetsLeaveOtherConnectionsAlone(t *testing.T) {
	s, _ := serveDir(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c, root := s.mount()
	const size = 256 << 10
	fill := func(mark byte) []byte { return bytes.Repeat([]byte{mark}, size) }
	files := make(map[byte]fh)
	for _, mark := range []byte{'a', 'b', 'c'} {
		files[mark] = put(t, c, root, "file"+string(rune(mark)), fill(mark))
	}
	victim := put(t, c, root, "victim", fill('v'))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i, mark := range []byte{'a', 'b', 'c'} {
		steady := s.dial()
		want := fill(mark)
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var window []*nfstest.Pending
				for range 8 {
					window = append(
						window,
						steady.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(files[mark], 0, size)),
					)
				}
				for _, p := range window {
					var res nfs3.READ3res
					if errs[i] = p.TryInto(&res); errs[i] == nil && !bytes.Equal(res.Resok.Data, want) {
						errs[i] = wrongf("round %d of %c: other bytes than its own", n, mark)
					}
					if errs[i] != nil {
						return
					}
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		doomed := s.dial()
		for range 16 {
			doomed.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(victim, 0, size))
		}
		if rnd.IntN(2) == 0 {
			write := nfstest.Bytes(t, nfstest.WriteArgs(victim, 0, fill('v'), nfs3.UNSTABLE))
			head := binary.BigEndian.AppendUint32(nil, 1<<31|uint32(len(write)))
			_ = doomed.Send(append(head, write[:rnd.IntN(len(write))]...)) // it may be gone already
		}
		doomed.Reset()
		fresh := s.dial()
		res := fresh.Read(files['a'], 0, size)
		ok(t, res.Status)
		require.True(t, bytes.Equal(res.Resok.Data, fill('a')))
		fresh.Close()
	}
	close(stop)
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.True(t, bytes.Equal(fill('v'), c.Read(victim, 0, size).Resok.Data))
}

func TestNothingIsLeftOf200Connections(t *testing.T) {
	s, _ := serveFaulty(t) // in memory: no file is kept open
	c, root := s.mount()
	f := put(t, c, root, "file", bytes.Repeat([]byte("x"), 64<<10))
	open, goroutines := len(descriptors(t)), runtime.NumGoroutine()
	round := func(i int) {
		x := s.dial()
		x.Null()
		for range i % 4 {
			x.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(f, 0, 64<<10))
		}
		if i%3 == 0 {
			x.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(root, fmt.Sprint("dir", i))})
		}
		if i%2 == 0 {
			x.Reset()
		} else {
			x.Close()
		}
	}
	for i := range 200 {
		round(i)
	}
	// The server's side of a connection ends a little after the client's.
	eventually(t, func() bool { return len(descriptors(t)) <= open }, "descriptors")
	eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines }, "goroutines")
	c.Null()
}
