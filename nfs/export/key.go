package export

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The key file is one line of text: name, format, key and a CRC-32 of the key, the last two in
// hexadecimal. The checksum tells a damaged file from a file with another key. Without it, damage
// would make every handle stale and nobody would know why.
const (
	keyFile   = "handle.key"
	keyTemp   = ".handle.key-*"
	keyPrefix = "ringnfs-handle-key 1 "
	keyLen    = len(keyPrefix) + 2*len(Key{}) + 1 + 8 + 1
)

// ErrKeyDamaged is wrapped by the error of [LoadKey] when the key file holds no intact key.
var ErrKeyDamaged = errors.New("handle key file is damaged")

// LoadKey reads the key that seals file handles from the state directory. If there is no key it
// makes one, and the directory if need be (mode 0700). The key is on stable storage when LoadKey
// returns, so that a crash cannot make handles stale that were given out. Two servers that start at
// once get the same key. A damaged file, or one that others can read or replace, is an error that
// names the remedy; LoadKey leaves the file as it is. It blocks.
func LoadKey(stateDir string) (Key, error) {
	path := filepath.Join(stateDir, keyFile)
	k, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKey(stateDir, path); err == nil {
			k, err = readKey(path)
		}
	}
	if err == nil {
		err = checkDir(stateDir)
	}
	if err != nil {
		return Key{}, fmt.Errorf("export: %w", err)
	}
	dropTemps(stateDir)
	return k, nil
}

func readKey(path string) (Key, error) {
	var k Key
	// Follow no symbolic link: it could lead to a file that somebody else chose.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.ELOOP) {
			return k, fmt.Errorf("%s is a symbolic link: put the key file itself there", path)
		}
		return k, err
	}
	defer f.Close()
	if err := checkKeyFile(path, f); err != nil {
		return k, err
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(keyLen)+1))
	if err != nil {
		return k, err
	}
	if !k.parse(string(b)) {
		return k, fmt.Errorf(
			"%s: %w (%d bytes of %d): restore it from a backup, or remove it to make a new key, after which clients must mount again",
			path,
			ErrKeyDamaged,
			len(b),
			keyLen,
		)
	}
	return k, nil
}

// checkKeyFile makes sure that nobody else can know or choose the key.
func checkKeyFile(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf(
			"%s can be read by others (mode %04o), who could forge file handles: run chmod 600 on it, or remove it to make a new key",
			path,
			mode,
		)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf(
			"%s belongs to user %d, who could forge file handles: chown it to user %d, or remove it to make a new key",
			path,
			st.Uid,
			os.Geteuid(),
		)
	}
	return nil
}

// parse fills k from the text of a key file and reports whether it is intact.
func (k *Key) parse(text string) bool {
	if len(text) != keyLen || !strings.HasPrefix(text, keyPrefix) {
		return false
	}
	digits := text[len(keyPrefix):]
	raw, err := hex.DecodeString(digits[:2*len(k)])
	if err != nil {
		return false
	}
	copy(k[:], raw)
	return text == k.text()
}

// text returns the content of the key file.
func (k *Key) text() string {
	return fmt.Sprintf("%s%x %08x\n", keyPrefix, k[:], crc32.ChecksumIEEE(k[:]))
}

// makeKey puts a new key at path unless there is one already. The file gets its name only when it
// is complete and on disc. If two servers make a key at once, the first to name its file wins.
func makeKey(dir, path string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	if err := checkDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, keyTemp) // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var k Key
	rand.Read(k[:]) // never fails
	_, err = f.WriteString(k.text())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := place(dir, f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// link makes a hard link, which some file systems, such as FAT, do not have.
var link = os.Link

// place gives the file temp the name path unless path exists. A link does that in one step. Where
// there are no links, place renames the file under a lock of the directory, which every renaming
// server takes.
func place(dir, temp, path string) error {
	if link(temp, path) == nil {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // this also releases the lock
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf(
			"locking %s, which has no hard links: %w; give --state-dir a directory on another file system",
			dir,
			err,
		)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: the other server won, and may have removed our temporary file
	}
	return os.Rename(temp, path)
}

// makeDir makes the state directory, and those above it, with durable entries.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(dir))
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(above)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dropTemps removes the files that a crash while making a key has left. It runs only when the key
// is in place: a server that is making one at the moment will find that key.
func dropTemps(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if ok, _ := filepath.Match(keyTemp, e.Name()); ok {
			// Leave the file if this fails: its key was never used.
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
