package endtoend

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
)

// A reply that tells of a change stays until the change is on stable storage. It says so if that
// fails, and so does the reply to a retransmission.
func TestNoReplyOvertakesStableStorage(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	for status, want := range map[vfs.Status]nfs3.Nfsstat3{vfs.OK: nfs3.NFS3_OK, vfs.NoSpc: nfs3.NFS3ERR_NOSPC} {
		gate := faultfs.NewGate()
		t.Cleanup(gate.Open)
		rule := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Gate: gate, Status: status})
		before := f.Count(faultfs.Mkdir)
		xid := nfstest.NewXID()
		call := rpctest.NewCall(xid, nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_MKDIR,
			nfstest.Bytes(t, &nfs3.MKDIR3args{Where: nfstest.At(root, want.String())})).As(rpctest.Sys(0, 0))
		from := dialRaw(t, s)
		replies := make(chan []byte)
		go func() {
			defer close(replies)
			for b, err := from.read(); err == nil; b, err = from.read() {
				replies <- b
			}
		}()
		receive := func() []byte { return <-replies }
		from.send(call)
		select {
		case <-gate.Entered():
		case <-replies:
			from.reset()
			t.Fatal("the reply has left")
		}
		from.send(call)
		from.send(rpctest.NewCall(xid+1, nfs3.NFS_PROGRAM, 3, 0, nil))
		require.Equal(t, xid+1, binary.BigEndian.Uint32(receive()), "the change is made, and not answered")
		require.Contains(t, c.Names(root), want.String())
		gate.Open()
		first := receive()
		require.Equal(t, first, receive())
		r, err := rpctest.ParseReply(first)
		require.NoError(t, err)
		require.Equal(t, want, statusOf(t, nfs3.NFSPROC3_MKDIR, r.Results))
		require.Equal(t, before+1, f.Count(faultfs.Mkdir), "carried out once")
		rule.Remove()
		from.reset()
		require.Nil(t, receive(), "a third reply")
	}
}
