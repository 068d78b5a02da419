package stable

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Each WRITE reads the verifier, and each change of a name takes the lock.
func TestTheVerifierIsNotOnTheCacheLineOfALock(t *testing.T) {
	var s Store
	behind := unsafe.Offsetof(s.verifier) + unsafe.Sizeof(s.verifier)
	require.GreaterOrEqual(t, unsafe.Offsetof(s.all), behind+64)
}
