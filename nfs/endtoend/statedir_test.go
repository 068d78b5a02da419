package endtoend

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
)

func TestAStateDirectoryThatAnybodyCanWriteToEndsTheStart(t *testing.T) {
	noLeaks(t)
	needRing(t)
	cfg := config(t, exportDir(t))
	require.NoError(t, os.Chmod(cfg.StateDir, 0o777))
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, cfg.StateDir)
	require.ErrorContains(t, err, "chmod go-w")
}

func TestAStateDirectoryInMemoryIsNotedAtTheStart(t *testing.T) {
	noLeaks(t)
	cfg := config(t, exportDir(t))
	cfg.StateDir = memoryDir(t)
	s := start(t, cfg)
	defer s.stop()
	require.Contains(t, strings.Join(s.Info().Notes, "\n"), cfg.StateDir+" is in memory")
}

// The mode does not show who may write: with a list, it shows the most that anybody may do.
func TestAStateDirectoryThatAListLetsOthersWriteToEndsTheStart(t *testing.T) {
	noLeaks(t)
	needRing(t)
	setfacl, err := exec.LookPath("setfacl")
	if err != nil {
		t.Skipf("needs setfacl: %v", err)
	}
	cfg := config(t, exportDir(t))
	list := func(args ...string) {
		t.Helper()
		text, err := exec.Command(setfacl, append(args, cfg.StateDir)...).CombinedOutput()
		if err != nil {
			t.Skipf("needs access control lists: %v %s", err, text)
		}
	}
	require.NoError(t, os.Chmod(cfg.StateDir, 0o700))
	for _, who := range []string{"u:61001", "g:61001"} {
		list("-b", "-m", who+":rwx")
		_, err = nfs.New(cfg)
		require.ErrorContains(t, err, cfg.StateDir, who)
		require.ErrorContains(t, err, "setfacl -b", who)
	}
	for _, fine := range []string{"u:61001:r-x", "u:0:rwx"} {
		list("-b", "-m", fine)
		s, err := nfs.New(cfg)
		require.NoError(t, err, fine)
		require.NoError(t, s.Close())
	}
}

func TestAStateDirectoryThatCannotBeMadeSaysWhatToDo(t *testing.T) {
	noLeaks(t)
	needRing(t)
	cfg := config(t, exportDir(t))
	cfg.StateDir = "/proc/ringnfs"
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "state directory /proc/ringnfs: ")
	require.ErrorContains(t, err, "give --state-dir another one")
}
