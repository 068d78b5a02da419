package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rmdir is RMDIR (RFC 1813, section 3.3.13). "." is INVAL, and ".." is EXIST, because that
// directory is not empty.
func (s *server) rmdir(c *rpc.Call) rpc.Outcome {
	var a nfs3.RMDIR3args
	a.Decode(&c.Args)
	return s.unlink(c, nfs3.NFSPROC3_RMDIR, &a.Object, vfs.Exist, vfs.View.Rmdir)
}
