package endtoend

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/fusetest"
)

// crasher makes changes, one after the other, of objects of its own, in directories that it shares
// with others. It knows what has been acknowledged.
type crasher struct {
	name   string
	c      *nfstest.Client
	chance *rand.Rand
	dirs   []crashDir
	made   int

	known crashed
}

// crashDir is a shared directory.
type crashDir struct {
	name string
	fh   fh
}

// crashed is what a crasher knows: its objects, as they were acknowledged, and the change under way.
type crashed struct {
	objects []crashObject
	gone    []string    // paths that nothing has any more, the last ones
	change  crashObject // how an object will be; it may have been made, or not
	changes int         // which of objects that is; -1 for a new one
	removes bool        // the change is that it goes
}

// crashObject is an object with all that the check looks at.
type crashObject struct {
	dir   int
	name  string
	fh    fh
	isDir bool
	mode  uint32
	data  string
	link  string // target; "" for no link
}

// mostObjects is how many objects a crasher has at a time.
const mostObjects = 6

// next decides what to do: it sets the change, and returns the call.
func (x *crasher) next() (proc uint32, args nfstest.Encoder) {
	k := &x.known
	n := -1
	if len(k.objects) > 0 && (len(k.objects) >= mostObjects || x.chance.IntN(3) > 0) {
		n = x.chance.IntN(len(k.objects))
	}
	k.changes, k.removes = n, false
	if n < 0 {
		return x.makes()
	}
	k.change = k.objects[n]
	o := &k.change
	at := nfstest.At(x.dirs[o.dir].fh, o.name)
	switch what := x.chance.IntN(8); {
	case what < 2:
		k.removes = true
		if o.isDir {
			return nfs3.NFSPROC3_RMDIR, &nfs3.RMDIR3args{Object: at}
		}
		return nfs3.NFSPROC3_REMOVE, &nfs3.REMOVE3args{Object: at}
	case what < 4 || o.link != "":
		o.dir, o.name = x.place()
		return nfs3.NFSPROC3_RENAME, &nfs3.RENAME3args{From: at,
			To: nfstest.At(x.dirs[o.dir].fh, o.name)}
	case what < 5 || o.isDir:
		o.mode = 0o700 | uint32(x.chance.IntN(0o100))
		return nfs3.NFSPROC3_SETATTR, &nfs3.SETATTR3args{Object: o.fh,
			NewAttributes: nfstest.Mode(o.mode)}
	case what < 6 && o.data != "":
		o.data = o.data[:x.chance.IntN(len(o.data))]
		return nfs3.NFSPROC3_SETATTR, &nfs3.SETATTR3args{Object: o.fh,
			NewAttributes: nfstest.Size(uint64(len(o.data)))}
	default:
		b := bytes.Repeat(fmt.Appendf(nil, "%s %d.", x.name, x.made), 1+x.chance.IntN(500))
		x.made++
		if len(b) < len(o.data) {
			o.data = string(b) + o.data[len(b):]
		} else {
			o.data = string(b)
		}
		how := nfs3.FILE_SYNC
		if x.chance.IntN(4) == 0 {
			how = nfs3.DATA_SYNC
		}
		return nfs3.NFSPROC3_WRITE, nfstest.WriteArgs(o.fh, 0, b, how)
	}
}

// place returns a name that nothing has had.
func (x *crasher) place() (dir int, name string) {
	x.made++
	return x.chance.IntN(len(x.dirs)), fmt.Sprintf("%s.%d", x.name, x.made)
}

// makes is next for a new object.
func (x *crasher) makes() (proc uint32, args nfstest.Encoder) {
	o := &x.known.change
	*o = crashObject{mode: 0o700 | uint32(x.chance.IntN(0o100))}
	o.dir, o.name = x.place()
	at, set := nfstest.At(x.dirs[o.dir].fh, o.name), nfstest.Mode(o.mode)
	switch what := x.chance.IntN(10); {
	case what < 5:
		return nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{Where: at,
			How: nfs3.Createhow3{Mode: nfs3.GUARDED, ObjAttributes: set}}
	case what < 6: // the file itself is flushed, too
		set.Uid = nfs3.SetUid3{SetIt: true, Uid: 0}
		set.Gid = nfs3.SetGid3{SetIt: true, Gid: 7}
		return nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{Where: at,
			How: nfs3.Createhow3{Mode: nfs3.UNCHECKED, ObjAttributes: set}}
	case what < 9:
		o.isDir = true
		return nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: at, Attributes: set}
	default:
		o.link = "target of " + o.name
		return nfs3.NFSPROC3_SYMLINK, &nfs3.SYMLINK3args{Where: at,
			Symlink: nfs3.Symlinkdata3{SymlinkData: []byte(o.link)}}
	}
}

// acknowledged notes that the change was made.
func (x *crasher) acknowledged(made fh) {
	k := &x.known
	o := k.change
	if k.changes < 0 {
		o.fh = made
		k.objects = append(k.objects, o)
		return
	}
	was := &k.objects[k.changes]
	if k.removes || was.dir != o.dir || was.name != o.name {
		k.gone = append(k.gone, filepath.Join(x.dirs[was.dir].name, was.name))
	}
	if *was = o; k.removes {
		k.objects = append(k.objects[:k.changes], k.objects[k.changes+1:]...)
	}
}

// run makes changes until the server goes. Each change is acknowledged with now held for reading.
func (x *crasher) run(now *sync.RWMutex, acks *atomic.Int64) error {
	begin := func() *nfstest.Pending {
		now.RLock()
		defer now.RUnlock()
		proc, args := x.next()
		return x.c.Start(proc, args)
	}
	for {
		p := begin()
		r, err := p.Wait()
		if errors.Is(err, nfstest.ErrNoReply) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(r.Results) < 4 || !bytes.Equal(r.Results[:4], []byte{0, 0, 0, 0}) {
			return wrongf("%s: a change of %s gets %v", x.name, x.known.change.name, r)
		}
		var made nfs3.CREATE3res // as for MKDIR and SYMLINK
		if x.known.changes < 0 {
			if err := nfstest.Decode(r.Results, &made); err != nil {
				return err
			}
		}
		now.RLock()
		x.acknowledged(made.Resok.Obj.Handle)
		now.RUnlock()
		acks.Add(1)
	}
}

// snapshot returns a copy of what is known.
func (k *crashed) snapshot() crashed {
	c := *k
	c.objects = append([]crashObject(nil), k.objects...)
	c.gone = append([]string(nil), k.gone...)
	return c
}

// check says what of that is not in the directory root.
func (k *crashed) check(root string, dirs []crashDir) error {
	for i := range k.objects {
		o := &k.objects[i]
		err := o.check(root, dirs, true)
		if i == k.changes && err != nil {
			if k.removes && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err = k.change.check(root, dirs, true); err != nil {
				// The change may have been made in part: one of the places has it, at least.
				err = o.check(root, dirs, false)
				if err != nil {
					err = k.change.check(root, dirs, false)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("%w (of %s; under way: %s)", err, o.name, k.change.name)
		}
	}
	for _, path := range k.gone {
		if _, err := os.Lstat(filepath.Join(root, path)); !errors.Is(err, fs.ErrNotExist) {
			return wrongf("%s is back: %v", path, err)
		}
	}
	return nil
}

// check says how o differs from what is there. Without exactly only its kind counts.
func (o *crashObject) check(root string, dirs []crashDir, exactly bool) error {
	path := filepath.Join(root, dirs[o.dir].name, o.name)
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	kind := fs.FileMode(0)
	switch {
	case o.isDir:
		kind = fs.ModeDir
	case o.link != "":
		kind = fs.ModeSymlink
	}
	if st.Mode().Type() != kind {
		return wrongf("%s is a %v", path, st.Mode())
	}
	if !exactly {
		return nil
	}
	if o.link != "" {
		if to, err := os.Readlink(path); err != nil || to != o.link {
			return wrongf("%s leads to %q: %v", path, to, err)
		}
		return nil
	}
	if uint32(st.Mode().Perm()) != o.mode {
		return wrongf("%s has mode %o, not %o", path, st.Mode().Perm(), o.mode)
	}
	if o.isDir {
		return nil
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != o.data {
		return wrongf("%s has %d bytes %.20q, not %d bytes %.20q: %v", path, len(data), data,
			len(o.data), o.data, err)
	}
	return nil
}

// power is a moment at which the power fails: what had been acknowledged, and what the disc had.
type power struct {
	known []crashed
	image *fusetest.Image
	kept  float64
}

// crashes is how many crashes of each file system a test tries, few unless the environment says
// otherwise.
func crashes(t *testing.T, few int) int {
	n, err := strconv.Atoi(os.Getenv("RINGNFS_CRASHES"))
	if err != nil {
		return few
	}
	return n
}

// Changes of shared directories are made in batches, flushed together and acknowledged. None that was
// acknowledged is lost, whether the server is killed or the disc loses what it has not flushed.
func TestACrashLosesNoChangeThatWasAcknowledged(t *testing.T) {
	needRoot(t)
	needRing(t)
	const crashers, conns, powersMax = 64, 4, 10
	few := 4
	if again.Now() {
		few = 1
	}
	exe := buildProgram(t)
	for _, kind := range fileSystems {
		if kind.mkfs == nil {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			noLeaks(t)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			chance := rand.New(rand.NewPCG(seed, 0))
			for left := crashes(t, few); left > 0; {
				powers := min(powersMax, max(1, left-1))
				crashRound(t, exe, kind, chance, crashers, conns, powers)
				left -= powers + 1
			}
		})
	}
}

// crashRound makes a file system, lets the power fail so many times, kills the server, and checks all.
func crashRound(t *testing.T, exe string, kind fileSystem, chance *rand.Rand, crashers, conns, powers int) {
	t.Helper()
	base := memoryDir(t)
	for _, dir := range []string{"disc", "mnt", "after"} {
		require.NoError(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	disc := fusetest.NewDisc(t, filepath.Join(base, "disc"), 400<<20)
	disktest.UnmountAtEnd(t, filepath.Join(base, "disc"))
	require.NoError(t, disktest.MakeFS(kind.mkfs[0],
		append(kind.mkfs[1:len(kind.mkfs):len(kind.mkfs)], disc.Path)...))
	at := filepath.Join(base, "mnt")
	unmount := loopMounted(t, disc.Path, at)
	state, addr := keyDir(t), freeAddr(t)
	p := startProcess(t, exe, addr, state, at)
	first := nfstest.Dial(t, addr)
	root := mnt(t, first, at)
	var dirs []crashDir
	for i := range 4 {
		name := fmt.Sprint("shared", i)
		dirs = append(dirs, crashDir{name, mkdir(t, first, root, name, 0o777)})
	}
	var now sync.RWMutex
	var acks atomic.Int64
	var all []*crasher
	var clients []*nfstest.Client
	for range conns {
		clients = append(clients, nfstest.Dial(t, addr))
	}
	failed := make(chan error, crashers)
	var running sync.WaitGroup
	for i := range crashers {
		x := &crasher{name: fmt.Sprint("c", i), c: clients[i%conns], dirs: dirs,
			chance: rand.New(rand.NewPCG(chance.Uint64(), 0))}
		all = append(all, x)
		running.Go(func() {
			if err := x.run(&now, &acks); err != nil {
				failed <- err
			}
		})
	}
	moment := func() { // some changes later
		for until := acks.Load() + 50 + chance.Int64N(400); acks.Load() < until; {
			select {
			case err := <-failed:
				require.NoError(t, err)
			case <-p.ended:
				t.Fatal("the server has ended")
			default:
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil)
			}
		}
	}
	known := func() (list []crashed) {
		for _, x := range all {
			list = append(list, x.known.snapshot())
		}
		return list
	}
	var fails []power
	for range powers {
		moment()
		kept := []float64{0, 0.5, 0.9}[chance.IntN(3)]
		now.Lock()
		fails = append(fails, power{known(), disc.Fail(chance, kept), kept})
		now.Unlock()
	}
	moment()
	require.NoError(t, p.cmd.Process.Kill())
	<-p.ended
	for _, c := range append(clients, first) {
		<-c.Done()
	}
	running.Wait()
	select {
	case err := <-failed:
		require.NoError(t, err)
	default:
	}
	check := func(known []crashed, root, what string) {
		for i := range known {
			require.NoError(t, known[i].check(root, dirs), "%s, crasher %d", what, i)
		}
	}
	check(known(), at, "killed")
	p = startProcess(t, exe, addr, state, at) // and the handles are good
	anew := nfstest.Dial(t, addr)
	for _, x := range all {
		for i, o := range x.known.objects {
			if i != x.known.changes {
				ok(t, anew.Getattr(o.fh).Status)
			}
		}
	}
	require.NoError(t, p.cmd.Process.Kill())
	<-p.ended
	<-anew.Done()
	t.Logf("%d changes, %d flushes of the disc", acks.Load(), disc.Flushes())
	unmount()
	for i, f := range fails {
		image, after := filepath.Join(base, "image"), filepath.Join(base, "after")
		require.NoError(t, f.image.Write(image))
		unmount := loopMounted(t, image, after)
		check(f.known, after, fmt.Sprintf("power failure %d, %.1f of the unflushed kept", i, f.kept))
		unmount()
	}
}

// loopMounted mounts an image.
func loopMounted(t *testing.T, image, at string) (unmount func()) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Fatalf("needs loop devices and this kind of file system: %v: %s", err, out)
	}
	return disktest.UnmountAtEnd(t, at)
}
