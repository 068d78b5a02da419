package syscalls

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

// TestNothingIsRefusedWithoutAFilter tests that the kernel answers the arguments of each call with
// one of the expected errors.
func TestNothingIsRefusedWithoutAFilter(t *testing.T) {
	for i := range Calls {
		c := &Calls[i]
		if c.Need != Must && c.Need != May {
			continue
		}
		e := c.try()
		if e == unix.ENOSYS && c.Since > "6.1" {
			continue // an old kernel may not have the call
		}
		assert.Zero(t, e, "%s: %v", c.Name, e)
	}
}

// TestEachCallIsListedOnce tests that every call has a name, a number and a purpose of its own.
func TestEachCallIsListedOnce(t *testing.T) {
	names, numbers := map[string]bool{}, map[uintptr]bool{}
	for _, c := range Calls {
		assert.NotEmpty(t, c.Purpose, c.Name)
		assert.False(t, names[c.Name] || numbers[c.Nr], c.Name)
		names[c.Name], numbers[c.Nr] = true, true
		if c.Without != "" {
			assert.Equal(t, May, c.Need, c.Name)
		}
	}
}
