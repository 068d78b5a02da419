package main

import (
	"encoding/hex"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheImageIsAnArchiveThatTheKernelUnpacks(t *testing.T) {
	m := &image{}
	m.add("/a/b/file", 0o755, []byte("hello"))
	m.add("a/b/file", 0o644, []byte("twice")) // what is there stays
	m.dir("/a")
	b := m.cpio()
	type member struct {
		name string
		mode uint64
		data string
	}
	var got []member
	for at := 0; at < len(b); {
		require.Equal(t, "070701", string(b[at:at+6]))
		field := func(i int) int {
			v, err := strconv.ParseUint(string(b[at+6+8*i:at+14+8*i]), 16, 32)
			require.NoError(t, err)
			return int(v)
		}
		nameSize, size, mode := field(11), field(6), field(1)
		name := string(b[at+110 : at+110+nameSize-1])
		data := (at + 110 + nameSize + 3) &^ 3
		if name == "TRAILER!!!" {
			break
		}
		got = append(got, member{name, uint64(mode), string(b[data : data+size])})
		at = (data + size + 3) &^ 3
	}
	require.Equal(t, []member{{"a", 0o040755, ""}, {"a/b", 0o040755, ""},
		{"a/b/file", 0o100755, "hello"}}, got, hex.Dump(b))
}

func TestTheMetapackageNamesItsKernel(t *testing.T) {
	require.Equal(t, "linux-image-6.12.95+deb12-amd64",
		dependency("linux-image-amd64\n  Depends: linux-image-6.12.95+deb12-amd64\n"))
	require.Empty(t, dependency("linux-image-amd64\n"))
}
