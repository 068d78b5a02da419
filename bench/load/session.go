package load

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// Options are what all jobs of a session have in common.
type Options struct {
	// As is the user of the calls, by AUTH_SYS. nil means the user who runs this process, with
	// that user's groups; a server may let a user of its own machine be nobody else.
	As *Identity
	// FileSize is the size in bytes of the data that is read and written, in all files
	// together; 0 means FileSizeDefault.
	FileSize int64
	// Entries is the number of entries of the directory that READDIRPLUS reads; 0
	// means EntriesDefault.
	Entries int
	// List is the name of a directory of the export for READDIRPLUS to read; empty makes one with
	// Entries entries, which the server then has dealt with before.
	List string
	// Version is the version of NFS; the zero value is version 3.
	Version Version
}

// Identity is a user with groups. A call can name at most 16 groups.
type Identity struct {
	UID, GID uint32
	Groups   []uint32
}

// Myself returns the identity of the user who runs this process.
func Myself() Identity {
	id := Identity{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	groups, err := os.Getgroups()
	if err != nil {
		return id // without groups
	}
	for _, g := range groups {
		if uint32(g) != id.GID && len(id.Groups) < client.GroupsMax {
			id.Groups = append(id.Groups, uint32(g))
		}
	}
	return id
}

// Defaults of Options.
const (
	FileSizeDefault = 256 << 20
	EntriesDefault  = 512
	nameFiles       = 64
	// filesMax is the most data files over which connections are spread.
	filesMax = 64
)

// Session is an export in use, and what was made in it.
type Session struct {
	target   Target
	opts     Options
	addr     string // of NFS
	cred     client.OpaqueAuth
	c        *control
	last     *control // for Close, which may come when no port is left
	asked    bool     // ordinary ports have been tried
	refuses  error    // why they are refused
	root     []byte
	dir      []byte
	dirName  string
	name     string // of its clients of version 4
	ReadMax  int    // largest READ and WRITE that the server takes, in bytes
	WriteMax int

	data []*dataFile
	// overwritten says that the data files no longer hold their patterns.
	overwritten bool
	names       []nameFile
	list        []byte
	pages       []page
	series      series
	runs        int
	parties     []*party // of the run under way
	removed     bool
}

// Open mounts the target and makes a directory in it, which [Session.Close]
// removes. It blocks for network round trips; ctx ends it early, with its error.
func Open(ctx context.Context, t Target, opts Options) (_ *Session, err error) {
	if opts.FileSize == 0 {
		opts.FileSize = FileSizeDefault
	}
	if opts.Entries == 0 {
		opts.Entries = EntriesDefault
	}
	as := Myself()
	if opts.As != nil {
		as = *opts.As
	}
	s := &Session{target: t, opts: opts, cred: credential(as.UID, as.GID, as.Groups...)}
	if err := s.findPorts(ctx); err != nil {
		return nil, err
	}
	if s.opts.Version.Major != 4 {
		if err := s.mount(ctx); err != nil {
			return nil, err
		}
	}
	unique := fmt.Sprintf("%d-%x", os.Getpid(), time.Now().UnixNano()&0xffffffff)
	s.name, s.dirName = "ringnfs-bench-"+unique, ".ringnfs-bench-"+unique
	s.addr = s.target.addr(s.target.Port)
	if s.c, err = s.dialControl(ctx); err != nil {
		return nil, fmt.Errorf("connect to NFS: %w%s", err, connectRemedy(err))
	}
	defer s.c.until(ctx)()
	defer func() {
		if err != nil {
			s.c.quit()
			if s.last != nil {
				s.last.quit()
			}
		}
	}()
	if v, ok := s.c.verbs.(*verbs4); ok {
		names := strings.FieldsFunc(s.target.Path, func(r rune) bool { return r == '/' })
		if s.root, err = v.walk(names); err != nil {
			return nil, fmt.Errorf("%s: %w%s", s.target.Path, err, walkRemedy(err))
		}
	}
	if err := s.limits(); err != nil {
		return nil, err
	}
	if s.last, err = s.dialControl(ctx); err != nil {
		return nil, fmt.Errorf("connect to NFS: %w", err)
	}
	dir, err := s.c.mkdir(s.root, s.dirName)
	if err != nil {
		return nil, fmt.Errorf(
			"make a directory to work in: %w (calls are made as user %d: give that user a writable directory, or --uid)",
			err,
			as.UID,
		)
	}
	s.dir = dir
	return s, nil
}

// Addr returns the address of the NFS service.
func (s *Session) Addr() string { return s.addr }

// The port mapper and its GETPORT (RFC 1833, section 3).
const (
	portmapper = 100000
	getPort    = 3
)

// findPorts asks the port mapper for the ports that the target does not give.
func (s *Session) findPorts(ctx context.Context) error {
	t := &s.target
	if t.Port != 0 && t.MountPort == 0 {
		t.MountPort = t.Port // as on ringnfs; --mount-port is for other servers
	}
	if t.Port != 0 {
		return nil
	}
	if s.opts.Version.Major == 4 {
		t.Port = 2049 // RFC 7530, section 3.1; such a server need not have a port mapper
		return nil
	}
	c, err := dialControl(ctx, t.addr(111), s.cred)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.Port = 2049
		if t.MountPort == 0 {
			t.MountPort = 2049
		}
		return nil
	}
	defer c.Close()
	defer c.until(ctx)()
	for _, x := range []struct {
		port *int
		prog uint32
		name string
	}{{&t.Port, nfs3.NFS_PROGRAM, "NFS"}, {&t.MountPort, mount3.MOUNT_PROGRAM, "MOUNT"}} {
		if *x.port != 0 {
			continue
		}
		var port client.Number
		ask := client.Numbers{x.prog, 3, unix.IPPROTO_TCP, 0}
		if err := c.Call(portmapper, 2, getPort, ask, &port); err != nil {
			return fmt.Errorf("ask the port mapper for %s: %w", x.name, err)
		}
		if port == 0 {
			return fmt.Errorf(
				"%s knows no %s version 3 over TCP; give its port: HOST:PORT:/PATH, --mount-port",
				t.addr(111),
				x.name,
			)
		}
		*x.port = int(port)
	}
	return nil
}

func (s *Session) mount(ctx context.Context) error {
	c, err := dialControl(ctx, s.target.addr(s.target.MountPort), s.cred)
	if err != nil {
		return fmt.Errorf("connect to MOUNT: %w%s", err, connectRemedy(err))
	}
	defer c.Close()
	defer c.until(ctx)()
	res, err := client.Mount{Caller: c}.Mnt(s.target.Path)
	if err != nil {
		return fmt.Errorf("%w%s", err, mountRemedy(res.FhsStatus))
	}
	s.root = cloned(res.Mountinfo.Fhandle)
	return nil
}

// limits asks for the largest READ and WRITE.
func (s *Session) limits() error {
	read, write, err := s.c.limits(s.root)
	if err != nil {
		return err
	}
	s.ReadMax, s.WriteMax = min(read, sizeMax), min(write, sizeMax)
	if s.ReadMax == 0 || s.WriteMax < 8 {
		return fmt.Errorf(
			"the server says that it reads %d and writes %d bytes at most",
			read,
			write,
		)
	}
	return nil
}

// cleanMax is how long removing the session's files may take, a connection included.
const cleanMax = 10 * time.Minute

// Close removes what the session made and ends its connection. It blocks as long as that takes. It
// also works when a context has ended earlier calls.
func (s *Session) Close() error {
	if s.removed {
		return nil
	}
	s.removed = true
	ctx, cancel := context.WithTimeout(context.Background(), cleanMax)
	defer cancel()
	_ = s.c.Close() // a call on it may have been ended halfway
	c, err := s.last, error(nil)
	done := c.until(ctx)
	if c.null() != nil { // the server has closed it meanwhile
		done()
		_ = c.Close()
		if c, err = s.dialControl(ctx); err != nil {
			return fmt.Errorf("%s stays where it is: %w", s.dirName, err)
		}
		done = c.until(ctx)
	}
	defer done()
	first := s.c
	s.c = c
	s.part(ctx)
	err = s.removeAll(ctx)
	if v, ok := first.verbs.(*verbs4); ok {
		v.Caller = c.conn
		_ = v.quit() // as far as the session is as the client believes
	}
	c.quit()
	return err
}
