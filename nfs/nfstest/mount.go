package nfstest

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Caller makes calls of any program: a Client, or a [Datagram].
type Caller interface {
	Raw(prog, vers, proc uint32, args []byte) rpctest.Reply
	fatal(args ...any)
}

func (c *Client) fatal(args ...any) {
	c.t.Helper()
	c.t.Fatal(args...)
}

// call makes a call that must succeed.
func call(c Caller, prog, vers, proc uint32, args []byte, res Decoder) {
	r := c.Raw(prog, vers, proc, args)
	if r.Denied || r.Accept != rpctest.Success {
		c.fatal("refused:", r)
	}
	if err := Decode(r.Results, res); err != nil {
		c.fatal(err)
	}
}

// nothing is a result without bytes.
type nothing struct{}

func (nothing) Decode(*xdr.Decoder) {}

// text is a string.
type text string

func (s *text) Decode(d *xdr.Decoder) { *s = text(d.Opaque(math.MaxUint32)) }

// number is an unsigned integer.
type number uint32

func (n *number) Decode(d *xdr.Decoder) { *n = number(d.Uint32()) }

// Mount calls MNT of MOUNT version 3.
func Mount(c Caller, path string) (FH, mount.Mountstat3) {
	var res mount.Mountres3
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_MNT, rpctest.Args(nil).String(path), &res)
	if res.FhsStatus != mount.MNT3_OK {
		return FH{}, res.FhsStatus
	}
	return FH{Data: res.Mountinfo.Fhandle}, res.FhsStatus
}

// Unmount calls UMNT.
func Unmount(c Caller, path string) {
	call(c, mount.MOUNT_PROGRAM, 3, mount.MOUNTPROC3_UMNT, rpctest.Args(nil).String(path), nothing{})
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
	var port number
	call(c, portmap.RPCBPROG, 2, 3, rpctest.Args(nil).U32(prog, vers, protocol, 0), &port)
	return uint32(port)
}

// DumpPorts calls DUMP of portmap version 2.
func DumpPorts(c Caller) (res portmap.PmaplistPtr) {
	call(c, portmap.RPCBPROG, 2, 4, nil, &res)
	return res
}

// GetAddr calls GETADDR of rpcbind version 3 or 4.
func GetAddr(c Caller, rpcbind, prog, vers uint32, netid string) string {
	var addr text
	args := rpctest.Args(nil).U32(prog, vers).String(netid).String("").String("")
	call(c, portmap.RPCBPROG, rpcbind, 3, args, &addr)
	return string(addr)
}

// DumpAddrs calls DUMP of rpcbind version 3 or 4.
func DumpAddrs(c Caller, rpcbind uint32) (res portmap.RpcblistPtr) {
	call(c, portmap.RPCBPROG, rpcbind, 4, nil, &res)
	return res
}
