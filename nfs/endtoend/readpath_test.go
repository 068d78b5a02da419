package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

const (
	readPage = 4096
	readMax  = 1 << 20 // the default of a server
	// readSize is the length of the files that are read. It is no multiple of anything.
	readSize = 3*readMax + 70_001
)

// content is a file's bytes. Every eight bytes tell their place, and some ranges are zero.
func content(rng *rand.Rand) []byte {
	b := make([]byte, readSize)
	key := rng.Uint64()
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], (uint64(i)+key)*0x9e3779b97f4a7c15)
	}
	for range 6 {
		from := rng.IntN(len(b) - 300_000)
		clear(b[from : from+rng.IntN(300_000)])
	}
	return b
}

// store makes a file of content on the server's side. Ranges of zeros become holes where they cover
// pages.
func store(t *testing.T, name string, data []byte) *os.File {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Truncate(int64(len(data))))
	nothing := make([]byte, readPage)
	for at := 0; at < len(data); at += readPage {
		if page := data[at:min(at+readPage, len(data))]; !bytes.Equal(page, nothing[:len(page)]) {
			_, err := f.WriteAt(page, int64(at))
			require.NoError(t, err)
		}
	}
	return f
}

// forget removes a file from the server's page cache, unless the page cache is where the file
// lives.
func forget(t *testing.T, f *os.File) {
	t.Helper()
	require.NoError(t, f.Sync())
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// aRange returns the range of one READ: of every size, at every kind of place.
func aRange(rng *rand.Rand) (off uint64, count uint32) {
	switch rng.IntN(8) {
	case 0:
		count = uint32(1 + rng.IntN(100))
	case 1:
		count = readMax
	case 2:
		count = uint32(1+rng.IntN(readMax/readPage)) * readPage
	default:
		count = uint32(1 + rng.IntN(readMax))
	}
	switch rng.IntN(6) {
	case 0:
		off = uint64(rng.IntN(readSize/readPage)) * readPage
	case 1:
		off = uint64(readSize - 1 - rng.IntN(int(count))) // across the end
	case 2:
		off = uint64(readSize + rng.IntN(2)*rng.IntN(100_000)) // behind it
	default:
		off = uint64(rng.IntN(readSize))
	}
	return off, count
}

// wrong says what is wrong with the reply to a READ of a file with the content data.
func wrong(res *nfs3.READ3res, data []byte, off uint64, count uint32) error {
	want := data[min(off, uint64(len(data))):min(off+uint64(count), uint64(len(data)))]
	ok := &res.Resok
	switch {
	case res.Status != nfs3.NFS3_OK:
		return wrongf("READ of %d at %d: %v", count, off, res.Status)
	case int(ok.Count) != len(ok.Data):
		return wrongf("READ of %d at %d: count %d with %d bytes", count, off, ok.Count, len(ok.Data))
	case !bytes.Equal(want, ok.Data):
		return wrongf("READ of %d at %d: %d bytes that are not the file's", count, off, ok.Count)
	case ok.Eof != (off+uint64(count) >= uint64(len(data))):
		return wrongf("READ of %d at %d: eof %v", count, off, ok.Eof)
	}
	return nil
}

// readAll makes n pipelined READs on a connection of its own.
func readAll(c *nfstest.Client, h fh, data []byte, rng *rand.Rand, n int) error {
	type pending struct {
		p     *nfstest.Pending
		off   uint64
		count uint32
	}
	var window []pending
	for i := 0; i < n || len(window) > 0; {
		if i < n && len(window) < 12 {
			off, count := aRange(rng)
			window = append(
				window,
				pending{c.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(h, off, count)), off, count},
			)
			i++
			continue
		}
		var res nfs3.READ3res
		if err := window[0].p.TryInto(&res); err != nil {
			return err
		}
		if err := wrong(&res, data, window[0].off, window[0].count); err != nil {
			return err
		}
		window = window[1:]
	}
	return nil
}

// together runs f n times in parallel, each with a seed of its own.
func together(t *testing.T, n int, f func(i int, rng *rand.Rand) error) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestEveryByteOfEveryReadIsTheFiles(t *testing.T) {
	onEveryPath(t, func(t *testing.T, s *testServer, dir string) {
		seed := rand.Uint64()
		t.Logf("content from seed %d", seed)
		data := content(rand.New(rand.NewPCG(seed, 9)))
		name := fmt.Sprintf("every-%d", seed)
		f := store(t, filepath.Join(dir, name), data)
		c, root := s.mount()
		h := lookup(t, c, root, name)
		for _, cold := range []bool{true, false} {
			if cold {
				forget(t, f)
			}
			clients := []*nfstest.Client{c, s.dial(), s.dial()}
			together(
				t,
				len(clients),
				func(i int, rng *rand.Rand) error { return readAll(clients[i], h, data, rng, 15) },
			)
		}
		require.NoError(t, os.Remove(f.Name()))
	})
}

// readRecord returns a READ call with this transaction id as the bytes that go out.
func readRecord(t *testing.T, xid uint32, h fh, off uint64, count uint32) []byte {
	return rpctest.NewCall(
		xid,
		nfs3.NFS_PROGRAM,
		3,
		nfs3.NFSPROC3_READ,
		nfstest.Bytes(t, nfstest.ReadArgs(h, off, count)),
	).As(
		rpctest.Sys(0, 0),
	).Record()
}

// slowConn connects with a receive buffer that takes only a small part of one reply.
func slowConn(t *testing.T, s *testServer) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
	tcp := c.(*net.TCPConn)
	require.NoError(t, tcp.SetReadBuffer(16<<10))
	return tcp
}

// dribble reads a little at a time, with breaks.
type dribble struct {
	io.Reader
	rng    *rand.Rand
	breaks int
}

func (d *dribble) Read(b []byte) (int, error) {
	if d.breaks > 0 && d.rng.IntN(3) == 0 {
		d.breaks--
		time.Sleep(time.Millisecond)
	}
	return d.Reader.Read(b[:min(len(b), 1+d.rng.IntN(30_000))])
}

func TestSlowReaderGetsEveryByteAndHoldsUpNobody(t *testing.T) {
	onEveryPath(t, func(t *testing.T, s *testServer, dir string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 9))
		data := content(rng)
		name := fmt.Sprintf("slow-%d", seed)
		f := store(t, filepath.Join(dir, name), data)
		forget(t, f)
		fast, root := s.mount()
		h := lookup(t, fast, root, name)
		slow := slowConn(t, s)
		type asked struct {
			off   uint64
			count uint32
		}
		calls := map[uint32]asked{}
		var out []byte
		for xid := range uint32(6) {
			off, count := aRange(rng)
			calls[xid] = asked{off, count}
			out = append(out, readRecord(t, xid, h, off, count)...)
		}
		_, err := slow.Write(out)
		require.NoError(t, err)
		// While the slow client has taken nothing yet, the other one goes on.
		require.NoError(t, readAll(fast, h, data, rng, 20))
		in := &dribble{slow, rng, 60}
		for len(calls) > 0 {
			var mark [4]byte
			_, err := io.ReadFull(in, mark[:])
			require.NoError(t, err)
			n := binary.BigEndian.Uint32(mark[:])
			require.NotZero(t, n>>31, "one record is one fragment")
			record := make([]byte, n&(1<<31-1))
			_, err = io.ReadFull(in, record)
			require.NoError(t, err)
			r, err := rpctest.ParseReply(record)
			require.NoError(t, err)
			a, is := calls[r.XID]
			require.True(t, is, "a reply to XID %d, which was not asked or answered before", r.XID)
			delete(calls, r.XID)
			var res nfs3.READ3res
			require.NoError(t, nfstest.Decode(r.Results, &res))
			require.NoError(t, wrong(&res, data, a.off, a.count))
		}
		require.NoError(t, slow.Close())
		require.NoError(t, os.Remove(f.Name()))
	})
}

// Bytes that were being sent to a dead connection must not go anywhere else, and none may be kept.
func TestResetInTheMiddleOfReadsHarmsNobody(t *testing.T) {
	onEveryPath(t, func(t *testing.T, s *testServer, dir string) {
		seed := rand.Uint64()
		t.Logf("content from seed %d", seed)
		data := content(rand.New(rand.NewPCG(seed, 9)))
		name := fmt.Sprintf("reset-%d", seed)
		f := store(t, filepath.Join(dir, name), data)
		c, root := s.mount()
		h := lookup(t, c, root, name)
		together(t, 3, func(i int, rng *rand.Rand) error {
			if i == 0 {
				return readAll(c, h, data, rng, 30)
			}
			for round := range uint32(8) {
				dying, err := net.Dial("tcp", s.addr())
				if err != nil {
					return err
				}
				var out []byte
				for k := range uint32(8) {
					off, count := aRange(rng)
					out = append(out, readRecord(t, round*100+k, h, off, count)...)
				}
				if _, err = dying.Write(out); err == nil {
					_ = dying.SetReadDeadline(time.Now().Add(10 * time.Second))
					_, err = io.ReadFull(dying, make([]byte, rng.IntN(300_000)))
				}
				_ = dying.(*net.TCPConn).SetLinger(0)
				_ = dying.Close()
				if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF { // the replies may be short
					if ne, is := err.(net.Error); !is || !ne.Timeout() {
						return err
					}
				}
				if round%4 == 0 {
					if err := f.Sync(); err != nil {
						return err
					}
					if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
						return err
					}
				}
			}
			return nil
		})
		require.NoError(t, os.Remove(f.Name()))
	})
}
