// Package uringtest is a scripted ring for tests of what drives one: no
// kernel, no clock, every completion decided by the test or by a seed.
package uringtest

import (
	"time"

	"github.com/ringnfs/ringnfs/uring"
)

// Driver is what a loop needs of a ring; *uring.Ring has it. Packages that
// consume a ring declare it for themselves, this one is for reference and for
// the assertion that the fake fits.
type Driver interface {
	SQE() *uring.SQE
	Submit() (int, error)
	Wait(min uint32, timeout time.Duration) error
	Harvest(dst []uring.CQE) int
	Close() error
}

var _ Driver = (*uring.Ring)(nil)
