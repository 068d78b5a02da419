package fusetest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Disc is a file that is a disc with a write cache, for a loop device: what was written is sure to
// be there after a power failure only if a flush has followed (fsync, which is what a loop device
// makes of a flush). It lies in memory. Its methods may be called by any goroutine.
type Disc struct {
	// Path is the file.
	Path string

	fd   int
	size int64

	mu      sync.Mutex
	now     blocks  // what a reader sees
	stable  blocks  // what was there at the last flush
	pending []piece // written since, in order
	flushes int
}

// blocks is the content of a disc by blocks. A block that is missing has zeros. Blocks do not change,
// so copies of a map share them.
type blocks map[int64]*[blockSize]byte

const (
	blockSize  = 4096
	sectorSize = 512 // what a disc writes as a whole
)

type piece struct {
	off  int64
	data []byte
}

// put writes data, which lies in one block.
func (b blocks) put(off int64, data []byte) {
	x := new([blockSize]byte)
	if old := b[off/blockSize]; old != nil {
		*x = *old
	}
	copy(x[off%blockSize:], data)
	b.set(off/blockSize, x)
}

// set makes x the block i. Blocks of zeros, of which programs that make file systems write many, are
// missing.
func (b blocks) set(i int64, x *[blockSize]byte) {
	if x == nil || *x == [blockSize]byte{} {
		delete(b, i)
	} else {
		b[i] = x
	}
}

// write writes data of any length.
func (b blocks) write(p piece) {
	for len(p.data) > 0 {
		n := min(int64(len(p.data)), blockSize-p.off%blockSize)
		b.put(p.off, p.data[:n])
		p.off, p.data = p.off+n, p.data[n:]
	}
}

// NewDisc makes an empty disc in a file system that it mounts on dir. The caller unmounts dir before
// the test ends, and before cleanups that were registered earlier. As with Mount, the server under
// test must be another process.
func NewDisc(t testing.TB, dir string, size int64) *Disc {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40777,user_id=0,group_id=0", fd)
	if err := unix.Mount("disc", dir, "fuse.disc", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		_ = unix.Close(fd)
		t.Skipf("needs FUSE mounts: %v", err)
	}
	d := &Disc{Path: filepath.Join(dir, discName), fd: fd, size: size, now: blocks{}, stable: blocks{}}
	var done sync.WaitGroup
	done.Go(d.run)
	t.Cleanup(func() {
		done.Wait()
		_ = unix.Close(fd)
	})
	return d
}

// Image is what a disc has after a power failure.
type Image struct {
	size int64
	all  blocks
}

// Fail returns what the disc has if the power fails now: all that was there at the last flush, and of
// what was written since each sector with the probability kept, by chance.
func (d *Disc) Fail(chance *rand.Rand, kept float64) *Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(d.stable)
	for _, p := range d.pending {
		for len(p.data) > 0 {
			n := min(int64(len(p.data)), sectorSize-p.off%sectorSize)
			if chance.Float64() < kept {
				all.put(p.off, p.data[:n])
			}
			p.off, p.data = p.off+n, p.data[n:]
		}
	}
	return &Image{d.size, all}
}

// Flushes returns how often the disc has been flushed.
func (d *Disc) Flushes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flushes
}

// Write makes a file of the image.
func (m *Image) Write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = f.Truncate(m.size)
	for i, b := range m.all {
		if err == nil {
			_, err = f.WriteAt(b[:], i*blockSize)
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

const (
	discName     = "disc"
	discNode     = 2
	opWrite      = 16
	discWriteMax = 128 << 10
)

// run answers the kernel until the disc is unmounted.
func (d *Disc) run() {
	b := make([]byte, discWriteMax+4096)
	for {
		n, err := unix.Read(d.fd, b)
		switch err {
		case nil:
			switch op, _, _ := request(b); op {
			case opForget, opBatchForget, opInterrupt: // wait for no answer
			default:
				answer(d.fd, b[:n], d.reply)
			}
		case unix.EINTR, unix.ENOENT, unix.EAGAIN:
		default:
			return
		}
	}
}

func (d *Disc) reply(op uint32, id uint64, body []byte) ([]byte, unix.Errno) {
	switch op {
	case opInit:
		const bigWrites = 1 << 5
		out := u32(nil, 7, 31, 1<<20, bigWrites, 0, discWriteMax, 1)
		return append(out, make([]byte, 64-len(out))...), 0
	case opLookup:
		if text(body) != discName {
			return nil, unix.ENOENT
		}
		out := u64(nil, discNode, 1, 1<<30, 1<<30)
		return d.attr(u32(out, 0, 0), discNode), 0
	case opGetattr:
		return d.attr(u64(nil, 1<<30, 0), id), 0
	case opOpen:
		return make([]byte, 16), 0
	case opRead:
		return d.read(int64(binary.NativeEndian.Uint64(body[8:])),
			int64(binary.NativeEndian.Uint32(body[16:]))), 0
	case opWrite:
		n := binary.NativeEndian.Uint32(body[16:])
		d.write(piece{int64(binary.NativeEndian.Uint64(body[8:])),
			append([]byte(nil), body[40:40+n]...)})
		return u32(nil, n, 0), 0
	case opFsync:
		d.flush()
		return nil, 0
	case opStatfs:
		out := append(make([]byte, 40), u32(nil, 4096, 255)...)
		return append(out, make([]byte, 80-len(out))...), 0
	case opRelease, opFlush:
		return nil, 0
	}
	return nil, unix.ENOSYS
}

// attr appends struct fuse_attr.
func (d *Disc) attr(b []byte, id uint64) []byte {
	mode, size := uint32(unix.S_IFDIR|0o700), uint64(0)
	if id == discNode {
		mode, size = unix.S_IFREG|0o600, uint64(d.size)
	}
	b = u64(b, id, size, 0, 0, 0, 0)
	return u32(b, 0, 0, 0, mode, 1, 0, 0, 0, blockSize, 0)
}

func (d *Disc) read(off, n int64) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = max(0, min(n, d.size-off))
	out := make([]byte, 0, n+blockSize)
	for at := off; at < off+n; at += blockSize - at%blockSize {
		b := d.now[at/blockSize]
		if b == nil {
			b = new([blockSize]byte)
		}
		out = append(out, b[at%blockSize:]...)
	}
	return out[:n]
}

func (d *Disc) write(p piece) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.write(p)
	d.pending = append(d.pending, p)
}

func (d *Disc) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pending {
		for i := p.off / blockSize; i*blockSize < p.off+int64(len(p.data)); i++ {
			d.stable.set(i, d.now[i])
		}
	}
	d.pending = nil
	d.flushes++
}
