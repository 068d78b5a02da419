package mount

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func TestPathconfOfVersion2(t *testing.T) {
	r := newRig(t)
	var res mount3.Ppathcnf
	r.ask(2, mount3.MOUNTPROC2_PATHCONF, path("/srv/a/dir"), &res)
	require.EqualValues(t, 255, res.PcNameMax)
	require.EqualValues(t, 4096, res.PcPathMax)
	require.EqualValues(t, 1<<7|1<<9, res.PcMask[0])
	r.ask(2, mount3.MOUNTPROC2_PATHCONF, path("/srv/b"), &res)
	require.Equal(t, mount3.Ppathcnf{PcMask: [2]int32{1, 0}}, res)
}

func TestProceduresAndVersions(t *testing.T) {
	r := newRig(t)
	for vers, last := range map[uint32]uint32{1: 6, 2: 7, 3: 5} {
		r.ask(vers, 0, nil, nil)
		require.EqualValues(t, rpctest.ProcUnavail, r.reply(vers, last+1, nil).Accept)
	}
	reply := r.reply(4, 0, nil)
	require.EqualValues(t, rpctest.ProgMismatch, reply.Accept)
	require.Equal(t, [2]uint32{1, 3}, [2]uint32{reply.Low, reply.High})
	program := New(r.table, Config{})
	for _, v := range program.Versions {
		names := [][]string{mount3.MOUNTV1Names[:], mount3.MOUNTV2Names[:],
			mount3.MOUNTV3Names[:]}[v.Number-1]
		require.Len(t, v.Procedures, len(names))
		for i, p := range v.Procedures {
			require.Equal(t, names[i], p.Name)
			walks := p.Name == "PATHCONF" || p.Name == "MNT" && v.Number == 3
			require.Equal(t, walks, p.Class == rpc.Blocking, p.Name)
		}
	}
}

func TestEveryStatusHasOneOfMount(t *testing.T) {
	for s := vfs.OK; s < vfs.NumStatus; s++ {
		require.Equal(t, s == vfs.OK, statusOf(s) == mount3.MNT3_OK, s)
		require.True(t, statusOf(s).Valid())
	}
	require.Equal(t, mount3.MNT3ERR_SERVERFAULT, statusOf(vfs.NumStatus))
}

// FuzzProgram calls any procedure with anything. There must be a reply that can be taken apart, and
// a handle in it must belong to an export that serves the caller.
func FuzzProgram(f *testing.F) {
	f.Add(byte(3), byte(1), path("/srv/a/dir"), false)
	f.Add(byte(3), byte(1), path("/srv/a/../b/./link"), true)
	f.Add(byte(1), byte(3), path("/srv/a"), true)
	f.Add(byte(2), byte(7), path("/srv/a/file"), false)
	f.Add(byte(3), byte(5), []byte(nil), false)
	r := newRig(f)
	f.Fuzz(func(t *testing.T, vers, proc byte, args []byte, datagram bool) {
		r.t, r.call.Datagram = t, datagram
		reply := r.reply(uint32(vers), uint32(proc), args)
		if vers != 3 || proc != mount3.MOUNTPROC3_MNT || reply.Accept != rpctest.Success {
			return
		}
		var d xdr.Decoder
		d.Reset(reply.Results)
		var res mount3.Mountres3
		if res.Decode(&d); d.Err() != nil || d.Left() != 0 {
			t.Fatalf("results of MNT: %v", d.Err())
		}
		if res.FhsStatus == mount3.MNT3_OK {
			if x, _ := r.open(res.Mountinfo.Fhandle); x.Path != "/srv/a" {
				t.Fatalf("a handle of %s", x.Path)
			}
		}
	})
}
