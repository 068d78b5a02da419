package posixfs

import (
	"encoding/binary"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// BenchmarkCollector measures what the garbage collector spends for each CREATE with its REMOVE
// while the FS has many objects open, with as many Views as a server has. POSIXFS_BENCH_DIR is as
// for BenchmarkLane; tmpfs is best. ns-mark/op is the processor time of marking, cycles/Mop how
// often it runs.
func BenchmarkCollector(b *testing.B) {
	for _, n := range []int{1000, 50_000, 500_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchCollector(b, n) })
	}
}

func benchCollector(b *testing.B, n int) {
	dir, err := os.MkdirTemp(os.Getenv("POSIXFS_BENCH_DIR"), "posixfs")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fs, err := newFS(Config{Dir: dir, FDMax: n + 500}, options{period: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	var threads []benchThread
	var views []*View
	for i := range 35 {
		t := newBenchThread()
		threads = append(threads, t)
		t.do(func() {
			var v vfs.View
			if v, err = fs.View(&vfs.Thread{MayWait: i >= 3}); err == nil {
				views = append(views, v.(*View))
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	v, t := views[3], threads[3]
	c := v.th.Creds.Intern(0, 0, nil)
	root := fs.Root()
	var name [16]byte
	set := &vfs.SetAttr{HasMode: true, Mode: 0o644}
	s := vfs.OK
	t.do(func() { // objects that are open in name only: there are not so many descriptors
		for i := range n {
			h, _ := vfs.MakeHandle(binary.NativeEndian.AppendUint64([]byte("benchmark"), uint64(i)))
			key := kernel.ObjectKey{Ino: 1<<63 | uint64(i)}
			v.learn(fs.tab.Add(startEntry(h, key, unix.S_IFREG, 0, -1), &v.use, useChild))
		}
		v.done()
	})
	idle := make([]byte, 32<<20) // as ringnfs serve lets the heap grow
	var e vfs.Entry
	var m vfs.WCC
	args := vfs.CreateArgs{How: vfs.Unchecked, Set: set}
	made := vfs.Made{Entry: &e, Dir: &m}
	runtime.GC()
	was := collection()
	b.ReportAllocs()
	t.do(func() {
		for i := 0; b.Loop() && s == vfs.OK; i++ {
			if i%10_000 == 0 { // as the janitor does
				fs.restWriters()
				fs.restWriters()
			}
			args.Name = append(name[:0], "name0000"...)
			args.Name[4] += byte(i % 10)
			if s = v.Create(c, root, &args, &made); s == vfs.OK {
				s = v.Remove(c, root, args.Name, &m)
			}
		}
	})
	now := collection()
	runtime.KeepAlive(idle)
	if s != vfs.OK {
		b.Fatal(s)
	}
	b.ReportMetric((now.mark-was.mark)*1e9/float64(b.N), "ns-mark/op")
	b.ReportMetric((now.cycles-was.cycles)*1e6/float64(b.N), "cycles/Mop")
	for i, t := range threads {
		t.do(views[i].Close)
		close(t)
	}
	fs.tab.RetireAll()
	free, _ := fs.tab.Reap(waits)
	for _, e := range free {
		fs.tab.Gone(e)
		fs.tab.Closed(e.FDs())
	}
	if err := fs.Close(); err != nil {
		b.Fatal(err)
	}
}

// collected is what the garbage collector has done since the start of the process.
type collected struct{ mark, cycles float64 }

func collection() collected {
	list := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(list)
	c := collected{cycles: float64(list[3].Value.Uint64())}
	for _, x := range list[:3] {
		c.mark += x.Value.Float64()
	}
	return c
}
