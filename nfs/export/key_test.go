package export

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

func TestServersThatStartTogetherGetOneKey(t *testing.T) {
	dir := t.TempDir()
	keys := make([]Key, 16)
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], errs[i] = LoadKey(dir) })
	}
	wg.Wait()
	for i := range keys {
		require.NoError(t, errs[i])
		require.Equal(t, keys[0], keys[i])
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

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
