package transport

import (
	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// ring is what a lane needs of the kernel. Tests use a scripted one.
type ring interface {
	loop.Ring
	bufring.Registrar
	Has(uring.Feature) bool
	// Provide registers a ring of provided buffers.
	Provide(id uring.GroupID, entries int, incremental bool) (provided, error)
	Close() error
}

// provided is a registered ring of provided buffers.
type provided interface {
	bufring.Provider
	Close() error
}

// kernelRing is a ring of the kernel.
type kernelRing struct{ *uring.Ring }

// slabExtentsMax is how many pieces of send memory can be registered.
const slabExtentsMax = 1024

// newKernelRing makes a ring for the calling thread.
func newKernelRing(without uring.Feature) (ring, error) {
	r, err := uring.New(uring.Config{Entries: ringEntries, CQEntries: completionEntries, Without: without})
	if err != nil {
		return nil, err
	}
	return kernelRing{r}, nil
}

func (r kernelRing) Has(f uring.Feature) bool { return r.Features().Has(f) }

func (r kernelRing) Provide(id uring.GroupID, entries int, incremental bool) (provided, error) {
	return r.NewBufRing(id, entries, incremental)
}

// RegisterBuffer implements bufring.Registrar. The first call also makes the table.
func (r kernelRing) RegisterBuffer(index int, mem []byte) error {
	if index == 0 {
		if err := r.RegisterBufferTable(slabExtentsMax); err != nil {
			return err
		}
	}
	return r.UpdateBuffers(index, mem)
}
