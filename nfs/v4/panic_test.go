package v4

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// mined is a back end whose Lookup panics when it is told to.
type mined struct {
	vfs.FS
	goesOff *bool
}

type minedView struct {
	vfs.View
	goesOff *bool
}

func (m mined) View(t *vfs.Thread) (vfs.View, error) {
	v, err := m.FS.View(t)
	return &minedView{v, m.goesOff}, err
}

func (v *minedView) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	if *v.goesOff && string(name) == "f" {
		panic("the back end has a fault")
	}
	return v.View.Lookup(c, dir, name, f)
}

// The rule: after a panic the owner's turn is over, and the slot is free; the client may ask again.
func TestAPanicEndsTheTurnAndFreesTheSlot(t *testing.T) {
	fs, goesOff := memfs.New(memfs.Config{Mode: 0o777}), false
	r := newRig(t, remembers(new(uint32)), export.Export{
		Path: "/x", FS: mined{fs, &goesOff}, Options: export.Options{Squash: export.SquashNone},
	})
	maker(t, r, fs)("f", "content")
	panics := 0
	r.server.OnPanic = func(*rpc.Call, any, []byte) { panics++ }
	s := r.session("new")
	r.ok(s.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	r.minor = 0
	id := r.client0("old")
	open := openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE)
	open.Opopen.Owner.Clientid, open.Opopen.Seqid = nfs4.Clientid4(id), 1
	old := append(walk("x"), open)
	fails := func(ops []nfs4.NfsArgop4) {
		args := nfs4.COMPOUND4args{Minorversion: r.minor, Argarray: ops}
		reply := r.run(r.record(encoded(t, args.Encode)))
		require.EqualValues(t, rpctest.SystemErr, binary.BigEndian.Uint32(reply[20:]))
	}
	goesOff = true
	fails(old)
	r.minor = 2
	mine := in(s.sequence(), append(walk("x"), openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE))...)
	fails(mine)
	require.Equal(t, 2, panics)

	goesOff = false
	require.Zero(t, r.cfg.State.Counts().SlotsBusy)
	require.Equal(t, nfs4.NFS4ERR_RETRY_UNCACHED_REP, r.do(mine...).Status, "what has run is not known")
	r.ok(in(s.sequence(), mine[1:]...)...)
	r.minor = 0
	r.ok(old...)
}
