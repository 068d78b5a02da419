package nfstest

import "github.com/ringnfs/ringnfs/nfs/client"

// The parts of calls, from package client.
var (
	Mode      = client.Mode      // sets a mode
	Size      = client.Size      // sets a size
	Owner     = client.Owner     // sets user and group
	Times     = client.Times     // sets both times to the given values
	TimesNow  = client.TimesNow  // sets both times to the server's present
	At        = client.At        // an entry of a directory
	ReadArgs  = client.ReadArgs  // the arguments of READ
	WriteArgs = client.WriteArgs // the arguments of WRITE
)
