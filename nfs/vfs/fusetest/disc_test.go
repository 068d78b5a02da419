package fusetest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestADiscThatFailsHasWhatWasFlushed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir := t.TempDir()
	d := NewDisc(t, dir, 1<<20)
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	f, err := os.OpenFile(d.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	chance := rand.New(rand.NewPCG(1, 2))
	write := func(off int64, data []byte) {
		if _, err := f.WriteAt(data, off); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "image")
	want := make([]byte, 1<<20)
	check := func(kept float64) (image []byte) {
		t.Helper()
		if err := d.Fail(chance, kept).Write(path); err != nil {
			t.Fatal(err)
		}
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if kept == 0 && !bytes.Equal(image, want) {
			t.Error("another content than what was flushed")
		}
		return image
	}
	check(0)
	data := bytes.Repeat([]byte("12345678"), 1000)
	write(1000, data)
	check(0)
	if got := check(1); !bytes.Equal(got[1000:9000], data) {
		t.Error("what was written is not kept")
	}
	flushes := d.Flushes()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if d.Flushes() != flushes+1 {
		t.Error("not flushed")
	}
	copy(want[1000:], data)
	check(0)
	write(512, bytes.Repeat([]byte{'x'}, 1<<16))
	got := check(0.5)
	sectors := map[byte]int{}
	for off := 512; off < 512+1<<16; off += 512 {
		if s := got[off : off+512]; bytes.Equal(s, bytes.Repeat([]byte{'x'}, 512)) {
			sectors['x']++
		} else if bytes.Equal(s, want[off:off+512]) {
			sectors['o']++
		}
	}
	if sectors['x']+sectors['o'] != 128 || sectors['x'] < 32 || sectors['o'] < 32 {
		t.Errorf("sectors that are kept and old ones: %v", sectors)
	}
	if check(0); t.Failed() {
		return
	}
	back := make([]byte, 1<<16)
	if _, err := f.ReadAt(back, 512); err != nil || !bytes.Equal(back, bytes.Repeat([]byte{'x'}, 1<<16)) {
		t.Errorf("what was written is not read: %v", err)
	}
}
