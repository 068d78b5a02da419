package vfstest

import (
	"bytes"
	"math"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var fileTests = []testCase{
	{"READ gives what WRITE was given", readGivesWhatWasWritten},
	{"READ at every edge of the file tells its end", readEdges},
	{"READ far beyond the end is the end", readFarBeyond},
	{"READ of nothing", readNothing},
	{"READ of holes is zeroes", readHoles},
	{"READ of what is no file", readOthers},
	{"WRITE takes its data in pieces", writeSegments},
	{"WRITE of nothing", writeNothing},
	{"WRITE of one MiB and of four", writeLarge},
	{"WRITE reaches the stability that was asked for", writeStability},
	{"WRITE around 2^63 is refused or short", writeHugeOffset},
	{"WRITE of what is no file", writeOthers},
	{"WRITE changes mtime and size", writeChangesTimes},
	{"COMMIT of any range", commitRanges},
	{"COMMIT of what is no file", commitOthers},
	{"the verifier stays while nothing fails", verifierStays},
	{"READLINK gives the bytes of the target", readLinkTargets},
	{"READLINK of what is no link", readLinkOthers},
}

// pattern returns n bytes that depend on their position and on seed.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + seed*31)
	}
	return b
}

func readGivesWhatWasWritten(t *T) {
	h := t.create(t.Root, "f", 0o644)
	data := pattern(3*4096+17, 3)
	t.write(h, 0, data)
	require.EqualValues(t, len(data), t.attr(h).Size)
	require.Equal(t, data, t.read(h, 0, len(data)))
	t.write(h, 4090, []byte("across a page"))
	copy(data[4090:], "across a page")
	require.Equal(t, data, t.read(h, 0, len(data)+1))
	t.write(h, uint64(len(data)), []byte("more"))
	require.Equal(t, append(data, "more"...), t.read(h, 0, 2*len(data)))
}

func readEdges(t *T) {
	h := t.create(t.Root, "f", 0o644)
	for _, size := range []int{0, 1, 4095, 4096, 4097} {
		t.set(h, &vfs.SetAttr{HasSize: true})
		data := pattern(size, size)
		t.write(h, 0, data)
		for _, off := range []int{0, 1, size - 1, size, size + 1, size + 4096} {
			for _, n := range []int{1, 2, size, size + 1, 8192} {
				if off < 0 || n == 0 {
					continue
				}
				want := data[min(off, size):min(off+n, size)]
				require.True(t, bytes.Equal(want, t.read(h, uint64(off), n)), "%d at %d of %d", n, off, size)
			}
		}
	}
}

func readFarBeyond(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("short"))
	for _, off := range append([]uint64{5, 6, 4096, 1 << 32, 1 << 40, 1 << 44, 1 << 53}, hugeSizes...) {
		dst := bytes.Repeat([]byte{poisonByte}, 4096)
		var a vfs.Attr
		n, eof, s := t.V.Read(t.C, h, &vfs.ReadArgs{Off: off, Dst: dst}, &a)
		require.Equal(t, vfs.OK, s, "offset %d", off)
		require.Zero(t, n, "offset %d", off)
		require.True(t, eof, "offset %d", off)
		require.Equal(t, vfs.TypeReg, a.Type)
	}
}

func readNothing(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("short"))
	for _, off := range []uint64{0, 3, 5, 99} {
		require.Empty(t, t.read(h, off, 0))
	}
}

func readHoles(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 1<<20, []byte("end"))
	require.EqualValues(t, 1<<20+3, t.attr(h).Size)
	dst := bytes.Repeat([]byte{poisonByte}, 8192)
	var a vfs.Attr
	n, eof, s := t.V.Read(t.C, h, &vfs.ReadArgs{Off: 4000, Dst: dst}, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, len(dst), n)
	require.False(t, eof)
	require.Equal(t, make([]byte, len(dst)), dst)
	require.Equal(t, append(make([]byte, 10), "end"...), t.read(h, 1<<20-10, 100))
}

// others makes one object of every type but regular files.
func (t *T) others() map[string]vfs.Handle {
	t.Helper()
	return map[string]vfs.Handle{
		"directory": t.mkdir(
			t.Root,
			"other-dir",
			0o755,
		), "link": t.symlink(t.Root, "other-link", "other-dir"),
		"fifo": t.mknod(
			t.Root,
			"other-fifo",
			vfs.TypeFifo,
			0,
			0,
		), "socket": t.mknod(t.Root, "other-sock", vfs.TypeSock, 0, 0),
	}
}

// noFile are the right answers when an operation for files is asked of another object.
var noFile = []vfs.Status{vfs.Inval, vfs.IsDir, vfs.Loop, vfs.NXIO, vfs.BadType, vfs.NotSupp}

func readOthers(t *T) {
	for name, h := range t.others() {
		var a vfs.Attr
		_, _, s := t.V.Read(t.C, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 100)}, &a)
		t.refused(s, "READ of a "+name, noFile...)
		if name == "directory" {
			t.refused(s, "READ of a directory", vfs.IsDir, vfs.Inval)
		}
		require.NotZero(t, a.Type, "attributes come also with a failure")
	}
}

func writeSegments(t *T) {
	h := t.create(t.Root, "f", 0o644)
	data := pattern(3*4096+100, 5)
	for _, cuts := range [][]int{{}, {1}, {0, 0, 5, 5}, {4096, 8192}, {4095, 4097}, {100, 101, 102, 12_000}} {
		t.set(h, &vfs.SetAttr{HasSize: true})
		var src [][]byte
		from := 0
		for _, to := range append(cuts, len(data)) {
			src = append(src, data[from:to])
			from = to
		}
		check := t.watch(h)
		var w vfs.WCC
		n, _, _, s := t.V.Write(t.C, h, &vfs.WriteArgs{Off: 50, Src: src, How: vfs.Unstable}, &w)
		require.Equal(t, vfs.OK, s)
		check(&w)
		require.Positive(t, n)
		require.Equal(t, append(make([]byte, 50), data[:n]...), t.read(h, 0, 2*len(data)), "cut at %v", cuts)
	}
	// More pieces than one system call takes (IOV_MAX is 1024 on Linux).
	t.set(h, &vfs.SetAttr{HasSize: true})
	var src [][]byte
	for i := range 3000 {
		src = append(src, data[i:i+1])
	}
	var w vfs.WCC
	n, _, _, s := t.V.Write(t.C, h, &vfs.WriteArgs{Off: 0, Src: src, How: vfs.Unstable}, &w)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, 3000, n, "the pieces are no reason to write less")
	require.Equal(t, data[:n], t.read(h, 0, 5000))
}

func writeNothing(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("data"))
	for _, src := range [][][]byte{nil, {}, {nil}, {{}, {}}} {
		for _, off := range []uint64{0, 4, 100} {
			var w vfs.WCC
			n, _, _, s := t.V.Write(t.C, h, &vfs.WriteArgs{Off: off, Src: src, How: vfs.FileSync}, &w)
			require.Equal(t, vfs.OK, s)
			require.Zero(t, n)
			require.EqualValues(t, 4, t.attr(h).Size)
		}
	}
}

func writeLarge(t *T) {
	h := t.create(t.Root, "f", 0o644)
	for _, n := range []int{1 << 20, 4 << 20} {
		data := pattern(n, n)
		t.write(h, 0, data)
		require.True(t, bytes.Equal(data, t.read(h, 0, n)), "%d bytes", n)
	}
}

func writeStability(t *T) {
	h := t.create(t.Root, "f", 0o644)
	for how := vfs.Unstable; how <= vfs.FileSync; how++ {
		check := t.watch(h)
		var w vfs.WCC
		n, got, verf, s := t.V.Write(
			t.C,
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("data")}, How: how},
			&w,
		)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, 4, n)
		require.GreaterOrEqual(t, got, how)
		require.LessOrEqual(t, got, vfs.FileSync)
		require.Equal(t, t.Env.FS.Verifier(), verf)
		check(&w)
	}
}

func writeHugeOffset(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("content"))
	for _, off := range hugeSizes {
		before := t.attr(h).Size
		var w vfs.WCC
		n, _, _, s := t.V.Write(
			t.C,
			h,
			&vfs.WriteArgs{Off: off, Src: [][]byte{pattern(40, 1), pattern(8000, 2)}, How: vfs.Unstable},
			&w,
		)
		a := t.attr(h)
		if s != vfs.OK {
			t.refused(s, "a huge offset", vfs.FBig, vfs.Inval)
			require.Equal(t, before, a.Size)
			continue
		}
		require.Positive(t, n)
		require.LessOrEqual(t, off, uint64(math.MaxInt64)-uint64(n), "offset %d, %d bytes", off, n)
		require.Equal(t, max(before, off+uint64(n)), a.Size)
	}
	require.Equal(t, []byte("content"), t.read(h, 0, 7), "nothing wrapped around to the start")
}

func writeOthers(t *T) {
	for name, h := range t.others() {
		check := t.watch(h)
		var w vfs.WCC
		_, _, _, s := t.V.Write(
			t.C,
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable},
			&w,
		)
		t.refused(s, "WRITE of a "+name, noFile...)
		check(&w)
	}
}

func writeChangesTimes(t *T) {
	h := t.create(t.Root, "f", 0o644)
	old := vfs.Time{Sec: 1000}
	t.set(h, &vfs.SetAttr{AtimeHow: vfs.TimeClient, Atime: old, MtimeHow: vfs.TimeClient, Mtime: old})
	t.write(h, 0, []byte("data"))
	a := t.attr(h)
	require.Greater(t, a.Mtime.Sec, old.Sec)
	require.EqualValues(t, 4, a.Size)
	require.NotZero(t, a.Ctime.Sec)
}

func commitRanges(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, pattern(10_000, 1))
	for _, off := range append([]uint64{0, 1, 4096, 9999, 10_000, 1 << 40}, hugeSizes...) {
		for _, count := range []uint32{0, 1, 4096, math.MaxUint32} {
			check := t.watch(h)
			var w vfs.WCC
			verf, s := t.V.Commit(t.C, h, &vfs.CommitArgs{Off: off, Count: count}, &w)
			check(&w)
			if off >= 1<<62 && s == vfs.Inval {
				continue
			}
			require.Equal(t, vfs.OK, s, "COMMIT of %d at %d", count, off)
			require.Equal(t, t.Env.FS.Verifier(), verf)
		}
	}
}

func commitOthers(t *T) {
	for name, h := range t.others() {
		var w vfs.WCC
		_, s := t.V.Commit(t.C, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		t.refused(s, "COMMIT of a "+name, noFile...)
	}
}

func verifierStays(t *T) {
	verf := t.Env.FS.Verifier()
	for range 3 {
		h := t.create(t.Root, "f", 0o644)
		t.write(h, 0, []byte("data"))
		var w vfs.WCC
		got, s := t.V.Commit(t.C, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, verf, got)
		t.remove(t.Root, "f")
	}
	require.Equal(t, verf, t.Env.FS.Verifier())
}

func readLinkTargets(t *T) {
	for i, target := range []string{
		"x", "/absolute/path", "../../up", "./a//b/", "with space\nand line", "\xff\xfe not UTF-8", string(bytes.Repeat([]byte("n"), 255)),
		string(bytes.Repeat([]byte("long/"), 200)), string(bytes.Repeat([]byte("d/"), 2000)),
	} {
		name := string(rune('a' + i))
		if most := t.Env.SymlinkMax; most > 0 && len(target) > most {
			continue
		}
		h := t.symlink(t.Root, name, target)
		require.Equal(t, target, t.readLink(h))
		require.EqualValues(t, len(target), t.attr(h).Size)
	}
	// The longest: 4095 bytes. Some file systems take a little less.
	tooLong := 4096
	if most := t.Env.SymlinkMax; most > 0 {
		longest := strings.Repeat("l", most)
		require.Equal(t, longest, t.readLink(t.symlink(t.Root, "longest", longest)))
		tooLong = most + 1
	}
	longest := strings.Repeat("e", min(tooLong, 4095))
	var e vfs.Entry
	var w vfs.WCC
	s := t.V.Symlink(
		t.C,
		t.Root,
		&vfs.SymlinkArgs{Name: []byte("too long"), Target: []byte(longest), Set: &vfs.SetAttr{}},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	if s == vfs.NameTooLong {
		t.absent(t.Root, "too long")
		return
	}
	require.Equal(t, vfs.OK, s)
	require.Less(t, len(longest), tooLong, "a longer link than there can be")
	require.Equal(t, longest, t.readLink(e.Handle))
}

func readLinkOthers(t *T) {
	all := t.others()
	delete(all, "link")
	all["file"] = t.create(t.Root, "f", 0o644)
	for name, h := range all {
		var a vfs.Attr
		_, s := t.V.ReadLink(t.C, h, make([]byte, 4096), &a)
		require.Equal(t, vfs.Inval, s, name)
		require.NotZero(t, a.Type, "attributes come also with a failure")
	}
}
