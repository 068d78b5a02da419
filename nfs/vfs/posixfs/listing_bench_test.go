package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// BenchmarkListing lists directories in steps of replies of 64 KiB, as READDIR and READDIRPLUS do.
// One directory has POSIXFS_ENTRIES entries (10,000 by default), the other a tenth of that. The
// time per entry should be the same. BenchmarkLane says in which directory they are.
func BenchmarkListing(b *testing.B) {
	most := 10000
	if n, err := strconv.Atoi(os.Getenv("POSIXFS_ENTRIES")); err == nil {
		most = n
	}
	for _, count := range []int{most / 10, most} {
		dir, err := os.MkdirTemp(os.Getenv("POSIXFS_BENCH_DIR"), "posixfs")
		if err != nil {
			b.Fatal(err)
		}
		for i := range count {
			fd, err := os.Create(filepath.Join(dir, fmt.Sprintf("file%07d", i)))
			if err != nil {
				b.Fatal(err)
			}
			_ = fd.Close()
		}
		fs, err := New(Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		for _, plus := range []bool{false, true} {
			b.Run(fmt.Sprintf("entries=%d/plus=%v", count, plus), func(b *testing.B) {
				runtime.LockOSThread()
				x, err := fs.View(&vfs.Thread{MayWait: true})
				if err != nil {
					b.Fatal(err)
				}
				defer x.Close()
				for b.Loop() {
					if n := listInReplies(b, x, fs.Root(), plus); n != count+2 {
						b.Fatalf("%d entries of %d", n, count+2)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/entry")
			})
		}
		_ = fs.Close()
		_ = os.RemoveAll(dir)
	}
}

// listInReplies lists a whole directory and returns how many entries it saw.
func listInReplies(b *testing.B, v vfs.View, h vfs.Handle, plus bool) (n int) {
	const reply = 64 << 10
	var cookie, verf uint64
	var d vfs.Attr
	for eof := false; !eof; {
		left := reply
		var s vfs.Status
		verf, eof, s = v.ReadDir(
			nil,
			h,
			&vfs.ReadDirArgs{
				Cookie: cookie,
				Verf:   verf,
				Want:   vfstest.Plus(plus),
				Yield: func(x *vfs.DirEntry) bool {
					size := 24 + (len(x.Name)+3)&^3 // entry3 (RFC 1813, section 3.3.16)
					if plus {
						size += 4 + 84 + 4 + 4 + 64
					}
					if left -= size; left < 0 {
						return false
					}
					n++
					cookie = x.Cookie
					return true
				},
			},
			&d,
		)
		if s != vfs.OK {
			b.Fatal(s)
		}
	}
	return n
}
