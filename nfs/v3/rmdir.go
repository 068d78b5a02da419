package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rmdir is RMDIR (RFC 1813, section 3.3.13), where "." is INVAL and ".." is
// EXIST: that directory is not empty.
func (s *server) rmdir(c *rpc.Call) rpc.Outcome {
	return s.unlink(c, procRmdir, vfs.Exist, vfs.View.Rmdir)
}
