package cli

import (
	"errors"
	"path/filepath"
)

// defaultStateDir is where the handle key and all other state that must survive a restart is kept
// if --state-dir does not say: /var/lib/ringnfs for root, otherwise below the user's state
// directory. The XDG Base Directory Specification says where that is: $XDG_STATE_HOME, by default
// ~/.local/state; a relative $XDG_STATE_HOME is ignored.
func defaultStateDir(uid int, getenv func(string) string) (string, error) {
	if uid == 0 {
		return "/var/lib/ringnfs", nil
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ringnfs"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "ringnfs"), nil
	}
	return "", errors.New("no place for the handle key: neither XDG_STATE_HOME nor HOME is set; give --state-dir DIR")
}
