package export

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func mustLoad(t *testing.T, dir string) Key {
	t.Helper()
	k, err := LoadKey(dir)
	require.NoError(t, err)
	require.NotEqual(t, Key{}, k)
	return k
}

func TestKeyIsMadeOnceAndStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	k := mustLoad(t, dir)
	require.Equal(t, k, mustLoad(t, dir))
	require.NotEqual(t, k, mustLoad(t, t.TempDir()), "another server has another key")

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(dir, keyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing but the key file is left")
}

func TestKeySurvivesACrashWhileOneWasMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with [brackets]*")
	require.NoError(t, os.Mkdir(dir, 0o755))
	temp := filepath.Join(dir, ".handle.key-123")
	for _, torn := range []string{"", keyPrefix, strings.Repeat("x", 5000)} {
		require.NoError(t, os.WriteFile(temp, []byte(torn), 0o600))
		mustLoad(t, dir)
		require.NoFileExists(t, temp)
		require.NoError(t, os.Remove(filepath.Join(dir, keyFile)))
	}
}

// loadTogether makes several servers load the key of dir at the same time. All must get the key
// that is there afterwards, and no other file may be left.
func loadTogether(t *testing.T, dir string) {
	t.Helper()
	keys := make([]Key, 16)
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], errs[i] = LoadKey(dir) })
	}
	wg.Wait()
	for i := range keys {
		require.NoError(t, errs[i])
		require.Equal(t, keys[0], keys[i], "all have the one that is there")
	}
	require.Equal(t, keys[0], mustLoad(t, dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestServersThatStartTogetherGetOneKey(t *testing.T) { loadTogether(t, t.TempDir()) }

func TestDamagedKeyIsRefusedAndKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	mustLoad(t, dir)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := map[string][]byte{
		"empty": {}, "longer": append([]byte(string(good)), 'x'), "a line more": append([]byte(string(good)), good...),
		"zeroes": make([]byte, len(good)), "raw key": make([]byte, 16),
		"upper case": []byte(strings.ToUpper(string(good))),
	}
	for n := 1; n < len(good); n++ {
		damaged[fmt.Sprintf("cut to %d", n)] = good[:n]
	}
	for i := range good {
		b := []byte(string(good))
		b[i] ^= 1
		damaged[fmt.Sprintf("byte %d altered", i)] = b
	}
	for name, b := range damaged {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, err := LoadKey(dir)
		require.ErrorIs(t, err, ErrKeyDamaged, name)
		require.ErrorContains(t, err, path, name)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, b, left, name)
	}
}

func TestKeyThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	k := mustLoad(t, dir)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601, 0o644, 0o666} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := LoadKey(dir)
		require.ErrorContains(t, err, "chmod 600", "%o", mode)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	require.Equal(t, k, mustLoad(t, dir))
}

func TestKeyOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	mustLoad(t, dir)
	require.NoError(t, os.Chown(path, 12345, 0))
	_, err := LoadKey(dir)
	require.ErrorContains(t, err, "belongs to user 12345")
}

func TestKeyPathThatIsNoFileIsRefused(t *testing.T) {
	elsewhere := t.TempDir()
	mustLoad(t, elsewhere)

	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, keyFile), path))
	_, err := LoadKey(dir)
	require.ErrorContains(t, err, "symbolic link")

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = LoadKey(dir)
	require.ErrorContains(t, err, "not a regular file")

	_, err = LoadKey(filepath.Join(elsewhere, keyFile))
	require.Error(t, err, "the state directory is a file")
}

func TestKeyIsMadeWhereThereAreNoHardLinks(t *testing.T) {
	link = func(string, string) error { return syscall.EPERM } // what FAT says
	defer func() { link = os.Link }()
	loadTogether(t, t.TempDir())
}

func TestAStateDirectoryThatOthersCanReplaceIsRefused(t *testing.T) {
	for _, made := range []bool{false, true} { // there is a key already
		base := t.TempDir()
		above := filepath.Join(base, "above")
		dir := filepath.Join(above, "state")
		require.NoError(t, os.MkdirAll(dir, 0o755))
		if made {
			mustLoad(t, dir)
		}
		refused := func(path string, mode os.FileMode, words ...string) {
			t.Helper()
			require.NoError(t, os.Chmod(path, mode))
			_, err := LoadKey(dir)
			require.Error(t, err, "%v of %s", mode, path)
			for _, w := range append(words, path) {
				require.ErrorContains(t, err, w)
			}
			if !made {
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, entries, "no key is left where somebody could have looked")
			}
			require.NoError(t, os.Chmod(path, 0o755))
		}
		refused(dir, 0o777, "chmod go-w")
		refused(dir, 0o757, "chmod go-w")
		refused(dir, 0o777|os.ModeSticky, "chmod go-w")
		elsewhere := func(mode os.FileMode, words ...string) { // never: change a home
			t.Helper()
			refused(above, mode, append(words, "give --state-dir another one")...)
			require.NoError(t, os.Chmod(above, mode))
			_, err := LoadKey(dir)
			require.NotContains(t, err.Error(), "chown")
			require.NotContains(t, err.Error(), "chmod")
			require.NoError(t, os.Chmod(above, 0o755))
		}
		elsewhere(0o777)
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(dir, 0, 12345))
			refused(dir, 0o775, "group 12345", "chmod g-w")
			require.NoError(t, os.Chown(above, 12345, 0))
			elsewhere(0o755, "user 12345")
			require.NoError(t, os.Chown(above, 0, 0))
			require.NoError(t, os.Chown(dir, 12345, 0))
			refused(dir, 0o755, "user 12345", "chown")
			require.NoError(t, os.Chown(dir, 0, 0))
		}
		require.NoError(t, os.Chmod(above, 0o777|os.ModeSticky))
		mustLoad(t, dir)
	}
}

// Somebody gives a volume to one of the process's groups, as Kubernetes does (fsGroup).
func TestAStateDirectoryOfAnOwnGroupIsTrusted(t *testing.T) {
	if dir := os.Getenv("EXPORT_STATE_DIR"); dir != "" {
		mustLoad(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: groups")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chown(dir, 0, 12345))
	require.NoError(t, os.Chmod(dir, 0o775|os.ModeSetgid))
	for _, group := range []uint32{12345, 12346} {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "EXPORT_STATE_DIR="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{group}}}
		out, err := cmd.CombinedOutput()
		if group == 12345 {
			require.NoError(t, err, "%s", out)
			continue
		}
		require.Error(t, err)
		require.Contains(t, string(out), "group 12345 can write")
	}
}

func TestAStateDirectoryInMemoryIsNoted(t *testing.T) {
	require.Empty(t, Volatile("/proc"))
	require.Empty(t, Volatile("/nowhere at all"))
	dir, err := os.MkdirTemp("/dev/shm", "export")
	if err != nil {
		t.Skipf("needs a tmpfs on /dev/shm: %v", err)
	}
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()
	require.Contains(t, Volatile(dir), dir)
	require.Contains(t, Volatile(dir), "--state-dir")
}

// In a user namespace an object of the outer root seems to belong to somebody else.
func TestAStateDirectoryIsTrustedInAUserNamespace(t *testing.T) {
	if dir := os.Getenv("EXPORT_STATE_DIR"); dir != "" {
		mustLoad(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "state")
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "EXPORT_STATE_DIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("needs user namespaces: %v", err)
	}
	require.NoError(t, err, "%s", out)
}
