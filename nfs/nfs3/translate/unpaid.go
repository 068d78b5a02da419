package translate

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// Unpaid gives a call the status st whose change could not be put on stable storage, unless the
// call has failed before. attributes is how many structures such a failure has that may say that
// they are empty: each a post_op_attr, or a half of a wcc_data. Unpaid says so of all of them, since
// the call's own are no longer known.
func Unpaid(c *rpc.Call, st nfs3.Nfsstat3, attributes int) {
	if binary.BigEndian.Uint32(c.Encoded()) != uint32(nfs3.NFS3_OK) {
		return
	}
	c.Restart()
	st.Encode(&c.Reply)
	for range attributes {
		c.Reply.Bool(false)
	}
}
