package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A lane asks for a directory's attributes once for all LOOKUPs in it that it runs
// between two looks for new calls (vfs.Thread.Epoch). They had all arrived before
// the first of them ran, so what the kernel said then is no older than the question
// of any of them. Lanes do not change directories themselves.

// samplesMax is how many directories a lane keeps a sample of.
const samplesMax = 64

// sample is a directory as a lane has last seen it.
type sample struct {
	dir   uint64 // entry.id
	epoch uint64
	st    unix.Statx_t
	// For namecache.go: how many LOOKUPs have been answered since it had this
	// stamp, or was last asked for, and after how many it is asked for.
	stamp         int64
	count, enough uint32
}

// sampleOf returns de's place, nil on a worker.
func (v *View) sampleOf(de *entry) *sample {
	if !v.samples.Ready() {
		return nil
	}
	p := v.samples.At(de.ID)
	if p.dir != de.ID {
		p.dir, p.epoch, p.stamp = de.ID, 0, 0
	}
	return p
}

// see gets the attributes of the directory de into v.st, as they were at some time
// since the call arrived.
func (v *View) see(de *entry) vfs.Status {
	p, epoch := v.sampleOf(de), v.th.Epoch
	if p == nil || epoch == 0 {
		return v.stat(de, &v.st)
	}
	if p.epoch == epoch {
		v.st = p.st
		return vfs.OK
	}
	s := v.stat(de, &v.st)
	if s == vfs.OK {
		p.epoch, p.st = epoch, v.st
	}
	return s
}
