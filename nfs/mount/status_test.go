package mount

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The values of mountstat3 in RFC 1813, section 5.1.5, each with the outcomes of a walk that are
// answered with it. All other outcomes are the server's fault.
func TestEveryOutcomeHasItsNumberOfTheProtocol(t *testing.T) {
	numbers := map[vfs.Status]uint32{
		vfs.OK:          0,     // MNT3_OK
		vfs.Perm:        1,     // MNT3ERR_PERM
		vfs.NoEnt:       2,     // MNT3ERR_NOENT
		vfs.Stale:       2,     // the export's own directory is gone
		vfs.IO:          5,     // MNT3ERR_IO
		vfs.NXIO:        5,     //
		vfs.Access:      13,    // MNT3ERR_ACCES
		vfs.XDev:        13,    // a way that leaves the export
		vfs.Loop:        13,    //
		vfs.NotDir:      20,    // MNT3ERR_NOTDIR
		vfs.BadType:     20,    //
		vfs.Inval:       22,    // MNT3ERR_INVAL
		vfs.NameTooLong: 63,    // MNT3ERR_NAMETOOLONG
		vfs.NotSupp:     10004, // MNT3ERR_NOTSUPP
	}
	for st := range vfs.NumStatus + 1 {
		want, listed := numbers[st]
		if !listed {
			want = 10006 // MNT3ERR_SERVERFAULT
		}
		require.EqualValues(t, want, statusOf(st), "%v", st)
	}
}

func TestAPathMayHave1024Bytes(t *testing.T) {
	r := newRig(t)
	for n, want := range map[int]uint32{1023: 0, 1024: 0, 1025: 63, 5000: 63} {
		p := "/srv/a" + strings.Repeat("/", n-len("/srv/a"))
		require.EqualValues(t, want, r.mnt(p).FhsStatus, "%d bytes", n)
	}
}
