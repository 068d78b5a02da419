package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A lane asks for a directory's attributes once for all LOOKUPs in it that belong to one epoch
// (vfs.Thread.Epoch). All of these LOOKUPs had arrived before the first of them ran, so the
// kernel's answer is no older than any of them. Lanes do not change directories themselves.

// samplesMax is how many directories a lane keeps a sample of.
const samplesMax = 64

// sample is a directory as a lane has last seen it.
type sample struct {
	dir   uint64 // ID of the directory's entry
	epoch uint64
	st    unix.Statx_t
	when  uint64 // the directory's count of changes before st was asked for: see kept.go
	// For namecache.go: stamp is the directory's ctime. count is how many LOOKUPs the lane has
	// answered since the directory got that ctime, or since the lane last asked a worker to
	// settle it. When count reaches enough, the lane asks.
	stamp         int64
	count, enough uint32
}

// sampleOf returns the place of de's sample, nil on a worker.
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

// see reads the attributes of the directory de into v.st. They are from some moment since the call
// arrived, and v.when is the directory's count of changes from before that.
func (v *View) see(de *entry) vfs.Status {
	p, epoch := v.sampleOf(de), v.th.Epoch
	if p != nil && epoch != 0 && p.epoch == epoch {
		v.st, v.when = p.st, p.when
		return vfs.OK
	}
	v.when = count(de)
	s := v.stat(de, &v.st)
	if p != nil && epoch != 0 && s == vfs.OK {
		p.epoch, p.st, p.when = epoch, v.st, v.when
	}
	return s
}
