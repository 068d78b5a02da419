package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func of(t *testing.T, lines ...string) (*result, string) {
	t.Helper()
	var shown bytes.Buffer
	r, err := read(strings.NewReader(strings.Join(lines, "\n")+"\n"), &shown, "unit")
	require.NoError(t, err)
	return r, shown.String()
}

func TestLeavesAreCounted(t *testing.T) {
	r, shown := of(t,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestA/x"}`,
		`{"Action":"run","Package":"p","Test":"TestA/x/deep"}`,
		`{"Action":"run","Package":"p","Test":"TestA/y"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/x/deep"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
		`{"Action":"output","Package":"p","Test":"TestA/y","Output":"    a_test.go:7: needs root\n"}`,
		`{"Action":"output","Package":"p","Test":"TestA/y","Output":"    --- SKIP: TestA/y (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestA/y"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p","Elapsed":1.5}`)
	assert.Equal(t, &result{Runs: 1, Passed: 2, Skipped: []string{"unit: p TestA/y: needs root"}}, r)
	assert.Equal(t, "pass unit     p (1.5s)\n", shown)
}

func TestLongTestsAreShown(t *testing.T) {
	_, shown := of(t,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestA/x"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/x","Elapsed":10}`,
		`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":10}`,
		`{"Action":"run","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p","Test":"TestB","Elapsed":9.9}`,
		`{"Action":"pass","Package":"p","Elapsed":20}`)
	assert.Equal(t, "long unit: p TestA (10s)\npass unit     p (20.0s)\n", shown)
}

func TestAFailureCountsOnceWhereItHappened(t *testing.T) {
	r, shown := of(t,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestA/x"}`,
		`{"Action":"run","Package":"p","Test":"TestA/y"}`,
		`{"Action":"output","Package":"p","Test":"TestA/x","Output":"the reason\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestA/x"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/y"}`,
		`{"Action":"fail","Package":"p","Test":"TestA"}`,
		`{"Action":"fail","Package":"p"}`)
	assert.Equal(t, &result{Runs: 1, Passed: 1, Failed: []string{"unit: p TestA/x"}}, r)
	assert.Contains(t, shown, "the reason\n")
}

func TestAPanicFailsTheTestsThatWereRunning(t *testing.T) {
	r, shown := of(t,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: no\n"}`,
		`{"Action":"fail","Package":"p"}`)
	assert.Equal(t, &result{Runs: 1, Failed: []string{"unit: p TestA did not end"}}, r)
	assert.Contains(t, shown, "panic: no")
}

func TestAPackageThatFailsOutsideItsTestsCounts(t *testing.T) {
	r, shown := of(t,
		`{"Action":"build-output","ImportPath":"p [p.test]","Output":"p.go:1: syntax error\n"}`,
		`{"Action":"build-fail","ImportPath":"p [p.test]"}`,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"output","Package":"p","Output":"FAIL p [build failed]\n"}`,
		`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
		`{"Action":"run","Package":"q","Test":"TestA"}`,
		`{"Action":"pass","Package":"q","Test":"TestA"}`,
		`{"Action":"output","Package":"q","Output":"leaked\n"}`,
		`{"Action":"fail","Package":"q"}`)
	assert.Equal(t, &result{Runs: 1, Passed: 1, Failed: []string{"unit: p", "unit: q"}}, r)
	assert.Contains(t, shown, "syntax error")
	assert.Contains(t, shown, "leaked")
}

func TestARunThatIsCutShortIsAFailure(t *testing.T) {
	r, _ := of(t, `{"Action":"run","Package":"p","Test":"TestA"}`)
	assert.NotEmpty(t, r.Failed)
	r, shown := of(t, `go: cannot find main module`)
	assert.Empty(t, r.Failed)
	assert.Contains(t, shown, "cannot find")
	var w bytes.Buffer
	assert.False(t, r.write(&w), "a run in which nothing passed is no success")
}

func TestRunsAddUp(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, (&result{Runs: 1, Passed: 2, Skipped: []string{"a: b"}}).save(dir, "unit"))
	require.NoError(t, (&result{Runs: 1, Passed: 3, Failed: []string{"x"}}).save(dir, "unit"))
	require.NoError(t, (&result{Failed: []string{"Lint me"}}).save(dir, "Lint me"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.txt"), []byte("?"), 0o600))
	total, err := load(dir)
	require.NoError(t, err)
	var w bytes.Buffer
	assert.False(t, total.write(&w))
	assert.Equal(t, 2, total.Runs)
	assert.True(t, strings.HasSuffix(w.String(), "\n5 passed, 2 failed, 1 skipped\n"), w.String())
}

func TestWithoutAnyTestThereIsNothingToCount(t *testing.T) {
	var w bytes.Buffer
	assert.True(t, (&result{}).write(&w))
	assert.Empty(t, w.String())
	assert.False(t, (&result{Failed: []string{"lint"}}).write(&w))
	assert.Equal(t, "failed: lint\n0 passed, 1 failed, 0 skipped\n", w.String())
}
