//go:build !checks

package posixfs

// thread asserts, under the "checks" tag, that a View is used by its thread.
type thread struct{}

func (*thread) adopt() {}
func (*thread) check() {}
