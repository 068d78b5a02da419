package endtoend

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Clients that send a record in fragments of their buffer size do not need a second call for a part
// of it.
func TestAWriteInManyFragmentsIsWrittenAsAWhole(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	for i, pieces := range []int{1, 255, 256, 257, 300, 512, 513, 1024, 1025, 1050, 5000} {
		for _, how := range []nfs3.StableHow{nfs3.UNSTABLE, nfs3.FILE_SYNC} {
			t.Run(fmt.Sprint(pieces, " ", how), func(t *testing.T) {
				data := bytes.Repeat([]byte{byte(i + 1), byte(how), 3, 4}, 1<<18)
				xid := nfstest.NewXID()
				msg := rpctest.NewCall(xid, nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_WRITE, nfstest.Bytes(t, &nfs3.WRITE3args{
					File: f, Count: nfs3.Count3(len(data)), Stable: how, Data: data,
				})).As(rpctest.Sys(0, 0)).Bytes()
				raw := dialRaw(t, s)
				_, err := raw.nc.Write(rpctest.Fragments(msg, slices.Repeat([]int{len(msg) / pieces}, pieces-1)...))
				require.NoError(t, err)
				r, err := rpctest.ParseReply(raw.receive())
				require.NoError(t, err)
				var res nfs3.WRITE3res
				require.NoError(t, nfstest.Decode(r.Results, &res))
				ok(t, res.Status)
				require.EqualValues(t, len(data), res.Resok.Count, "of one call, one reply")
				got := c.Read(f, 0, uint32(len(data)))
				ok(t, got.Status)
				require.True(t, bytes.Equal(data, got.Resok.Data))
				require.NoError(t, raw.nc.Close())
			})
		}
	}
}
