package posixfs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestMapsOfUserNamespaces(t *testing.T) {
	for text, want := range map[string]vfs.IDs{
		"         0          0 4294967295\n": nil,
		"0 100000 1\n1 200000 4294967294\n":  nil,
		"         0       1000          1\n": {{First: 0, Count: 1}},
		"0 100000 65536\n100000 300000 10\n": {{First: 0, Count: 65536}, {First: 100000, Count: 10}},
		"":                                   {},
	} {
		got, err := parseMap(text)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", text)
	}
	_, err := parseMap("0 1000\n")
	require.ErrorContains(t, err, "0 1000")
}

func TestWhomToTryIsMappedAndNotRoot(t *testing.T) {
	n := namespace{}
	c, ok := n.other()
	require.True(t, ok)
	require.Equal(t, &vfs.Cred{UID: 65534, GID: 65534, Groups: []uint32{65533}}, c)
	n = namespace{users: vfs.IDs{{First: 0, Count: 1000}}, groups: vfs.IDs{{First: 0, Count: 1}, {First: 7, Count: 1}}}
	c, ok = n.other()
	require.True(t, ok)
	require.Equal(t, &vfs.Cred{UID: 999, GID: 7, Groups: []uint32{7}}, c)
	n = namespace{users: vfs.IDs{{First: 0, Count: 1}}, groups: vfs.IDs{{First: 0, Count: 1}}}
	_, ok = n.other()
	require.False(t, ok)
}
