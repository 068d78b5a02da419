package posixfs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopath"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/known"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/mounts"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/search"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/sole"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/stable"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Config says which directory to serve, and how.
type Config struct {
	// Dir is the directory that becomes the root of the tree.
	Dir string
	// FDMax bounds the descriptors that the FS keeps open for objects. At most four for every
	// operation in progress, and WalkDescriptors, come on top. 0 means a quarter of the
	// process's limit (RLIMIT_NOFILE), at most 65536.
	FDMax int
	// Writes says which threads make unstable writes.
	Writes WritePath
	// Log is where the FS reports that it pauses and goes on, and anything odd; nil means
	// slog.Default.
	Log *slog.Logger
	// IO says which data large READs and WRITEs leave in the page cache. New fails if the file
	// system cannot do IODontCache or IODirect.
	IO IOMode
	// Shut is a directory, usually one of the server itself. Clients may see it, but can
	// neither enter nor read nor move it, whatever their rights. The same holds for the entries
	// that it has when New looks, also for clients with handles from before. Empty means no
	// directory. New fails if Shut is Dir itself.
	Shut string
	// Exclusive says that nobody but this FS changes the tree: no other process of this machine,
	// and no other machine. Then the FS remembers attributes, names and rights, and answers
	// without asking the kernel. If it notices that somebody else has changed something, it says
	// so in the log and asks the kernel each time from then on. New fails if the file system is
	// one that others can change, or the process may not do what this takes (root, a private
	// mount). Only one FS may be on the file system.
	Exclusive bool
}

// FS is a directory of a local file system. It implements vfs.FS.
type FS struct {
	// Immutable.
	dir      string
	root     int // read-only descriptor of the top directory
	tree     int // keeps the private mount in place, -1 without one
	identity vfs.Identity
	idWhy    string // why handles do not last
	rootH    vfs.Handle
	rootKey  kernel.ObjectKey
	fsid     uint64
	magic    int64
	limits   vfs.Limits
	tells    vfs.AttrMask // what every object has; AttrBirth depends on the object
	own      *vfs.Cred    // the process's identity
	ns       kernel.Namespace
	is       traits
	ioWhy    string // why the I/O mode is not the one that was asked for
	volumes  subvolumes
	mount    uint64 // STATX_MNT_ID of root
	shut     shut
	noXDev   uint64 // RESOLVE_NO_XDEV if the kernel must be told not to cross mounts

	handlesWhy unix.Errno // why byHandle is false, if it was tried
	threadWhy  []string   // what threads have to do without

	log    *slog.Logger
	period time.Duration

	data  iopath.Shared // moves the data of files
	store stable.Store  // makes it stable

	rights verdict.Shared // decides who may do what

	// Atomic.
	paused       atomic.Bool // see mountpoint.go
	keeper       atomic.Pointer[vfs.Keeper]
	lasting      atomic.Int64 // descriptors that no cache closes: of holds and of locked files
	noChmodEmpty atomic.Bool  // no fchmodat2 (before Linux 6.6)
	tick         atomic.Int64 // number of tickPeriods since the start
	now          atomic.Int64 // seconds since 1970 at the last tick
	views        atomic.Pointer[[]*View]

	viewsMu    futex.Mutex // guards changing views
	tab        table.Table[state]
	finder     search.Finder
	known      known.Handles
	listings   listing.Memory[entry]
	locked     lockedFiles
	odd        oddities
	reported   sync.Map // errnos that status has already logged
	lent       lent
	exclusives exclusives
	sole       *sole.Tree      // nil unless Config.Exclusive; see kept.go
	leaveOut   site            // tests: where changes are not counted
	between    func()          // tests: called when an object was made, before it is changed
	locks      [64]paddedMutex // for changes of one object with their WCC, by hash of its key
	stop       chan struct{}
	running    sync.WaitGroup
	kick       chan struct{}

	// See mountpoint.go.
	remounted chan struct{} // receives a value when the mount table has changed
	point     mounts.Point
}

// traits are what New finds out about the file system, the kernel and the process. They do not
// change afterwards.
type traits struct {
	// Of the process.
	alone     bool // the process is root of a user namespace without other users
	switching bool // threads serve callers with the callers' own credentials
	disowned  bool // switching, but without CAP_FOWNER: what only owners may do is refused
	byHandle  bool // open_by_handle_at works
	private   bool // root lies on a mount of its own
	// Of the system: calls that are refused.
	noOpenat2 bool // openat2(2) is refused; see resolve.go
	// Of the file system.
	selfSync    bool // syncing a directory does not sync a new file in it
	memory      bool // files live in memory: plain reads and writes wait for no disc
	ownAtime    bool // the FS updates access times itself; see atime.go
	movesAtime  bool // reading moves access times
	foreign     bool // another process or machine has to answer, and may not: not for lanes
	births      bool // birth times tell objects apart; see package known
	noSubvolume bool // tests: ignore the subvolume in statx
}

type paddedMutex struct {
	futex.Mutex
	_ [60]byte
}

// New opens cfg.Dir for serving. It blocks. It makes the process ignore SIGXFSZ, so that a write
// beyond RLIMIT_FSIZE fails with EFBIG and does not end the process.
func New(cfg Config) (*FS, error) { return newFS(cfg, options{}) }

// options are features that tests turn off to reach the older paths, and values that tests replace.
type options struct {
	noPrivate, noHandles, noSwitch, noChmodEmpty, foreign, noBirths, noUUID, noMountID, noSubvolume bool
	noOpenat2, noPreadv2, noPwritev2                                                                bool

	period time.Duration
	now    func() time.Time // the clock of walks for handles
	// Functions that replace the system calls of those names.
	fsync, syncfs, close func(fd int) unix.Errno
	waitRange            func(fd int, off, n uint64) unix.Errno

	noDontCache bool
	ioLeast     int    // bytes, replaces bigRequest
	memory      uint64 // bytes of memory that the machine pretends to have
	leaveOut    site
}

func newFS(cfg Config, o options) (*FS, error) {
	switch {
	case cfg.Dir == "":
		return nil, errors.New("posixfs: no Dir: give the directory to serve (\".\" is the current one)")
	case !cfg.Writes.Known():
		return nil, fmt.Errorf(
			"posixfs: write path %d is unknown: use WriteAuto, WriteWorker or WriteInline",
			cfg.Writes,
		)
	case cfg.IO > IOAuto:
		return nil, fmt.Errorf(
			"posixfs: I/O mode %d is unknown: use IOBuffered, IODontCache, IODirect or IOAuto",
			cfg.IO,
		)
	}
	signal.Ignore(unix.SIGXFSZ)
	fs := &FS{
		dir: cfg.Dir, root: -1, tree: -1, period: o.period,
		stop: make(chan struct{}), kick: make(chan struct{}, 1),
		remounted: make(chan struct{}, 1), log: cfg.Log, point: mounts.None(),
	}
	if fs.log == nil {
		fs.log = slog.Default()
	}
	if fs.period == 0 {
		fs.period = tickPeriod
	}
	fs.tick.Store(1)
	fs.now.Store(time.Now().Unix())
	fs.noChmodEmpty.Store(o.noChmodEmpty || syscalls.Refused(unix.SYS_FCHMODAT2))
	fs.is.noOpenat2 = o.noOpenat2 || syscalls.Refused(unix.SYS_OPENAT2)
	fs.data.NoPwritev2 = o.noPwritev2 || syscalls.Refused(unix.SYS_PWRITEV2)
	fs.data.PlainRead = o.noPreadv2 || syscalls.Refused(unix.SYS_PREADV2)
	fs.views.Store(new([]*View))
	if err := fs.start(cfg, o); err != nil {
		_ = fs.closeRoot()
		return nil, err
	}
	fs.running.Go(fs.runJanitor)
	fs.running.Go(fs.runWatch)
	fs.running.Go(fs.runDirty)
	fs.running.Go(fs.runMounts)
	return fs, nil
}

func (fs *FS) start(cfg Config, o options) (err error) {
	var seed [8]byte
	if _, err = rand.Read(seed[:]); err != nil {
		return fmt.Errorf("posixfs: random write verifier: %w", err)
	}
	fs.store.Init(
		stable.Calls{Fsync: o.fsync, Syncfs: o.syncfs, Close: o.close, WaitRange: o.waitRange},
		binary.LittleEndian.Uint64(seed[:]),
	)
	fs.data.Store, fs.data.Status = &fs.store, fs.status
	if err = syscalls.Check(); err != nil {
		return fmt.Errorf("posixfs: %w", err)
	}
	if fs.own, err = kernel.ProcessCred(); err != nil {
		return err
	}
	if unix.Access("/proc/self/fd", unix.F_OK) != nil {
		return errors.New(
			"posixfs: /proc is not mounted, and it is needed to open files and to make hard links; mount it (mount -t proc proc /proc)",
		)
	}
	if fs.ns, err = kernel.OwnNamespace(); err != nil {
		return err
	}
	if !o.noSwitch {
		why := kernel.CanSwitch(fs.own, &fs.ns)
		fs.is.alone = errors.Is(why, kernel.ErrAlone)
		if why != nil && fs.own.UID == 0 && !fs.is.alone {
			return fmt.Errorf(
				"posixfs: running as root, but callers cannot be served with their own rights: %w; give the process CAP_SETUID and CAP_SETGID, let a system call filter pass setgroups, setfsgid and setfsuid, or run it as an ordinary user",
				why,
			)
		}
		fs.is.switching = why == nil
	}
	if err = fs.checkRights(); err != nil {
		return err
	}
	if err = fs.tryThread(); err != nil {
		return err
	}
	if err = fs.openRoot(o); err != nil {
		return err
	}
	if err = fs.identify(cfg, o); err != nil {
		return err
	}
	if err = fs.shutOut(cfg.Shut); err != nil {
		return err
	}
	fs.rights = verdict.Shared{
		Tick:      &fs.tick,
		Self:      fs.own.UID,
		Switching: fs.is.switching,
		Foreign:   fs.is.foreign,
		Status:    fs.status,
		Nobody:    fs.ns.Overflow,
		HasNobody: fs.ns.Users != nil,
	}
	fs.tryOddities()
	if cfg.Exclusive {
		if err = fs.tryExclusive(o); err != nil {
			return err
		}
	}
	if err = fs.chooseIO(cfg.IO, o); err != nil {
		return err
	}
	fdMax := cfg.FDMax
	if fdMax <= 0 {
		fdMax = defaultFDMax()
	}
	fs.listings.Init()
	fs.locked.files = make(map[vfs.Handle]*lockedFile)
	fs.tab.Init(fdMax, renewEntry)
	fs.finder.Init(walked{fs}, fs.rootH, o.now)
	fs.known.Init()
	return mounts.Tell(fs.remounted)
}

func defaultFDMax() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 256
	}
	return int(min(r.Cur/4, 65536))
}

// openRoot opens the top directory. If it may, it puts it on a detached mount of its own. That
// mount is a private copy of Dir's mount without its submounts, so no later mount appears in it.
// There is nothing above its root.
func (fs *FS) openRoot(o options) error {
	fd, err := unix.Open(fs.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("posixfs: opening %s: %w", fs.dir, err)
	}
	// The private mount alone is not enough. umount of the other mount would say that the file
	// system has been unmounted, although it goes on, with an open journal and with written
	// data that is not on the disc.
	if err := fs.point.Find(fs.dir, fd); err != nil {
		return err
	}
	if fs.root, err = unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("posixfs: opening %s: %w", fs.dir, err)
	}
	fs.noXDev = unix.RESOLVE_NO_XDEV
	if o.noPrivate || !fs.is.switching {
		return nil
	}
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil // not allowed here: the checks on names and on ".." must do
	}
	// Closing tree would dissolve the mount. The FS could still serve it. But every close of a
	// file on it would take the lock of the kernel's mount table, and every careful path walk
	// on the machine would notice that and start again.
	fs.tree = tree
	private := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &private); err != nil {
		return nil
	}
	// The directory is opened again, because the handle calls refuse an O_PATH descriptor.
	own, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	_ = unix.Close(fs.root)
	fs.root, fs.noXDev, fs.is.private = own, 0, true
	return nil
}

// identify finds out the kind of the file system and whether it can be served.
func (fs *FS) identify(cfg Config, o options) error {
	var sf unix.Statfs_t
	if err := unix.Fstatfs(fs.root, &sf); err != nil {
		return fmt.Errorf("posixfs: statfs of %s: %w", fs.dir, err)
	}
	fs.magic = int64(sf.Type)
	var k kernel.FileHandle
	var mount int32
	h, errno := kernel.Handle(fs.root, &k, &mount)
	switch errno {
	case 0:
	case unix.EOVERFLOW:
		return fmt.Errorf(
			"posixfs: %s is on %s, whose file handles are longer than the %d bytes that NFSv3 leaves for them; export a directory of another file system (ext4, XFS, btrfs, tmpfs)",
			fs.dir,
			kind.Name(fs.magic),
			vfs.HandleMax-kernel.KindBytes,
		)
	case unix.EOPNOTSUPP:
		remedy := "export a directory of another file system (ext4, XFS, btrfs, tmpfs)"
		if fs.magic == unix.OVERLAYFS_SUPER_MAGIC {
			remedy = "mount the overlay with nfs_export=on,index=on, or export a directory of another file system"
		}
		return fmt.Errorf(
			"posixfs: %s is on %s, which has no file handles, so clients could not keep files open over a restart; %s",
			fs.dir,
			kind.Name(fs.magic),
			remedy,
		)
	default:
		return fmt.Errorf("posixfs: file handle of %s (%s): %w", fs.dir, kind.Name(fs.magic), errno)
	}
	fs.rootH = h
	if err := fs.findIdentity(&sf, o); err != nil {
		return err
	}
	if fs.is.switching && !o.noHandles {
		k.Set(&h)
		fd, errno := kernel.OpenByHandle(fs.root, &k, unix.O_PATH|unix.O_CLOEXEC)
		switch {
		case errno == 0:
			fs.is.byHandle = true
			kernel.CloseFD(fd)
		case kernel.RefusedBy(errno): // without CAP_DAC_READ_SEARCH names must do
			fs.handlesWhy = errno
		default:
			return fmt.Errorf(
				"posixfs: %s is on %s, which does not open its own file handles: %w; export a directory of another file system (ext4, XFS, btrfs, tmpfs)",
				fs.dir,
				kind.Name(fs.magic),
				errno,
			)
		}
	}
	var st unix.Statx_t
	if errno := kernel.StatxWait(fs.root, &st); errno != 0 {
		return fmt.Errorf("posixfs: attributes of %s: %w", fs.dir, errno)
	}
	fs.rootKey, fs.mount = kernel.KeyOf(&st), st.Mnt_id
	fs.is.noSubvolume = o.noSubvolume
	fs.is.births = known.KeepsBirth(fs.magic) && st.Mask&unix.STATX_MNT_ID != 0 && !o.noBirths
	fs.is.memory = fs.magic == unix.TMPFS_MAGIC || fs.magic == unix.RAMFS_MAGIC
	fs.is.foreign = o.foreign || kind.Foreign(fs.magic)
	fs.is.selfSync = !fs.is.memory && fs.magic != unix.EXT4_SUPER_MAGIC && fs.magic != unix.XFS_SUPER_MAGIC
	fs.is.ownAtime = fs.ownsAtime(&sf)
	fs.is.movesAtime = sf.Flags&(unix.ST_NOATIME|unix.ST_RDONLY) == 0
	fs.limits = kind.LimitsOf(fs.magic, &sf)
	fs.tells = vfs.AttrBasic
	fs.limits.TimeDelta, fs.limits.CtimeIsChange = kind.ProbeTimes(
		fs.root,
		fs.magic,
		fs.limits.TimeDelta,
		&st,
	)
	if fs.limits.CtimeIsChange {
		fs.tells |= vfs.AttrChange
	}
	kind.ProbeCase(fs.root, fs.magic, &fs.limits)
	fs.limits.Xattrs = probeXattrs(fs.root)
	fs.limits.CheapSeek = !fs.is.memory && !fs.is.foreign
	fs.limits.CloneBlock = kind.ProbeClone(fs.root, &sf)
	fs.data.Memory = fs.is.memory
	fs.data.Block = uint64(max(int64(unix.Getpagesize()), sf.Bsize))
	fs.data.StillPages = !fs.is.memory && iopath.StillPages(fs.root)
	fs.data.Pace.Open(cfg.Writes, fs.root, fs.is.memory, fs.is.foreign)
	return nil
}

// Root implements vfs.FS.
func (fs *FS) Root() vfs.Handle { return fs.rootH }

// Limits implements vfs.FS.
func (fs *FS) Limits() vfs.Limits { return fs.limits }

// Verifier implements vfs.FS.
func (fs *FS) Verifier() uint64 { return fs.store.Verifier() }

// Close implements vfs.FS. It flushes all unstable data, and blocks for that.
func (fs *FS) Close() error {
	mounts.Forget(fs.remounted)
	close(fs.stop)
	fs.running.Wait()
	fs.closeLocked(func(*lockedFile) bool { return true })
	fs.tab.RetireAll()
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
	return errors.Join(err, fs.point.Close())
}

// ActsForOthers reports whether callers are served with their own rights. Otherwise each caller has
// the rights of the process.
func (fs *FS) ActsForOthers() bool { return fs.is.switching }

// Features describes how the tree is served, for the start-up message. without has one line for
// each thing that the FS has to do without.
func (fs *FS) Features() (name string, without []string) {
	switch {
	case fs.is.switching && fs.ns.Limited():
		without = append(
			without,
			fmt.Sprintf(
				"a user namespace: there are users %v and groups %v; other users are anonymous, and other groups do not count",
				fs.ns.Users,
				fs.ns.Groups,
			),
		)
	case fs.is.alone:
		without = append(
			without,
			fmt.Sprintf("a user namespace without other users: every caller acts as its user %d", fs.own.UID),
		)
	case !fs.is.switching:
		without = append(without, fmt.Sprintf("not root: every caller acts as user %d", fs.own.UID))
	}
	if !fs.is.private {
		without = append(
			without,
			"no private mount, which takes CAP_SYS_ADMIN, open_tree and mount_setattr: mount points below the export are refused instead of hidden",
		)
	}
	switch {
	case fs.is.byHandle:
	case fs.handlesWhy == unix.ENOSYS:
		without = append(
			without,
			"the system call open_by_handle_at is refused: handles are found again by walking the tree",
		)
	case fs.handlesWhy != 0 && !fs.ns.Limited() && !fs.is.alone && kernel.HasReadSearch():
		without = append(
			without,
			"the system call open_by_handle_at is refused: handles are found again by walking the tree; "+
				syscalls.Remedy(false),
		)
	default:
		without = append(without, "no CAP_DAC_READ_SEARCH: handles are found again by walking the tree")
	}
	if fs.is.disowned {
		without = append(
			without,
			"no CAP_FOWNER: a READ notes the access time by itself, and may wait for the file system's journal",
		)
	}
	if fs.idWhy != "" {
		without = append(without, fs.idWhy)
	}
	if why := fs.shutNote(); why != "" {
		without = append(without, why)
	}
	without = append(without, fs.threadWhy...)
	without = append(without, fs.odd.notes(fs.listings.Unplaced())...)
	if why := fs.data.Pace.Why(); why != "" {
		without = append(without, "lanes do not write: "+why)
	}
	if fs.ioWhy != "" {
		without = append(without, fs.ioWhy)
	}
	return kind.Name(fs.magic), without
}
