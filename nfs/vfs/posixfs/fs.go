package posixfs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Config says what to serve and how.
type Config struct {
	// Dir is the directory that becomes the root of the tree.
	Dir string
	// FDMax bounds the descriptors that are kept open for objects, apart from at
	// most four for every operation in progress. 0 means a quarter of the
	// process's limit (RLIMIT_NOFILE), at most 65536.
	FDMax int
	// Writes says which threads make unstable writes.
	Writes WritePath
	// IO is what large READs and WRITEs leave behind in the page cache. New fails
	// when the file system cannot do IODontCache or IODirect.
	IO IOMode
}

// FS is a directory of a local file system. It implements vfs.FS.
type FS struct {
	// Immutable.
	dir      string
	root     int // read-only descriptor of the top directory
	tree     int // what keeps the private mount in place, -1 without
	rootH    vfs.Handle
	rootKey  objectKey
	fsid     uint64
	magic    int64
	limits   vfs.Limits
	own      *vfs.Cred // the process's identity
	private  bool      // root is on a mount of its own
	handles  bool      // open_by_handle_at works
	switches bool      // callers are served with their own credentials
	selfSync bool      // a new file must be synced by itself, not only its directory
	memory   bool      // lives in memory: plain reads and writes do not wait for a disc
	ownAtime bool      // see atime.go
	foreign  bool      // somebody else has to be asked, who may not answer: nothing for lanes
	io       IOMode    // as settled
	ioLeast  int       // bigRequest
	ioWhy    string    // why it is not what was asked for
	large    streaming // for IOAuto
	fsync    func(fd int) unix.Errno
	births   bool   // see known.go
	mount    uint64 // STATX_MNT_ID of root
	noXDev   uint64 // RESOLVE_NO_XDEV where the kernel must be told not to cross mounts
	period   time.Duration

	writes laneWrites

	// Atomic.
	verifier     atomic.Uint64
	noReadNow    atomic.Bool // reads with RWF_NOWAIT are not supported
	noChmodEmpty atomic.Bool // no fchmodat2 (before Linux 6.6)
	closing      atomic.Int32
	tick         atomic.Int64 // tickPeriods since the start
	now          atomic.Int64 // seconds since 1970, as of the last
	views        atomic.Pointer[[]*View]

	viewsMu   sync.Mutex // changing views
	closingMu sync.Mutex // held while the janitor flushes an entry it closes
	tab       table
	names     names
	known     handles
	pages     pages
	locks     [64]paddedMutex // WCC of one directory, by inode number
	stop      chan struct{}
	running   sync.WaitGroup
	kick      chan struct{}
	soiled    chan struct{} // a lane has written much
}

type paddedMutex struct {
	sync.Mutex
	_ [56]byte
}

// New opens cfg.Dir for serving. It blocks. It makes the process ignore SIGXFSZ,
// so that a write beyond RLIMIT_FSIZE is an error (EFBIG) and not its end.
func New(cfg Config) (*FS, error) { return newFS(cfg, options{}) }

// options are what tests turn off, so that they see the older paths.
type options struct {
	noPrivate, noHandles, noSwitch, noChmodEmpty, foreign, noBirths bool

	period time.Duration
	fsync  func(fd int) unix.Errno

	noDontCache bool
	ioLeast     int    // bytes, in the place of bigRequest
	memory      uint64 // what the machine has
}

func newFS(cfg Config, o options) (*FS, error) {
	signal.Ignore(unix.SIGXFSZ)
	fs := &FS{
		dir: cfg.Dir, root: -1, tree: -1, period: o.period,
		stop: make(chan struct{}), kick: make(chan struct{}, 1), soiled: make(chan struct{}, 1),
	}
	if fs.period == 0 {
		fs.period = tickPeriod
	}
	if fs.fsync = fsync; o.fsync != nil {
		fs.fsync = o.fsync
	}
	fs.tick.Store(1)
	fs.now.Store(time.Now().Unix())
	fs.noChmodEmpty.Store(o.noChmodEmpty)
	fs.views.Store(new([]*View))
	if err := fs.start(cfg, o); err != nil {
		_ = fs.closeRoot()
		return nil, err
	}
	fs.running.Go(fs.runJanitor)
	fs.running.Go(fs.runWatch)
	fs.running.Go(fs.runDirty)
	return fs, nil
}

func (fs *FS) start(cfg Config, o options) (err error) {
	if fs.own, err = processCred(); err != nil {
		return err
	}
	if !o.noSwitch {
		why := canSwitch(fs.own)
		if why != nil && fs.own.UID == 0 {
			return fmt.Errorf("posixfs: running as root, but callers cannot be served with their own rights: %w; give the process CAP_SETUID and CAP_SETGID or run it as an ordinary user", why)
		}
		fs.switches = why == nil
	}
	if err = fs.openRoot(o); err != nil {
		return err
	}
	if err = fs.identify(cfg, o); err != nil {
		return err
	}
	if err = fs.settleIO(cfg.IO, o); err != nil {
		return err
	}
	fdMax := cfg.FDMax
	if fdMax <= 0 {
		fdMax = defaultFDMax()
	}
	fs.tab.init(fdMax)
	fs.names.init()
	fs.known.began = time.Now()
	var seed [8]byte
	if _, err = rand.Read(seed[:]); err != nil {
		return fmt.Errorf("posixfs: random write verifier: %w", err)
	}
	fs.verifier.Store(binary.LittleEndian.Uint64(seed[:]))
	return nil
}

func defaultFDMax() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 256
	}
	return int(min(r.Cur/4, 65536))
}

// openRoot opens the top directory, on a detached mount of its own where that is
// allowed. The mount is a copy of the one below Dir without its submounts, and
// private, so that no later mount comes into it; above its root there is nothing.
func (fs *FS) openRoot(o options) error {
	fd, err := unix.Open(fs.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("posixfs: opening %s: %w", fs.dir, err)
	}
	fs.root, fs.noXDev = fd, unix.RESOLVE_NO_XDEV
	if o.noPrivate || !fs.switches {
		return nil
	}
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil // not allowed here: the checks on names and on ".." have to do
	}
	// Closing it dissolves the mount. It would still serve, but every close of a
	// file on it would take the lock of the kernel's mount table, and every careful
	// path walk on the machine would notice and start again.
	fs.tree = tree
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Propagation: unix.MS_PRIVATE}); err != nil {
		return nil
	}
	// Opened anew because the handle calls refuse an O_PATH descriptor.
	own, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	_ = unix.Close(fd)
	fs.root, fs.noXDev, fs.private = own, 0, true
	return nil
}

// identify finds out what kind of file system it is and whether it will do.
func (fs *FS) identify(cfg Config, o options) error {
	var sf unix.Statfs_t
	if err := unix.Fstatfs(fs.root, &sf); err != nil {
		return fmt.Errorf("posixfs: statfs of %s: %w", fs.dir, err)
	}
	fs.magic = int64(sf.Type)
	var k kernelHandle
	var mount int32
	h, errno := handle(fs.root, &k, &mount)
	switch errno {
	case 0:
	case unix.EOVERFLOW:
		return fmt.Errorf("posixfs: %s is on %s, whose file handles are longer than the %d bytes that NFSv3 leaves for them; export a directory of another file system (ext4, XFS, btrfs, tmpfs)", fs.dir, fsName(fs.magic), vfs.HandleMax-kindBytes)
	case unix.EOPNOTSUPP:
		remedy := "export a directory of another file system (ext4, XFS, btrfs, tmpfs)"
		if fs.magic == unix.OVERLAYFS_SUPER_MAGIC {
			remedy = "mount the overlay with nfs_export=on,index=on, or export a directory of another file system"
		}
		return fmt.Errorf("posixfs: %s is on %s, which has no file handles, so clients could not keep files open over a restart; %s", fs.dir, fsName(fs.magic), remedy)
	default:
		return fmt.Errorf("posixfs: file handle of %s (%s): %w", fs.dir, fsName(fs.magic), errno)
	}
	fs.rootH = h
	if fs.switches && !o.noHandles {
		k.set(&h)
		fd, errno := openByHandle(fs.root, &k, unix.O_PATH|unix.O_CLOEXEC)
		switch {
		case errno == 0:
			fs.handles = true
			closeFD(fd)
		case errno != unix.EPERM: // without CAP_DAC_READ_SEARCH names must do
			return fmt.Errorf("posixfs: %s is on %s, which does not open its own file handles: %w; export a directory of another file system (ext4, XFS, btrfs, tmpfs)", fs.dir, fsName(fs.magic), errno)
		}
	}
	var st unix.Statx_t
	if errno := statxRaw(fs.root, &st); errno != 0 {
		return fmt.Errorf("posixfs: attributes of %s: %w", fs.dir, errno)
	}
	if unix.Access(procPath(fs.root), unix.F_OK) != nil {
		return errors.New("posixfs: /proc is not mounted; it is needed to open files and to make hard links")
	}
	fs.rootKey, fs.mount = keyOf(&st), st.Mnt_id
	fs.births = keepsBirth(fs.magic) && st.Mask&unix.STATX_MNT_ID != 0 && !o.noBirths
	fs.fsid = mix(uint64(uint32(sf.Fsid.Val[0]))<<32|uint64(uint32(sf.Fsid.Val[1]))) ^ hashHandle(&h)
	fs.memory = fs.magic == unix.TMPFS_MAGIC || fs.magic == unix.RAMFS_MAGIC
	fs.foreign = o.foreign || foreignFS[fs.magic]
	fs.selfSync = !fs.memory && fs.magic != unix.EXT4_SUPER_MAGIC && fs.magic != unix.XFS_SUPER_MAGIC
	fs.ownAtime = fs.ownsAtime(&sf)
	fs.limits = limitsOf(fs.magic, &sf)
	fs.openWrites(cfg.Writes, &sf)
	return nil
}

// Root implements vfs.FS.
func (fs *FS) Root() vfs.Handle { return fs.rootH }

// Limits implements vfs.FS.
func (fs *FS) Limits() vfs.Limits { return fs.limits }

// Verifier implements vfs.FS.
func (fs *FS) Verifier() uint64 { return fs.verifier.Load() }

// Close implements vfs.FS. It flushes what is still unstable, and blocks for it.
func (fs *FS) Close() error {
	close(fs.stop)
	fs.running.Wait()
	fs.tab.mu.Lock()
	for len(fs.tab.clock) > 0 {
		fs.tab.retireLocked(fs.tab.clock[0])
	}
	fs.tab.mu.Unlock()
	fs.reap(true)
	if err := fs.closeRoot(); err != nil {
		return fmt.Errorf("posixfs: closing %s: %w", fs.dir, err)
	}
	return nil
}

func (fs *FS) closeRoot() error {
	var err error
	for _, fd := range []int{fs.root, fs.tree} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

// Features says how the tree is served, for the start-up message: one line for
// each thing that had to be done without.
func (fs *FS) Features() (kind string, without []string) {
	if !fs.switches {
		without = append(without, fmt.Sprintf("not root: every caller acts as user %d", fs.own.UID))
	}
	if !fs.private {
		without = append(without, "no CAP_SYS_ADMIN: no private mount, mount points below the export are refused instead of hidden")
	}
	if !fs.handles {
		without = append(without, "no CAP_DAC_READ_SEARCH: handles are found again by walking the tree")
	}
	if fs.writes.why != "" {
		without = append(without, "lanes do not write: "+fs.writes.why)
	}
	if fs.ioWhy != "" {
		without = append(without, fs.ioWhy)
	}
	return fsName(fs.magic), without
}
