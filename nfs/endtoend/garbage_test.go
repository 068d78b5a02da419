package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfsacl"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

func TestTruncatedArgumentsAreGarbage(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	before := getattr(t, c, f)
	for proc, args := range validArgs(root, f) {
		if args == nil {
			continue
		}
		whole := nfstest.Bytes(t, args)
		calls := make([]*nfstest.Pending, len(whole))
		for n := range whole {
			calls[n] = c.StartRaw(nfs3.NFS_PROGRAM, 3, uint32(proc), whole[:n])
		}
		for n, p := range calls {
			r := p.Reply()
			require.False(t, r.Denied)
			require.EqualValues(
				t,
				rpctest.GarbageArgs,
				r.Accept,
				"%s cut to %d of %d bytes",
				nfs3.NFSV3Names[proc],
				n,
				len(whole),
			)
		}
	}
	require.Equal(t, before, getattr(t, c, f), "nothing was done")
	require.Equal(t, []string{"file"}, c.Names(root))
}

func TestLengthsBeyondTheRecordAreGarbage(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", []byte("content"))
	for proc, args := range validArgs(root, f) {
		if args == nil {
			continue
		}
		whole := nfstest.Bytes(t, args)
		for _, text := range []string{string(root.Data), string(f.Data), "entry", "other", "target", "ten bytes."} {
			at := bytes.Index(whole, append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
			if at < 0 {
				continue
			}
			for _, n := range []uint32{uint32(len(whole)), 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 4, 1<<32 - 1} {
				bad := bytes.Clone(whole)
				binary.BigEndian.PutUint32(bad[at:], n)
				r := c.Raw(nfs3.NFS_PROGRAM, 3, uint32(proc), bad)
				require.EqualValues(
					t,
					rpctest.GarbageArgs,
					r.Accept,
					"%s, %q of %d bytes",
					nfs3.NFSV3Names[proc],
					text,
					n,
				)
			}
		}
	}
	for _, n := range []uint32{1, 1024, 1<<31 - 1, 1<<32 - 1} {
		r := c.Raw(mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, rpctest.Args(nil).U32(n))
		require.EqualValues(t, rpctest.GarbageArgs, r.Accept)
	}
	require.Equal(t, []string{"file"}, c.Names(root))
}

func TestValuesOutsideTheirRangeAreGarbage(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	h := func(x fh) rpctest.Args { return rpctest.Args(nil).Opaque(x.Data) }
	for name, bad := range map[string]struct {
		proc uint32
		args rpctest.Args
	}{
		"a boolean of 2":     {nfs3.NFSPROC3_SETATTR, h(f).U32(2, 0, 0, 0, 0, 0, 0)},
		"time_how 3":         {nfs3.NFSPROC3_SETATTR, h(f).U32(0, 0, 0, 0, 3, 0, 0)},
		"guard 2":            {nfs3.NFSPROC3_SETATTR, h(f).U32(0, 0, 0, 0, 0, 0, 2)},
		"stable_how 3":       {nfs3.NFSPROC3_WRITE, h(f).U64(0).U32(1, 3).String("x")},
		"createmode 3":       {nfs3.NFSPROC3_CREATE, h(root).String("x").U32(3, 0, 0, 0, 0, 0, 0)},
		"a handle too long":  {nfs3.NFSPROC3_GETATTR, rpctest.Args(nil).Opaque(make([]byte, 65))},
		"a handle of 400":    {nfs3.NFSPROC3_FSSTAT, rpctest.Args(nil).Opaque(make([]byte, 400))},
		"a directory of 65":  {nfs3.NFSPROC3_LOOKUP, rpctest.Args(nil).Opaque(make([]byte, 65)).String("x")},
		"device of type -1":  {nfs3.NFSPROC3_MKNOD, h(root).String("x").U32(1<<32-1, 0, 0, 0, 0, 0, 0)},
		"device of no type":  {nfs3.NFSPROC3_MKNOD, h(root).String("x").U32(0, 0, 0, 0, 0, 0, 0)},
		"device of a type 8": {nfs3.NFSPROC3_MKNOD, h(root).String("x").U32(8, 0, 0, 0, 0, 0, 0)},
	} {
		r := c.Raw(nfs3.NFS_PROGRAM, 3, bad.proc, bad.args)
		require.EqualValues(t, rpctest.GarbageArgs, r.Accept, name)
	}
	require.Equal(t, []string{"file"}, c.Names(root))
}

func TestBadCredentialsAreDenied(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	args := nfstest.Bytes(t, &nfs3.GETATTR3args{Object: root})
	groups := make([]uint32, 17)
	many := rpctest.Sys(1, 1, groups...)
	require.Less(t, len(many.Body), 400)
	lies := rpctest.Sys(1, 1)
	binary.BigEndian.PutUint32(lies.Body[len(lies.Body)-4:], 16)
	for name, cred := range map[string]rpctest.Opaque{
		"of 401 bytes":                  {Flavor: 1, Body: make([]byte, 401)},
		"of 64 KiB":                     {Flavor: 1, Body: make([]byte, 64<<10)},
		"AUTH_NONE of 404 bytes":        {Flavor: 0, Body: make([]byte, 404)},
		"with 17 groups":                many,
		"with fewer groups than it has": lies,
		"empty":                         {Flavor: 1},
		"with a name of 256 bytes":      {Flavor: 1, Body: rpctest.Args(nil).U32(1).String(fmt.Sprintf("%256d", 1)).U32(0, 0, 0)},
		"of an unknown flavor":          {Flavor: 77},
	} {
		r := c.With(cred).Raw(nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_GETATTR, args)
		require.True(t, r.Denied, name)
		require.EqualValues(t, rpctest.AuthError, r.Reject, name)
		require.EqualValues(t, rpctest.AuthBadCred, r.Auth, name)
	}
	ok(t, c.As(1, 1, groups[:16]...).Getattr(root).Status)
	ok(t, c.Getattr(root).Status)
}

func TestOtherVersionsAndProgramsAreTold(t *testing.T) {
	s, _ := serveDir(t)
	c := s.dial()
	for _, v := range []uint32{0, 1, 2, 4, 5, 1<<32 - 1} {
		r := c.Raw(nfs3.NFS_PROGRAM, v, 0, nil)
		require.EqualValues(t, rpctest.ProgMismatch, r.Accept, "version %d", v)
		require.EqualValues(t, 3, r.Low)
		require.EqualValues(t, 3, r.High)
	}
	// This is a COMPOUND of version 4, from a client that does not know yet that there is no
	// version 4.
	r := c.Raw(nfs3.NFS_PROGRAM, 4, 1, rpctest.Args(nil).String("").U32(1, 1, 42))
	require.EqualValues(t, rpctest.ProgMismatch, r.Accept)
	r = c.Raw(mount3.MOUNT_PROGRAM, 4, 0, nil)
	require.EqualValues(t, rpctest.ProgMismatch, r.Accept)
	require.Equal(t, []uint32{1, 3}, []uint32{r.Low, r.High})
	r = c.Raw(nfsacl.NFS_ACL_PROGRAM, 3, 0, nil)
	require.EqualValues(t, rpctest.Success, r.Accept, "on the port of NFS")
	r = c.Raw(nfsacl.NFS_ACL_PROGRAM, 2, 0, nil)
	require.EqualValues(t, rpctest.ProgMismatch, r.Accept)
	require.Equal(t, []uint32{3, 3}, []uint32{r.Low, r.High})
	require.EqualValues(t, rpctest.ProgUnavail, c.Raw(100021, 4, 0, nil).Accept, "NLM is not served")
	require.EqualValues(
		t,
		rpctest.ProcUnavail,
		c.Raw(nfs3.NFS_PROGRAM, 3, uint32(len(nfs3.NFSV3Names)), nil).Accept,
	)
	require.EqualValues(t, rpctest.ProcUnavail, c.Raw(nfs3.NFS_PROGRAM, 3, 1<<32-1, nil).Accept)
	require.EqualValues(t, rpctest.ProcUnavail, c.Raw(mount3.MOUNT_PROGRAM, 3, 6, nil).Accept)
	call := rpctest.NewCall(nfstest.NewXID(), nfs3.NFS_PROGRAM, 3, 0, nil)
	call.RPCVers = 3
	r = c.XID(call.XID).StartMessage(call.Bytes()).Reply()
	require.True(t, r.Denied)
	require.EqualValues(t, rpctest.RPCMismatch, r.Reject)
	require.Equal(t, []uint32{2, 2}, []uint32{r.Low, r.High})
	c.Null()
}

func TestTruncatedHeadersEndTheConnectionAlone(t *testing.T) {
	s, _ := serveDir(t)
	other := s.dial()
	whole := rpctest.NewCall(1, nfs3.NFS_PROGRAM, 3, 0, nil).As(rpctest.Sys(1, 2, 3)).Bytes()
	for n := 0; n < len(whole); n += 4 {
		c := s.dial()
		require.NoError(t, c.Send(rpctest.Record(whole[:n])))
		<-c.Done()
		c.Close()
	}
	reply := s.dial()
	message := rpctest.NewCall(1, nfs3.NFS_PROGRAM, 3, 0, nil)
	message.Type = 1
	require.NoError(t, reply.Send(message.Record()))
	<-reply.Done()
	huge := s.dial()
	require.NoError(t, huge.Send([]byte{0xff, 0xff, 0xff, 0xff}))
	<-huge.Done()
	other.Null()
}
