package posixfs

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// benchThread runs functions on a thread of its own, as Views need it. A benchmark's own goroutine
// will not do: each part of the benchmark gets another goroutine, which may run on any thread.
type benchThread chan func()

func newBenchThread() benchThread {
	t := make(benchThread)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range t {
			f()
		}
	}()
	return t
}

// do runs f and returns when f has ended. f does not end the benchmark.
func (t benchThread) do(f func()) {
	done := make(chan struct{})
	t <- func() { defer close(done); f() }
	<-done
}

// BenchmarkLane measures what a lane spends on calls that it answers itself. POSIXFS_BENCH_DIR is
// the directory; the default lies on the temporary directory's file system.
func BenchmarkLane(b *testing.B) {
	base := os.Getenv("POSIXFS_BENCH_DIR")
	dir, err := os.MkdirTemp(base, "posixfs")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 1<<20), 0o666); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	fs, err := New(Config{Dir: dir, Writes: WriteInline})
	if err != nil {
		b.Fatal(err)
	}
	at := fs.data.Pace.Clock()
	fs.data.Pace.Clock = func() int64 { return at } // no other program holds a write up
	thread := newBenchThread()
	defer close(thread)
	wt, lt := &vfs.Thread{MayWait: true}, &vfs.Thread{}
	var w, v *View
	thread.do(func() {
		var x, y vfs.View
		if x, err = fs.View(wt); err == nil {
			// Both Views share this thread, so they must share its Rights.
			y, err = fs.View(lt)
		}
		if err == nil {
			w, v = x.(*View), y.(*View)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	v.th.Creds = wt.Creds
	c, c2 := wt.Creds.Intern(0, 0, nil), wt.Creds.Intern(1000, 1000, []uint32{4})
	var e vfs.Entry
	var a vfs.Attr
	buf := make([]byte, 1<<20)
	var wcc vfs.WCC
	src := [][]byte{buf[:4096]}
	big := [][]byte{buf}
	root, name := fs.Root(), []byte("f")
	var h vfs.Handle
	thread.do(func() {
		w.Lookup(c, root, name, &vfs.Found{Entry: &e, Dir: &a})
		h = e.Handle
		for _, c := range []*vfs.Cred{c, c2} {
			w.Access(c, h, vfs.MayRead, &a)
			w.Access(c, root, vfs.MayExec, &a)
		}
		w.Write(c, h, &vfs.WriteArgs{Src: big, How: vfs.Unstable}, &wcc)
		time.Sleep(
			20 * time.Millisecond,
		) // ticks of the kernel's clock, so that the access time is the later one
		w.Read(c, h, &vfs.ReadArgs{Dst: buf}, &a)
		w.as(nil)
	})
	run := func(name string, f func() vfs.Status) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := vfs.OK
			thread.do(func() {
				for b.Loop() && s == vfs.OK {
					s = f()
				}
			})
			if s != vfs.OK {
				b.Fatal(s)
			}
		})
	}
	run("GetAttr", func() vfs.Status { return v.GetAttr(h, &a) })
	run("Access", func() vfs.Status { _, s := v.Access(c2, h, 7, &a); return s })
	run("Lookup", func() vfs.Status {
		s := v.Lookup(c2, root, name, &vfs.Found{Entry: &e, Dir: &a})
		for s == vfs.Again { // somebody on this machine renames or mounts something
			s = v.Lookup(c2, root, name, &vfs.Found{Entry: &e, Dir: &a})
		}
		return s
	})
	run(
		"Read4K",
		func() vfs.Status { _, _, s := v.Read(c2, h, &vfs.ReadArgs{Off: 0, Dst: buf[:4096]}, &a); return s },
	)
	run(
		"Read1M",
		func() vfs.Status { _, _, s := v.Read(c2, h, &vfs.ReadArgs{Off: 0, Dst: buf}, &a); return s },
	)
	run("Write4K", func() vfs.Status {
		_, _, _, s := v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: src, How: vfs.Unstable}, &wcc)
		return s
	})
	run("Write1M", func() vfs.Status {
		_, _, _, s := v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: big, How: vfs.Unstable}, &wcc)
		return s
	})
	two := false
	run("AccessOfTwoUsersInTurn", func() vfs.Status {
		two = !two
		if two {
			_, s := v.Access(c, h, 7, &a)
			return s
		}
		_, s := v.Access(c2, h, 7, &a)
		return s
	})
	thread.do(func() {
		v.Close()
		w.rights.Cred = v.rights.Cred
		w.Close()
	})
	_ = fs.Close()
}
