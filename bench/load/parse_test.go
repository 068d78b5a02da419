package load

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargetsAreUnderstood(t *testing.T) {
	for text, want := range map[string]Target{
		"host:/srv/data":              {Host: "host", Path: "/srv/data"},
		"host:2049:/":                 {Host: "host", Port: 2049, Path: "/"},
		"192.0.2.1:12049:/a:b/c":      {Host: "192.0.2.1", Port: 12049, Path: "/a:b/c"},
		"[2001:db8::1]:/x":            {Host: "2001:db8::1", Path: "/x"},
		"[2001:db8::1]:2050:/x":       {Host: "2001:db8::1", Port: 2050, Path: "/x"},
		"nfs://host/srv":              {Host: "host", Path: "/srv"},
		"nfs://host:2050/srv":         {Host: "host", Port: 2050, Path: "/srv"},
		"nfs://[2001:db8::1]:2050/":   {Host: "2001:db8::1", Port: 2050, Path: "/"},
		"nfs://host":                  {Host: "host", Path: "/"},
		"nfs://host/with%20blank/dir": {Host: "host", Path: "/with blank/dir"},
	} {
		got, err := ParseTarget(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := ParseTarget(got.String())
		require.NoError(t, err, got.String())
		require.Equal(t, want, again, got.String())
	}
	for _, text := range []string{"", "host", "host:", ":/x", "host:0:/x", "host:x:/x", "host:70000:/x", "nfs://", "nfs:///x", "nfs://host:0/x", "[::1:/x"} {
		_, err := ParseTarget(text)
		require.Error(t, err, text)
	}
}

func TestWorkloadsAreUnderstood(t *testing.T) {
	for text, want := range map[string]Workload{
		"null":          {Kind: "null"},
		"read":          {Kind: "read", Size: 4096},
		"read-64k":      {Kind: "read", Size: 64 << 10},
		"READ-1m-rand":  {Kind: "read", Size: 1 << 20, Random: true},
		"write-512-seq": {Kind: "write", Size: 512},
		"tree-16k":      {Kind: "tree", Size: 16 << 10},
	} {
		got, err := ParseWorkload(text, 0, false)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := ParseWorkload(got.String(), 0, false)
		require.NoError(t, err, got.String())
		require.Equal(t, want, again, got.String())
	}
	w, err := ParseWorkload("read", 8<<10, true)
	require.NoError(t, err)
	require.Equal(t, Workload{Kind: "read", Size: 8 << 10, Random: true}, w)
	w, err = ParseWorkload("read-4k-seq", 8<<10, true)
	require.NoError(t, err)
	require.Equal(t, Workload{Kind: "read", Size: 4 << 10}, w)
	for _, text := range []string{"", "reed", "read-", "read-0", "read-5", "read-8m", "getattr-4k", "null-rand", "read-4k-often"} {
		_, err := ParseWorkload(text, 0, false)
		require.Error(t, err, text)
	}
}

func TestAPatternIsCheckedToItsLastWord(t *testing.T) {
	b := make([]byte, 4096)
	fill(b, 7, 8192)
	require.NoError(t, check(b, 7, 8192))
	require.Error(t, check(b, 8, 8192), "another file")
	require.Error(t, check(b, 7, 0), "another place")
	for _, at := range []int{0, 1000, 4095} {
		b[at] ^= 1
		require.Error(t, check(b, 7, 8192))
		b[at] ^= 1
	}
	// A block is the same whether made alone or as a part of a larger one.
	c := make([]byte, 512)
	fill(c, 7, 8192+1024)
	require.Equal(t, b[1024:1536], c)
}
