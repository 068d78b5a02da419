package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// server is where a server answers, and the path that a client mounts.
type server struct {
	mountPort int
	path      string
}

const port = 2049

// start starts the server of a job, and returns when it takes connections.
func start(j *job.Job) (*server, error) {
	s := &server{mountPort: port, path: job.Export}
	var err error
	switch j.Server {
	case job.Ringnfs:
		args := []string{
			"serve", "--listen", "127.0.0.1", "--port", fmt.Sprint(port), "--portmap", "off",
			"--squash", "none",
			"--state-dir", "/tmp/state",
		}
		err = background("/run/ringnfs", append(append(args, j.Flags...), job.Export)...)
	case job.Floor:
		s.path = "/"
		err = background("/run/floor", fmt.Sprint(port), job.Export)
	case job.GoNFS:
		s.path = "/"
		err = background("/run/gonfs", fmt.Sprintf("127.0.0.1:%d", port), job.Export)
	case job.Knfsd:
		s.mountPort = 20048
		err = knfsd(s)
	case job.Ganesha:
		s.mountPort, s.path = port+1, "/export"
		err = ganesha(s)
	default:
		err = fmt.Errorf("there is no server %q", j.Server)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range []int{port, s.mountPort} {
		if err := await(p); err != nil {
			said, _ := os.ReadFile(logFile) // the error says enough
			return nil, fmt.Errorf("%s: %w: %s", j.Server, err, said)
		}
	}
	time.Sleep(5 * time.Second) // of the guest's clock, until nothing is left of the start
	return s, nil
}

// rpcbind starts the port mapper, without which some servers do not start.
func rpcbind() error {
	err := errors.Join(
		os.RemoveAll("/var/run"), os.Symlink("/run", "/var/run"), os.MkdirAll("/run/rpcbind", 0o755),
		os.MkdirAll("/run/sendsigs.omit.d", 0o755), os.Symlink("/proc/self/mounts", "/etc/mtab"),
	)
	if err != nil {
		return err
	}
	return foreground("/usr/sbin/rpcbind")
}

// threads is how many threads of the kernel's server there are: as many as it has by default.
const threads = 8

// knfsd starts the kernel's server.
func knfsd(s *server) error {
	for _, d := range []string{"/var/lib/nfs/sm", "/var/lib/nfs/v4recovery", "/var/lib/nfs/rpc_pipefs"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"etab", "rmtab"} {
		if err := os.WriteFile("/var/lib/nfs/"+name, nil, 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount("nfsd", "/proc/fs/nfsd", "nfsd", 0, ""); err != nil {
		return fmt.Errorf("mount nfsd: %w", err)
	}
	if err := errors.Join(rpcbind(),
		os.WriteFile("/proc/fs/nfsd/max_block_size", []byte("1048576"), 0)); err != nil {
		return err
	}
	options := "rw,sync,no_root_squash,insecure,no_subtree_check,fsid=77"
	const exporter = "/usr/sbin/exportfs" //nolint:misspell // a program
	if err := foreground(exporter, "-i", "-o", options, "127.0.0.1:"+job.Export); err != nil {
		return err
	}
	if err := foreground("/usr/sbin/rpc.nfsd", fmt.Sprint(threads)); err != nil {
		return err
	}
	if err := foreground("/usr/sbin/rpc.mountd", "-p", fmt.Sprint(s.mountPort)); err != nil {
		return err
	}
	// No client has anything to reclaim.
	return os.WriteFile("/proc/fs/nfsd/v4_end_grace", []byte("Y"), 0)
}

// ganesha starts nfs-ganesha with its VFS back end.
func ganesha(s *server) error {
	conf := fmt.Sprintf(`NFS_CORE_PARAM { NFS_Port = %d; MNT_Port = %d; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Protocols = 3, 4; mount_path_pseudo = true; }
NFSV4 { RecoveryBackend = fs; Graceless = true; }
EXPORT_DEFAULTS { Access_Type = RW; Squash = No_root_squash; SecType = sys; Protocols = 3, 4; Transports = TCP; }
EXPORT { Export_Id = 1; Path = "%s"; Pseudo = %s; FSAL { Name = VFS; } }
`, port, s.mountPort, job.Export, s.path)
	err := errors.Join(
		os.MkdirAll("/run/ganesha", 0o755), os.MkdirAll("/var/lib/nfs/ganesha", 0o755),
		os.MkdirAll("/var/log/ganesha", 0o755),
		os.WriteFile("/tmp/ganesha.conf", []byte(conf), 0o644), rpcbind(),
	)
	if err != nil {
		return err
	}
	return background("/usr/bin/ganesha.nfsd", "-F", "-L", logFile, "-f", "/tmp/ganesha.conf", "-p",
		"/run/ganesha.pid", "-N", "NIV_EVENT")
}

// logFile is where servers write what they have to say.
const logFile = "/tmp/log"

// logged is a program whose output is added to logFile. done is to be called once it has started.
func logged(name string, args ...string) (cmd *exec.Cmd, done func() error, err error) {
	f, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	return cmd, f.Close, nil
}

// background starts a program that runs until the machine ends.
func background(name string, args ...string) error {
	cmd, done, err := logged(name, args...)
	if err != nil {
		return err
	}
	return errors.Join(cmd.Start(), done())
}

// foreground runs a program to its end. Its output may go on, if it leaves a daemon behind.
func foreground(name string, args ...string) error {
	cmd, done, err := logged(name, args...)
	if err != nil {
		return err
	}
	if err := errors.Join(cmd.Run(), done()); err != nil {
		said, _ := os.ReadFile(logFile) // the error says enough
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return nil
}
