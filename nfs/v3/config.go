package v3

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// Bounds of [Config].
const (
	// TransferMax is the most bytes that ReadMax and WriteMax may be.
	TransferMax = 4 << 20
	// DirectoryMax is the most bytes that ReadDirMax may be.
	DirectoryMax = 1 << 20

	transferDefault  = 1 << 20
	directoryDefault = 64 << 10
	placesDefault    = 1024
	// granule is the size of which transfers should be multiples (rtmult and wtmult). No limit
	// can be less.
	granule = 4096
)

// Config holds the limits that FSINFO tells clients. They are rounded down to multiples of 4 KiB
// and brought into their ranges; 0 means the default.
type Config struct {
	ReadMax    uint32 // bytes in a READ (rtmax), 1 MiB by default, at most [TransferMax]
	WriteMax   uint32 // bytes in a WRITE (wtmax), as ReadMax
	ReadDirMax uint32 // bytes in a listing (dtpref), 64 KiB by default, at most [DirectoryMax]
	// Places is how many places run the program's procedures, the same number as the export
	// table has. The default allows 1024.
	Places int
	// Refused, if not nil, is told of each call that an export refuses because of where the
	// call comes from. It is called on the thread that runs the call, which may not sleep.
	Refused func(*rpc.Call, *export.Export, export.Refusal)
}

func (c *Config) settle() {
	c.ReadMax = limit(c.ReadMax, transferDefault, TransferMax)
	c.WriteMax = limit(c.WriteMax, transferDefault, TransferMax)
	c.ReadDirMax = limit(c.ReadDirMax, directoryDefault, DirectoryMax)
	if c.Places <= 0 {
		c.Places = placesDefault
	}
}

func limit(v, byDefault, most uint32) uint32 {
	if v == 0 {
		v = byDefault
	}
	return min(max(v, granule), most) &^ (granule - 1)
}
