package files

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

func TestCheckAllocatesNothing(t *testing.T) {
	r := newRig(t, nil)
	defer r.end()
	f := fileOf(1)
	p, q := r.owner(v1, "one"), r.owner(v0, "two")
	id, id0 := p.open(f, Both, 0), q.open(f, Both, 0)
	l := p.locker("l")
	want(t, "LOCK", l.first(f, id, ranges.Read, 0, 10), OK)
	for _, c := range []struct {
		id Stateid
		by Caller
	}{{id, by(v1)}, {l.id, by(v1)}, {id0, by(v0)}, {Anonymous, by(v1)}} {
		if n := testing.AllocsPerRun(100, func() { r.Check(f, &c.id, c.by, Read) }); n != 0 {
			t.Errorf("Check allocates %v times", n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { r.CheckSpecial(f, &Anonymous, Read, done, Caller{Minor: 1}) }); n != 0 {
		t.Errorf("CheckSpecial allocates %v times", n)
	}
}

func TestSizesOfWhatIsHeldForEachOpen(t *testing.T) {
	if n := unsafe.Sizeof(state{}); n > 96 {
		t.Errorf("a state has %d bytes", n)
	}
	if n := unsafe.Sizeof(file{}); n > 112 {
		t.Errorf("a file has %d bytes", n)
	}
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What the table counts is what the collector says, within a fifth.
func TestMemoryIsCountedAsItIs(t *testing.T) {
	const n = 20000
	owner := func(i int) []byte { return fmt.Append(nil, "an owner as long as Linux's: ", i) }
	key := func(i int) *File {
		f := fileOf(i)
		return f
	}
	open := func(tab *Table, client uint64, f *File, owner []byte) Stateid {
		var o Opened
		a := OpenArgs{Client: client, Owner: owner, Access: Both, Recovery: done}
		if st := tab.Open(f, &a, &o); st != OK {
			t.Fatalf("OPEN: %d", st)
		}
		return o.Stateid
	}
	for _, c := range []struct {
		name string
		most int64 // bytes for each
		run  func(tab *Table, i int)
	}{
		{"opens of one owner", 260, func(tab *Table, i int) { open(tab, v1, key(i), owner(0)) }},
		{"opens of one file by owners of their own", 300, func(tab *Table, i int) {
			open(tab, v1, key(0), owner(i))
		}},
		{"opens of 4.0 with replies", 750, func(tab *Table, i int) {
			var turn Turn
			tab.BeginOpen(&turn, v0, owner(i), opOpen, 1)
			var o Opened
			a := OpenArgs{Client: v0, Turn: &turn, Access: Both, Recovery: done}
			if st := tab.Open(key(i), &a, &o); st != OK {
				t.Fatalf("OPEN: %d", st)
			}
			tab.End(&turn, OK, key(i), make([]byte, 120))
		}},
		{"ranges", 60, func(tab *Table, i int) {
			id := open(tab, v1, key(i/1000), owner(0))
			a := LockArgs{Target: Target{key(i / 1000), id, by(v1), nil}, New: true, Owner: owner(0),
				Kind: ranges.Read, Offset: uint64(i%1000) * 2, Length: 1, Recovery: done}
			if _, st := tab.Lock(&a, new(Lock)); st != OK {
				t.Fatalf("LOCK: %d", st)
			}
		}},
	} {
		tab := quiet(nil)
		before := heap()
		for i := range n {
			c.run(tab, i)
		}
		real, counted := (heap()-before)/n, tab.Counts().Bytes/n
		t.Logf("%s: %d bytes each, counted %d", c.name, real, counted)
		if real > c.most || counted < real*4/5 || counted > real*5/4+2 {
			t.Errorf("%s: %d bytes each, counted %d", c.name, real, counted)
		}
		atRest(t, tab)
	}
}

func benchTable(b *testing.B, n int) (*Table, []File, []Stateid) {
	tab := quiet(nil)
	files := make([]File, n)
	ids := make([]Stateid, n)
	for i := range n {
		files[i] = *fileOf(i)
		var o Opened
		a := OpenArgs{Client: v1, Owner: []byte("one"), Access: Both, Recovery: done}
		if st := tab.Open(&files[i], &a, &o); st != OK {
			b.Fatal(st)
		}
		ids[i] = o.Stateid
	}
	return tab, files, ids
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1, 4096} {
		b.Run(fmt.Sprint(n, " opens"), func(b *testing.B) {
			tab, files, ids := benchTable(b, n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 1) & (n - 1)
				if _, st := tab.Check(&files[i], &ids[i], Caller{Client: v1, Minor: 1}, Read); st != OK {
					b.Fatal(st)
				}
			}
		})
	}
}

func BenchmarkCheckParallel(b *testing.B) {
	tab, files, ids := benchTable(b, 4096)
	b.RunParallel(func(pb *testing.PB) {
		i := 0
		for pb.Next() {
			i = (i + 1) & 4095
			if _, st := tab.Check(&files[i], &ids[i], Caller{Client: v1, Minor: 1}, Read); st != OK {
				b.Error(st)
			}
		}
	})
}

func BenchmarkOpenClose(b *testing.B) {
	tab, _, _ := benchTable(b, 4096)
	f := fileOf(1 << 20)
	a := OpenArgs{Client: v1, Owner: []byte("one"), Access: Both, Recovery: done}
	b.ReportAllocs()
	for b.Loop() {
		var o Opened
		if st := tab.Open(f, &a, &o); st != OK {
			b.Fatal(st)
		}
		if _, st := tab.Close(&Target{f, o.Stateid, Caller{Client: v1, Minor: 1}, nil}); st != OK {
			b.Fatal(st)
		}
	}
}

func BenchmarkLockUnlock(b *testing.B) {
	tab, files, ids := benchTable(b, 1)
	var held Lock
	a := LockArgs{Target: Target{&files[0], ids[0], Caller{Client: v1, Minor: 1}, nil}, New: true, Owner: []byte("l"),
		Kind: ranges.Write, Length: 10, Recovery: done}
	id, st := tab.Lock(&a, &held)
	if st != OK {
		b.Fatal(st)
	}
	a.New, a.Owner = false, nil
	b.ReportAllocs()
	for b.Loop() {
		a.Stateid = id
		if id, st = tab.Lock(&a, &held); st != OK {
			b.Fatal(st)
		}
		if id, st = tab.LockU(&Target{&files[0], id, a.By, nil}, 0, 10); st != OK {
			b.Fatal(st)
		}
	}
}

// A file that has many opens, and an owner with many: each OPEN looks through the shorter list.
func BenchmarkOpenOfAPopularFile(b *testing.B) {
	tab, files, _ := benchTable(b, 4096)
	var name [8]byte
	for i := range 4096 {
		binary.BigEndian.PutUint64(name[:], uint64(i))
		a := OpenArgs{Client: w1, Owner: name[:], Access: Read, Recovery: done}
		tab.Open(&files[0], &a, new(Opened))
	}
	binary.BigEndian.PutUint64(name[:], 5)
	a := OpenArgs{Client: w1, Owner: name[:], Access: Read, Recovery: done}
	var o Opened
	b.ReportAllocs()
	for b.Loop() {
		if st := tab.Open(&files[0], &a, &o); st != OK {
			b.Fatal(st)
		}
	}
}
