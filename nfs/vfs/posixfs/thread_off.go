//go:build !checks

package posixfs

// thread asserts under the "checks" build tag that only its own thread uses a View.
type thread struct{}

func (*thread) adopt() {}
func (*thread) check() {}
