package checks

import "testing"

// caught returns what f panicked with.
func caught(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestAssertionsExistOnlyUnderTheTag(t *testing.T) {
	for name, f := range map[string]func(){
		"checks: broken":             func() { Assert(false, "broken") },
		"checks: unreachable: place": func() { Unreachable("place") },
	} {
		var want any
		if Enabled {
			want = name
		}
		if got := caught(f); got != want {
			t.Errorf("panicked with %v, want %v", got, want)
		}
	}
	Assert(true, "holds")
}
