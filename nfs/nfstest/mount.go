package nfstest

import (
	"errors"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/mount3"
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
	must(c, 0, c.Call(prog, vers, proc, args, res))
}

// must ends the test if a call has failed.
func must[R any](c Caller, res R, err error) R {
	if err != nil {
		c.fatal(err)
	}
	return res
}

// Mount calls MNT of MOUNT version 3.
func Mount(c Caller, path string) (FH, mount3.Mountstat3) {
	res, err := client.Mount{Caller: c}.Mnt(path)
	var refused *client.MountError
	if err != nil && !errors.As(err, &refused) {
		c.fatal(err)
	}
	return FH{Data: res.Mountinfo.Fhandle}, res.FhsStatus
}

// Unmount calls UMNT.
func Unmount(c Caller, path string) {
	must(c, 0, client.Mount{Caller: c}.Umnt(path))
}

// Mounts calls DUMP.
func Mounts(c Caller) mount3.Mountlist {
	res, err := client.Mount{Caller: c}.Dump()
	return must(c, res, err)
}

// Exports calls EXPORT.
func Exports(c Caller) mount3.Exports {
	res, err := client.Mount{Caller: c}.Export()
	return must(c, res, err)
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
