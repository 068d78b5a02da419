package main

import "fmt"

// table is a table of the result: ways by loads.
type table struct {
	title   string
	note    string
	columns []string
	rows    []row
}

type row struct {
	name  string
	loads []*load // one for each column
}

// place is a file system to measure on.
type place struct {
	kind string // as its users call it
	dir  string
	file string // of fileSize bytes, in the page cache
}

// named is a way and its name in the table.
type named struct{ way, name string }

var reads = []named{
	{"copy", "pread, send; one buffer"},
	{"copy-cold", "pread, send; 8 buffers in turn"},
	{"ring-copy", "ring: READ_FIXED, SEND linked"},
	{"ring-zc", "pread; ring: SEND_ZC, registered"},
	{"ring-msg-zc", "pread; ring: SENDMSG_ZC"},
	{"map-send", "send from a mapping"},
	{"ring-map-zc", "ring: SEND_ZC from a mapping"},
	{"sendfile", "sendfile(2)"},
	{"splice", "splice(2), one pipe"},
	{"splice-x16", "splice(2), 16 pipes in turn"},
	{"ring-splice", "ring: SPLICE linked, one pipe"},
	{"ring-splice-x8", "ring: SPLICE, 8 pipes"},
}

var writes = []named{
	{"copy", "recv, pwrite; one buffer"},
	{"provided-64k", "ring: multishot, 64 KiB buffers; pwritev"},
	{"inc-256k", "ring: incremental, 256 KiB buffers; pwritev"},
	{"inc-4m", "ring: incremental, 4 MiB buffers; pwrite"},
	{"splice", "splice(2), one pipe"},
	{"map", "recv into a mapping that is kept"},
	{"map-each", "mmap, recv, munmap"},
}

var growing = []named{
	{"copy", "recv, pwrite; one buffer"},
	{"map-ftruncate", "ftruncate, recv into a mapping"},
	{"map-fallocate", "fallocate, recv into a mapping"},
}

var syncing = []named{
	{"copy", "recv, pwrite; one buffer"},
	{"map", "recv into a mapping that is kept"},
	{"map-each", "mmap, recv, munmap"},
}

var scaling = []named{
	{"copy", "pread, send; one buffer"},
	{"copy-cold", "pread, send; 8 buffers in turn"},
	{"splice", "splice(2), one pipe"},
	{"splice-x16", "splice(2), 16 pipes in turn"},
	{"sendfile", "sendfile(2)"},
	{"ring-splice-x8", "ring: SPLICE, 8 pipes"},
}

// arrangements are numbers of server threads and of connections.
var arrangements = []struct {
	threads, conns int
	wholeReplies   bool
}{{1, 1, false}, {1, 4, false}, {2, 4, false}, {2, 4, true}}

// tables lists all that is measured on the given places.
func tables(places []place, fileSize int64) []*table {
	var all []*table
	for _, p := range places {
		t := &table{title: "READ, " + p.kind + ", 1 thread, 1 connection"}
		t.fill(reads, []int{4 << 10, 64 << 10, 1 << 20}, spec{Threads: 1, Conns: 1, File: p.file, FileSize: fileSize})
		all = append(all, t)
	}
	for _, p := range places {
		on := spec{Write: true, Threads: 1, Conns: 1, File: p.file, FileSize: fileSize}
		sizes := []int{64 << 10, 1 << 20}
		t := &table{title: "WRITE, " + p.kind + ", overwriting, 1 thread, 1 connection"}
		t.fill(writes, sizes, on)
		all = append(all, t)

		t = &table{title: "WRITE, " + p.kind + ", extending, 1 thread, 1 connection", note: fmt.Sprintf("From an empty file to %d MiB, again and again.", fileSize>>20)}
		grow := on
		grow.Grow = true
		grow.File = p.file + "-grown"
		t.fill(growing, sizes, grow)
		all = append(all, t)

		if p.kind == "tmpfs" {
			continue // nothing is written back there
		}
		t = &table{title: "WRITE, " + p.kind + ", overwriting, an fdatasync every 32 MiB", note: "Pages that have been written back are write-protected: a mapping takes a fault for each before it is written again."}
		sync := on
		sync.Sync = 32 << 20
		t.fill(syncing, sizes, sync)
		all = append(all, t)
	}
	if len(places) == 0 {
		return nil
	}
	for _, n := range []int{64 << 10, 1 << 20} {
		t := &table{
			title: fmt.Sprintf("READ of %s, %s, by threads and connections", size(n), places[0].kind),
			note:  "In the last column SO_RCVLOWAT lets only whole replies (of 1 MiB: halves) wake the client.",
		}
		for _, a := range arrangements {
			name := fmt.Sprintf("%d thr. %d conn.", a.threads, a.conns)
			if a.wholeReplies {
				name += " lowat"
			}
			t.columns = append(t.columns, name)
		}
		for _, w := range scaling {
			r := row{name: w.name}
			for _, a := range arrangements {
				r.loads = append(r.loads, &load{wholeReplies: a.wholeReplies, spec: spec{
					Way: w.way, Size: n, Threads: a.threads, Conns: a.conns, File: places[0].file, FileSize: fileSize,
				}})
			}
			t.rows = append(t.rows, r)
		}
		all = append(all, t)
	}
	return all
}

func (t *table) fill(ways []named, sizes []int, s spec) {
	for _, n := range sizes {
		t.columns = append(t.columns, size(n))
	}
	for _, w := range ways {
		r := row{name: w.name}
		for _, n := range sizes {
			l := &load{spec: s}
			l.Way, l.Size = w.way, n
			r.loads = append(r.loads, l)
		}
		t.rows = append(t.rows, r)
	}
}
