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
// for BenchmarkLane; tmpfs is best. ns-collector/op is the processor time of one collection times how
// often one runs.
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
			h, _ := vfs.MakeHandle(binary.NativeEndian.AppendUint64([]byte("benchmark"),
				uint64(i)))
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
	before := cycles()
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
	ran := float64(cycles()-before) / float64(b.N)
	each := collection()
	runtime.KeepAlive(idle)
	if s != vfs.OK {
		b.Fatal(s)
	}
	b.ReportMetric(each.Seconds()*1e3, "ms/collection")
	b.ReportMetric(ran*1e6, "collections/Mop")
	b.ReportMetric(ran*float64(each), "ns-collector/op")
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

// cycles returns how often the garbage collector has run.
func cycles() uint64 {
	list := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(list)
	return list[0].Value.Uint64()
}

// collection returns the processor time of a run of the garbage collector.
func collection() time.Duration {
	used := func() time.Duration {
		var r unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	least := time.Hour
	for range 5 {
		before := used()
		runtime.GC()
		least = min(least, used()-before)
	}
	return least
}
