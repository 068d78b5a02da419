package v4

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

const (
	// nameMax is the longest name that goes to a back end (see [vfs.Names]).
	nameMax = 255
	// targetMax is the longest target of a symbolic link: PATH_MAX of Linux without the NUL.
	targetMax = 4095
)

// decodeName reads a component4, a view. Of a longer name a byte more than nameMax is kept.
func decodeName(d *xdr.Decoder) []byte { return d.Clipped(nameMax) }

// checkName judges a name. Names are bytes: which encoding they are in is the clients' affair.
func checkName(name []byte) nfs4.Nfsstat4 {
	switch {
	case len(name) == 0:
		return nfs4.NFS4ERR_INVAL
	case len(name) > nameMax:
		return nfs4.NFS4ERR_NAMETOOLONG
	case string(name) == "." || string(name) == "..":
		return nfs4.NFS4ERR_BADNAME
	case bytes.IndexByte(name, '/') >= 0 || bytes.IndexByte(name, 0) >= 0:
		return nfs4.NFS4ERR_BADCHAR
	}
	return nfs4.NFS4_OK
}
