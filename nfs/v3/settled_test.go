package v3

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
)

func TestAChangeThatIsNotOnStableStorageIsNoSuccess(t *testing.T) {
	for _, proc := range changing {
		t.Run(name(proc), func(t *testing.T) {
			r, f, fh := faultRig(t)
			root := r.root(0)
			switch proc {
			case nfs3.NFSPROC3_REMOVE, nfs3.NFSPROC3_RENAME:
				require.EqualValues(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_CREATE, in(root, "name").u32(0).mode(0o644)))
			case nfs3.NFSPROC3_RMDIR:
				require.EqualValues(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_MKDIR, in(root, "name").mode(0o755)))
			}
			pays := f.Count(faultfs.Pay)
			f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.NoSpc})
			b := r.raw(proc, examples(fh, root)[proc].b)
			decode(t, proc, b)
			require.EqualValues(t, nfs3.NFS3ERR_NOSPC, statusOf(b))
			for _, w := range numbers(b[4:]) {
				require.Zero(t, w, "attributes from before the failure")
			}
			require.Equal(t, pays+1, f.Count(faultfs.Pay), "paid once")
		})
	}
}

func numbers(b []byte) (all []uint32) {
	for ; len(b) >= 4; b = b[4:] {
		all = append(all, binary.BigEndian.Uint32(b))
	}
	return all
}

func TestWhatPromisesNothingOwesNothing(t *testing.T) {
	r, f, fh := faultRig(t)
	pays := f.Count(faultfs.Pay)
	for proc, a := range examples(fh, r.root(0)) {
		switch proc {
		case nfs3.NFSPROC3_SETATTR, nfs3.NFSPROC3_CREATE, nfs3.NFSPROC3_MKDIR, nfs3.NFSPROC3_SYMLINK,
			nfs3.NFSPROC3_MKNOD, nfs3.NFSPROC3_REMOVE, nfs3.NFSPROC3_RMDIR, nfs3.NFSPROC3_RENAME, nfs3.NFSPROC3_LINK,
			nfs3.NFSPROC3_WRITE, nfs3.NFSPROC3_NULL:
		default:
			r.status(proc, a)
		}
	}
	unstable := on(fh).u64(0).u32(5, uint32(vfs.Unstable)).str("hello")
	require.EqualValues(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_WRITE, unstable))
	require.Equal(t, pays, f.Count(faultfs.Pay))
}

// The first failure of a call is the one that is answered.
func TestACallThatFailedHalfwayKeepsItsStatus(t *testing.T) {
	r, f, fh := faultRig(t)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.IO})
	c := &r.call
	owes := func(st vfs.Status) { // as a back end does that has changed a part
		require.NoError(t, r.server.Parse(c, r.record(nfs3.NFSPROC3_SETATTR, on(fh).mode(0o600).u32(0).b), nil))
		c.Place, c.Peer = &r.places[1], r.peer
		c.Reply.Reset(r.reply)
		_ = r.server.Run(c)
		c.Restart()
		status(nfs3.NFSPROC3_SETATTR, st).Encode(&c.Reply)
		c.Reply.Uint64(0)
		r.server.Settle(c)
	}
	c.Reset()
	owes(vfs.Perm)
	require.EqualValues(t, nfs3.NFS3ERR_PERM, statusOf(c.Reply.Bytes()[acceptedLen:]))
	c.Reset()
	owes(vfs.OK)
	require.EqualValues(t, nfs3.NFS3ERR_IO, statusOf(c.Reply.Bytes()[acceptedLen:]))
}
