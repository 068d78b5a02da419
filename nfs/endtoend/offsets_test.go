package endtoend

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// extremes are offsets and sizes around the ends of signed and unsigned numbers.
var extremes = []uint64{
	1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 44, 1<<63 - 4096, 1<<63 - 2, 1<<63 - 1, 1 << 63, 1<<63 + 1,
	math.MaxUint64 - 4096, math.MaxUint64 - 1, math.MaxUint64,
}

func TestReadFarBeyondTheEndIsEOF(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for _, off := range append([]uint64{7, 8, 4095, 4096}, extremes...) {
		for _, count := range []uint32{0, 1, 4096, 1 << 20, 1<<32 - 1} {
			res := c.Read(f, off, count)
			ok(t, res.Status, "offset %d", off)
			require.True(t, res.Resok.Eof, "offset %d, count %d", off, count)
			require.Zero(t, res.Resok.Count)
			require.Empty(t, res.Resok.Data)
			require.True(t, res.Resok.FileAttributes.AttributesFollow)
		}
	}
}

func TestReadAtTheEndOfTheFile(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	for _, size := range []int{1, 4095, 4096, 4097, 70000} {
		data := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, size)[:size]
		f := put(t, c, root, "file", data)
		for _, off := range []int{0, 1, size - 1, size - 4095, size / 2} {
			for _, count := range []int{0, 1, size - off - 1, size - off, size - off + 1, size, 1 << 20} {
				if off < 0 || count < 0 || off >= size {
					continue
				}
				res := c.Read(f, uint64(off), uint32(count))
				ok(t, res.Status)
				want := data[off:min(size, off+count)]
				require.Equal(t, want, res.Resok.Data)
				require.EqualValues(t, len(want), res.Resok.Count)
				if off+count < size {
					require.False(t, res.Resok.Eof, "size %d, offset %d, count %d", size, off, count)
				} else if count > 0 {
					require.True(t, res.Resok.Eof, "size %d, offset %d, count %d", size, off, count)
				}
			}
		}
		ok(t, c.Remove(root, "file").Status)
	}
	empty := create(t, c, root, "empty", 0o644)
	res := c.Read(empty, 0, 100)
	ok(t, res.Status)
	require.True(t, res.Resok.Eof)
}

func TestReadBeyondTheLargestIsShort(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>9)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), data, 0o644))
	f := lookup(t, c, root, "big")
	for _, count := range []uint32{1<<20 + 1, 2 << 20, 8 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		res := c.Read(f, 5, count)
		ok(t, res.Status)
		require.Equal(t, data[5:5+1<<20], res.Resok.Data)
		require.False(t, res.Resok.Eof)
	}
}

func TestWritesBeyondSignedOffsetsAreRefused(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for _, off := range extremes {
		if off < 1<<44 {
			continue
		}
		for _, how := range []nfs3.StableHow{nfs3.UNSTABLE, nfs3.DATA_SYNC, nfs3.FILE_SYNC} {
			res := c.Write(f, off, []byte("x"), how)
			require.Contains(t, []nfs3.Nfsstat3{nfs3.NFS3ERR_FBIG, nfs3.NFS3ERR_INVAL}, res.Status, "offset %d", off)
		}
		ok(t, c.Write(f, off, nil, nfs3.UNSTABLE).Status, "nothing to write at %d", off)
	}
	require.EqualValues(t, 7, getattr(t, c, f).Size)
	res := c.Write(f, 1<<32+5, []byte("sparse"), nfs3.UNSTABLE)
	ok(t, res.Status)
	require.EqualValues(t, 1<<32+11, getattr(t, c, f).Size)
	ok(t, c.Setattr(f, nfstest.Size(7), nil).Status)
	got, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	require.Equal(t, "content", string(got))
}

func TestAWriteWhoseCountIsNotItsLengthIsInvalid(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for _, count := range []nfs3.Count3{0, 2, 4, 1<<32 - 1} {
		args := nfstest.WriteArgs(f, 0, []byte("xyz"), nfs3.FILE_SYNC)
		args.Count = count
		require.Equal(t, nfs3.NFS3ERR_INVAL, status(t, c, nfs3.NFSPROC3_WRITE, args), "count %d", count)
	}
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
}

func TestSizesBeyondTheLargestAreNeverWrapped(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	refused := []nfs3.Nfsstat3{nfs3.NFS3ERR_FBIG, nfs3.NFS3ERR_INVAL}
	for _, size := range extremes {
		if size <= 1<<44 {
			continue
		}
		res := c.Setattr(f, nfstest.Size(size), nil)
		require.Contains(t, refused, res.Status, "size %d", size)
		require.EqualValues(t, 7, getattr(t, c, f).Size, "size %d", size)
		made := c.Create(root, "new", nfs3.GUARDED, nfstest.Size(size))
		require.Contains(t, refused, made.Status, "size %d", size)
		require.Equal(t, nfs3.NFS3ERR_NOENT, c.Lookup(root, "new").Status, "size %d", size)
		made = c.Create(root, "file", nfs3.UNCHECKED, nfstest.Size(size))
		require.Contains(t, refused, made.Status, "size %d", size)
		require.EqualValues(t, 7, getattr(t, c, f).Size, "size %d", size)
	}
	for _, size := range []uint64{0, 1, 1<<31 - 1, 1 << 31, 1<<32 + 1, 1 << 40} {
		ok(t, c.Setattr(f, nfstest.Size(size), nil).Status)
		require.EqualValues(t, size, getattr(t, c, f).Size)
	}
}

func TestCommitOfAnyRangeWorks(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for _, off := range append([]uint64{0, 6, 7, 4096}, extremes...) {
		for _, count := range []uint32{0, 1, 4096, 1<<32 - 1} {
			ok(t, c.Commit(f, off, count).Status, "offset %d, count %d", off, count)
		}
	}
}

func TestTransfersOfTheLargestSizeWork(t *testing.T) {
	noLeaks(t)
	cfg := config(t, exportDir(t))
	cfg.ReadMax, cfg.WriteMax = 4<<20, 4<<20
	cfg.Memory = 256 << 20
	s := start(t, cfg)
	c, root := s.mount()
	f := create(t, c, root, "file", 0o644)
	data := make([]byte, 4<<20)
	for i := range data {
		data[i] = byte(i>>3) ^ byte(i>>13)
	}
	for i := range 3 {
		res := c.Write(f, uint64(i)<<22, data, nfs3.UNSTABLE)
		ok(t, res.Status)
		require.EqualValues(t, len(data), res.Resok.Count)
		read := c.Read(f, uint64(i)<<22, 4<<20)
		ok(t, read.Status)
		require.True(t, bytes.Equal(data, read.Resok.Data))
	}
	info := c.Fsinfo(root)
	require.EqualValues(t, 4<<20, info.Resok.Rtmax)
	require.EqualValues(t, 4<<20, info.Resok.Wtmax)
}
