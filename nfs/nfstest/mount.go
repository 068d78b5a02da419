package nfstest

import (
	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Caller makes calls of any program: a Client, or a [Datagram].
type Caller interface {
	client.Caller
	Raw(prog, vers, proc uint32, args []byte) rpctest.Reply
	fatal(args ...any)
}

func (c *Client) fatal(args ...any) {
	c.t.Helper()
	c.t.Fatal(args...)
}

// call makes a call that must succeed.
func call(c Caller, prog, vers, proc uint32, args Encoder, res Decoder) {
	if err := c.Call(prog, vers, proc, args, res); err != nil {
		c.fatal(err)
	}
}

// Mount calls MNT of MOUNT version 3.
func Mount(c Caller, path string) (FH, mount.Mountstat3) {
	var res mount.Mountres3
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_MNT, client.Text(path), &res)
	if res.FhsStatus != mount.MNT3_OK {
		return FH{}, res.FhsStatus
	}
	return FH{Data: res.Mountinfo.Fhandle}, res.FhsStatus
}

// Unmount calls UMNT.
func Unmount(c Caller, path string) {
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_UMNT, client.Text(path), nil)
}

// Mounts calls DUMP.
func Mounts(c Caller) (res mount.Mountlist) {
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_DUMP, nil, &res)
	return res
}

// Exports calls EXPORT.
func Exports(c Caller) (res mount.Exports) {
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_EXPORT, nil, &res)
	return res
}

// GetPort calls GETPORT of portmap version 2.
func GetPort(c Caller, prog, vers, protocol uint32) uint32 {
	var port client.Number
	call(c, portmap.RPCBPROG, 2, 3, client.Numbers{prog, vers, protocol, 0}, &port)
	return uint32(port)
}

// DumpPorts calls DUMP of portmap version 2.
func DumpPorts(c Caller) (res portmap.PmaplistPtr) {
	call(c, portmap.RPCBPROG, 2, 4, nil, &res)
	return res
}

// GetAddr calls GETADDR of rpcbind version 3 or 4.
func GetAddr(c Caller, rpcbind, prog, vers uint32, netid string) string {
	var addr client.Text
	args := &portmap.Rpcb{RProg: prog, RVers: vers, RNetid: []byte(netid)}
	call(c, portmap.RPCBPROG, rpcbind, 3, args, &addr)
	return string(addr)
}

// DumpAddrs calls DUMP of rpcbind version 3 or 4.
func DumpAddrs(c Caller, rpcbind uint32) (res portmap.RpcblistPtr) {
	call(c, portmap.RPCBPROG, rpcbind, 4, nil, &res)
	return res
}
