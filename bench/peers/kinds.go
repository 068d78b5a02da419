package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Kinds of servers.
var (
	Ringnfs = &Kind{
		Name:       "ringnfs",
		Durability: "UNSTABLE: pwrite into the page cache. COMMIT and FILE_SYNC: fsync before the reply",
		command: func(p place) ([]string, error) {
			args := []string{
				filepath.Join(p.programs, "ringnfs"), "serve", "--listen", "127.0.0.1", "--port", strconv.Itoa(p.port),
				"--portmap", "off", "--squash", "none", "--state-dir", filepath.Join(p.work, "state"),
			}
			return append(append(args, p.flags...), p.dir), nil
		},
		version: func(p place) string { return firstLine(filepath.Join(p.programs, "ringnfs"), "--version") },
		path:    func(dir string) string { return dir },
	}
	Ganesha = &Kind{
		Name:          "ganesha",
		Durability:    "UNSTABLE: pwrite into the page cache. COMMIT and FILE_SYNC: fsync before the reply",
		command:       ganesha,
		version:       func(place) string { return "nfs-ganesha, VFS back end, " + firstLine("ganesha.nfsd", "-v") },
		path:          func(string) string { return "/export" },
		separateMount: true,
	}
	GoNFS = &Kind{
		Name:       "go-nfs",
		Durability: "every WRITE: open, write, close, and FILE_SYNC is claimed without any sync. COMMIT does nothing: less than the others do",
		command: func(p place) ([]string, error) {
			return []string{filepath.Join(p.programs, "gonfs"), "127.0.0.1:" + strconv.Itoa(p.port), p.dir}, nil
		},
		version: func(p place) string {
			return "github.com/willscott/go-nfs " + moduleVersion(filepath.Join(p.programs, "gonfs"))
		},
		path: func(string) string { return "/" },
	}
	Floor = &Kind{
		Name:       "floor",
		Durability: "WRITE: pwrite into the page cache, UNSTABLE whatever was asked for. COMMIT: fdatasync. Checks nothing",
		command: func(p place) ([]string, error) {
			return append([]string{filepath.Join(p.programs, "floor"), strconv.Itoa(p.port), p.dir}, p.flags...), nil
		},
		version: func(place) string { return "canned replies at the least cost, bench/floor/floor.c" },
		path:    func(string) string { return "/" },
	}
)

func moduleVersion(program string) string {
	b, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == "dep" && f[1] == "github.com/willscott/go-nfs" {
			return f[2]
		}
	}
	return ""
}

// ganesha writes a configuration for nfs-ganesha: NFSv3 over TCP, one export, nothing else. A flag
// adds a version.
func ganesha(p place) ([]string, error) {
	program, err := exec.LookPath("ganesha.nfsd")
	if err != nil {
		return nil, fmt.Errorf("%w: install the Debian packages nfs-ganesha and nfs-ganesha-vfs", ErrMissing)
	}
	if _, err := os.Stat("/run/rpcbind.sock"); err != nil {
		return nil, fmt.Errorf("%w: it needs a port mapper, which this program starts in a network of its own only (as root, with rpcbind installed)", ErrMissing)
	}
	conf := filepath.Join(p.work, "ganesha.conf")
	protocols := strings.Join(append([]string{"3"}, p.flags...), ", ")
	text := fmt.Sprintf(`NFS_CORE_PARAM { NFS_Port = %d; MNT_Port = %d; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Protocols = %s; mount_path_pseudo = true; }
NFSV4 { RecoveryBackend = fs; Graceless = true; }
EXPORT_DEFAULTS { Access_Type = RW; Squash = No_root_squash; SecType = sys; Protocols = %s; Transports = TCP; }
EXPORT { Export_Id = 1; Path = "%s"; Pseudo = /export; FSAL { Name = VFS; } }
`, p.port, p.port+1, protocols, protocols, p.dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return []string{program, "-F", "-L", "STDERR", "-f", conf, "-p", filepath.Join(p.work, "pid"), "-N", "NIV_EVENT"}, nil
}

// Build builds the programs of the servers into dir, from the repository at root. missing has the
// reason, by name, for each program that could not be built and is no part of this project.
func Build(root, dir string) (missing map[string]string, err error) {
	missing = make(map[string]string)
	run := func(in string, args ...string) error {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = in
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := run(root, "go", "build", "-o", filepath.Join(dir, "ringnfs"), "./cmd/ringnfs"); err != nil {
		return nil, err
	}
	if err := run(root, "gcc", "-O2", "-Wall", "-pthread", "-o", filepath.Join(dir, "floor"), filepath.Join("bench", "floor", "floor.c")); err != nil {
		return nil, err
	}
	if err := run(filepath.Join(root, "bench", "peers", "gonfs"), "go", "build", "-o", filepath.Join(dir, "gonfs"), "."); err != nil {
		missing[GoNFS.Name] = err.Error()
	}
	return missing, nil
}
