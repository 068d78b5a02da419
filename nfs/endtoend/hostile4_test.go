package endtoend

import (
	"bytes"
	"fmt"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// splitPath yields the names of a path.
func splitPath(path string) iter.Seq[string] { return strings.SplitSeq(strings.Trim(path, "/"), "/") }

// Handles of the pseudo file system are for version 4. Version 3 does not know them, whatever it is
// asked to do with them.
func TestVersion3DoesNotKnowThePseudoFileSystem(t *testing.T) {
	s, dir := serve4(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	ops := walk4(dir)
	for n := 1; n < len(ops); n++ { // the export itself is not one of its nodes
		res := fine4(t, c, 0, append(ops[:n:n], nfs4.NfsArgop4{Argop: nfs4.OP_GETFH})...)
		node := fh{Data: bytes.Clone(res[n].Opgetfh.Resok4.Object)}
		for proc, args := range validArgs(node, node) {
			if args != nil {
				require.Equal(t, nfs3.NFS3ERR_STALE, status(t, c, uint32(proc), args), nfs3.NFSV3Names[proc])
			}
		}
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Link(node, root, "l").Status)
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Link(f, node, "l").Status)
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Rename(root, "file", node, "l").Status)
	}
	require.Equal(t, []string{"file"}, c.Names(root))
}

// The same request by two connections at once, which two lanes serve: it runs once, and whoever is
// not told to come back gets the one reply.
func TestARequestByTwoConnectionsRunsOnce(t *testing.T) {
	s, dir := serve4(t)
	a, b := s.dial(), s.dial()
	session := newSession4(t, a, "me", 4, 1<<16)
	session.keep = true
	at := handle4(t, a, session, dir)
	for i := range 200 {
		name := fmt.Sprint("d", i)
		args := compound4(t, 2, session.next(1), at, mkdir4(name), nfs4.NfsArgop4{Argop: nfs4.OP_GETFH})
		var replies [4]*nfstest.Pending
		for j := range replies {
			replies[j] = send4([]*nfstest.Client{a, b}[j%2], args)
		}
		var whole []byte
		for _, p := range replies {
			r := p.Reply()
			res := new(nfs4.COMPOUND4res)
			require.NoError(t, nfstest.Decode(r.Results, res))
			if res.Status == nfs4.NFS4ERR_DELAY {
				require.Len(t, res.Resarray, 1, "SEQUENCE says so")
				continue
			}
			require.Equal(t, nfs4.NFS4_OK.String(), res.Status.String(), "%d", i)
			if whole != nil {
				require.Equal(t, whole, r.Results)
			}
			whole = r.Results
		}
		require.NotNil(t, whole)
		require.Equal(t, whole, send4(b, args).Reply().Results, "once more, when it has ended")
	}
}

// A connection breaks in the middle of a request, at each of its bytes, and when it was sent: the
// slot can be used again by another connection.
func TestARequestThatBreaksOffLeavesItsSlot(t *testing.T) {
	s, dir := serve4(t)
	c := s.dial()
	session := newSession4(t, c, "me", 4, 1<<16)
	session.keep = true
	at := handle4(t, c, session, dir)
	for n, made := 0, 0; ; n++ {
		args := compound4(t, 2, session.next(1), at, mkdir4(fmt.Sprint("d", made)))
		record := rpctest.NewCall(nfstest.NewXID(), nfs4.NFS4_PROGRAM, nfs4.NFS_V4, 1, args).
			As(rpctest.Sys(0, 0)).Record()
		if n > len(record) {
			break
		}
		broken := s.dial()
		require.NoError(t, broken.Send(record[:n]))
		broken.Reset()
		// The whole request, by another connection, whatever became of the first.
		res := new(nfs4.COMPOUND4res)
		for ok := true; ok; ok = res.Status == nfs4.NFS4ERR_DELAY { // the first one runs still
			send4(c, args).Into(res)
		}
		if n < len(record) {
			require.Equal(t, nfs4.NFS4_OK.String(), res.Status.String(), "cut at %d of %d", n, len(record))
		} else if res.Status != nfs4.NFS4ERR_RETRY_UNCACHED_REP {
			require.Equal(t, nfs4.NFS4_OK.String(), res.Status.String(), "whole")
		}
		made++
		fine4(t, c, 2, session.next(1))
	}
}

// A client that asks for all that it may, and reads nothing, holds up nobody, and what it had is
// free when it has gone.
func TestAVersion4ClientThatReadsNothingHoldsUpNobody(t *testing.T) {
	for _, path := range []nfs.ReadPath{nfs.ReadCopy, nfs.ReadSplice} {
		t.Run(fmt.Sprint(path), func(t *testing.T) {
			s, dir := serve4(t, func(c *nfs.Config) { c.ReadPath = path })
			content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), content, 0o644))
			deaf := s.dial()
			session := newSession4(t, deaf, "deaf", 64, 1<<21)
			at := handle4(t, deaf, session, dir, "file")
			deaf.Close()
			read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1 << 20}}
			var deafs []net.Conn
			for i := range 8 {
				d := slowConn(t, s)
				for slot := i * 8; slot < i*8+8 && slot < int(session.agreed.CaMaxrequests); slot++ {
					_, err := d.Write(rpctest.NewCall(nfstest.NewXID(), nfs4.NFS4_PROGRAM, nfs4.NFS_V4, 1,
						compound4(t, 2, session.next(slot), at, read)).As(rpctest.Sys(0, 0)).Record())
					require.NoError(t, err)
				}
				deafs = append(deafs, d)
			}
			other := s.dial()
			mine := newSession4(t, other, "other", 4, 1<<21)
			for range 20 {
				res := fine4(t, other, 2, mine.next(0), at, read)
				data := res[2].Opread.Resok4.Data // fewer bytes than all, where memory is short
				require.NotEmpty(t, data)
				require.True(t, bytes.HasPrefix(content, data))
			}
			for _, d := range deafs {
				require.NoError(t, d.Close())
			}
			fine4(t, other, 2, mine.next(0), at, read)
		})
	}
}

// A reply is never longer than its session's, whichever way the data leaves.
func TestAReadFitsItsSessionsReplies(t *testing.T) {
	for _, path := range []nfs.ReadPath{nfs.ReadCopy, nfs.ReadSplice} {
		t.Run(fmt.Sprint(path), func(t *testing.T) {
			s, dir := serve4(t, func(c *nfs.Config) { c.ReadPath = path })
			require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 1<<20), 0o644))
			c := s.dial()
			for _, most := range []nfs4.Count4{256, 1000, 4096, 100_000, 1 << 20, 1<<20 + 200} {
				session := newSession4(t, c, fmt.Sprint("me", most), 4, most)
				at := handle4(t, c, session, dir, "file")
				read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1 << 20}}
				for _, ops := range [][]nfs4.NfsArgop4{{at, read}, {at, read, at}} {
					r := send4(c, compound4(t, 2, then(session.next(0), ops...)...)).Reply()
					require.LessOrEqual(t, 24+len(r.Results), int(most))
					require.Greater(t, 24+len(r.Results), min(int(most), 1<<20)-64)
				}
			}
		})
	}
}
