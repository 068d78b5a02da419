package disktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a program that fails with these words as often as it is said to.
func program(t *testing.T, failures, words string) (name, counter string) {
	t.Helper()
	dir := t.TempDir()
	name, counter = filepath.Join(dir, "mkfs"), filepath.Join(dir, "runs")
	script := "echo x >> " + counter + "\n" +
		"[ $(wc -l < " + counter + ") -gt " + failures + " ] || { echo '" + words + "'; exit 1; }\n"
	if err := os.WriteFile(name, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return name, counter
}

func runs(t *testing.T, counter string) int {
	t.Helper()
	b, err := os.ReadFile(counter)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

func TestADeviceThatVanishesIsNoFailure(t *testing.T) {
	name, counter := program(t, "3", "ERROR: cannot check mount status of img: No such device or address")
	if err := MakeFS("sh", name); err != nil {
		t.Fatal(err)
	}
	if n := runs(t, counter); n != 4 {
		t.Errorf("it ran %d times", n)
	}
}

func TestOtherFailuresAreToldAtOnce(t *testing.T) {
	name, counter := program(t, "3", "ERROR: no space left")
	err := MakeFS("sh", name)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("it says %v", err)
	}
	if n := runs(t, counter); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}
