package nfs

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	clients "github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
	"github.com/ringnfs/ringnfs/uring"
)

// Export is a directory to serve. It may lie in the directory of another Export. If both are on the
// same file system, the inner one cannot refuse what the outer one grants: New fails then.
type Export struct {
	// Dir is the directory. Clients mount it by its absolute path. It must be set; "." is the
	// current directory.
	Dir string
	// FS serves another back end instead of the directory, under the name Dir, which must be an
	// absolute path then. The Server owns FS and holds it to package vfs: a call in which FS
	// breaks its contract, or panics, fails and is logged.
	FS       vfs.FS
	ReadOnly bool
	Squash   Squash
	// AnonUID and AnonGID are the user and the group that squashed callers become; 0 means
	// 65534.
	AnonUID, AnonGID uint32
	// IO is what large READs and WRITEs leave behind in the page cache: everything, by default.
	// It is for a directory, not for FS. New fails when the file system cannot do IODontCache
	// or IODirect.
	IO IOMode
	// Exclusive says that nobody but this server changes what is on the directory's file system:
	// then the server remembers attributes, names and rights, and answers without asking the
	// kernel. If it notices a change by somebody else, it logs that and asks the kernel each time
	// from then on. It is for a directory, not for FS. New fails if others can change the file
	// system, if another Export's Dir is on it, or if the process may not do what this takes.
	Exclusive bool
	// Allow lists the clients that may use the export. If it is empty, only this machine may.
	Allow []netip.Prefix
	// Insecure serves clients on other machines whatever port they call from. By default the
	// port must be below 1024, which only root can use on those machines. With Insecure any
	// user of such a machine can act as any user here, except as a squashed one.
	Insecure bool
}

// Squash says which callers lose their identity.
type Squash = export.Squash

// Whom an export squashes.
const (
	SquashRoot = export.SquashRoot
	SquashNone = export.SquashNone
	SquashAll  = export.SquashAll
)

// ParseSquash reads root, none or all.
func ParseSquash(word string) (Squash, error) { return export.ParseSquash(word) }

// IOMode is what large READs and WRITEs leave behind in the page cache.
type IOMode = posixfs.IOMode

// What large READs and WRITEs leave behind.
const (
	IOBuffered  = posixfs.IOBuffered
	IODontCache = posixfs.IODontCache
	IODirect    = posixfs.IODirect
	IOAuto      = posixfs.IOAuto
)

// ParseIOMode reads buffered, dontcache, direct or auto.
func ParseIOMode(word string) (IOMode, error) { return posixfs.ParseIOMode(word) }

// ReadPath is how the data of large READs leaves.
type ReadPath = transport.ReadPath

// How the data leaves.
const (
	ReadAuto     = transport.PathAuto
	ReadCopy     = transport.PathCopy
	ReadSplice   = transport.PathSplice
	ReadZeroCopy = transport.PathZeroCopy
)

// ParseReadPath reads copy, splice, zc or auto.
func ParseReadPath(word string) (ReadPath, error) { return transport.ParseReadPath(word) }

// WritePath is which threads make unstable writes.
type WritePath = posixfs.WritePath

// Which threads write.
const (
	WriteAuto   = posixfs.WriteAuto
	WriteWorker = posixfs.WriteWorker
	WriteInline = posixfs.WriteInline
)

// ParseWritePath reads auto, worker or inline.
func ParseWritePath(word string) (WritePath, error) { return posixfs.ParseWritePath(word) }

// PortmapMode says whether the server answers portmap calls on port 111.
type PortmapMode uint8

// Whether portmap calls are answered.
const (
	// PortmapAuto takes port 111 if that is allowed and free.
	PortmapAuto PortmapMode = iota
	// PortmapOn makes New fail when the server cannot have port 111.
	PortmapOn
	PortmapOff
)

// PortmapPort is the port of portmap and rpcbind (RFC 1833, section 3).
const PortmapPort = 111

// Config describes a Server. The zero value of each field is its default.
type Config struct {
	Exports []Export
	// Listen are the addresses to listen on. By default these are 127.0.0.1 and, if the machine
	// has it, ::1. A :: without an IPv4 address beside it means 0.0.0.0 as well.
	Listen []netip.Addr
	// Port is where NFS and MOUNT answer; 0 takes any free port.
	Port int
	// MountPort is where MOUNT answers; 0 means on Port.
	MountPort int
	Portmap   PortmapMode
	// Versions are the versions of NFS that the server answers. By default these are all with a
	// ClientStore, and version 3 without: clients of version 4 expect to keep their locks over a
	// restart of the server.
	Versions Versions
	// ClientStore opens the store of the records of NFSv4 clients in the state directory, which
	// exists; package nfs/records has one. The server closes it if it is an io.Closer. Without
	// one nobody can reclaim opens and locks after a restart: another client may get them.
	ClientStore func(stateDir string) (clients.Store, error)
	// Lease is how long the state of an NFSv4 client is kept without a word of the client: whole
	// seconds from [LeaseMin] to [LeaseMax], by default 45 s.
	Lease time.Duration
	// Grace is how long NFSv4 clients may reclaim after a restart, unless all have said earlier
	// that they are done: whole seconds from Lease to [LeaseMax], by default Lease. Until then
	// nobody gets new opens or locks.
	Grace time.Duration
	// IDMapDomain has the server send NFSv4's owners as name@IDMapDomain, and take names of no
	// other domain. By default it sends numbers, and takes names of each domain. Names are those
	// of the system's users and groups.
	IDMapDomain string
	// Lanes is the number of threads with a ring; by default one per processor.
	Lanes int
	// Workers is the number of threads for calls that may sleep; by default 32.
	Workers int
	// Memory bounds what all lanes together use for receiving and sending, in bytes. The
	// default is MemoryDefault, or the least that Lanes need if that is more. A reserve lane
	// has 16 to 32 MiB beside it, which it uses only while no other lane moves. Pages count
	// only once they have been used.
	Memory int64
	// ReadMax and WriteMax are the largest READ and WRITE in bytes: 1 MiB by default, at most 4
	// MiB.
	ReadMax, WriteMax uint32
	// ReadPath is how the data of large READs leaves. By default the server chooses for each
	// connection.
	ReadPath ReadPath
	// SpliceFrom and ZeroCopyFrom apply where ReadPath allows such sends. A READ of at least
	// SpliceFrom bytes is spliced from the page cache, 64 KiB by default. A send of at least
	// ZeroCopyFrom bytes is made without a copy, 32 KiB by default.
	SpliceFrom, ZeroCopyFrom int
	// Spin is how long a lane with nothing to do looks for calls before it sleeps, at most
	// [SpinMax]; with 0 it sleeps at once. Spinning takes a core for that long after each call,
	// and saves the time that it takes to wake a thread. On virtual machines that is most of a
	// call's round trip.
	Spin time.Duration
	// WritePath is which threads make unstable writes. By default lanes do, for file systems in
	// memory and for discs whose small writes were quick at the start; workers do otherwise.
	WritePath WritePath
	// TrustLocal lets every process of this machine act as any user, except as a squashed one.
	// By default the server asks the kernel whose the process's socket is. A process of root
	// may act as anybody. A process of another user may act as that user, with that user's
	// groups, or as nobody. A server that is not root's then serves only root and its own user.
	TrustLocal bool
	// StateDir keeps the handle key and all other state that must survive a restart.
	StateDir string
	// Log is where the server tells what happens to it; by default [slog.Default]. Its handler
	// may block: a goroutine hands it the lines, of which at most a thousand wait, and Serve
	// gives the last ones a second. The server calls Enabled at once, so Enabled must not
	// block. With slog.New(slog.DiscardHandler) nobody hears anything, not even that a back end
	// panicked.
	Log *slog.Logger
	// Without names the io_uring features that the server must not use, in the kernel's
	// spelling.
	Without []string
}

const (
	// MemoryDefault is Config.Memory's default in bytes.
	MemoryDefault = 256 << 20
	transferMax   = 4 << 20
	// LeaseMin and LeaseMax bound Config.Lease: with less, clients would do little but renew.
	LeaseMin = 5 * time.Second
	LeaseMax = time.Hour
	// SpinMax is the longest Config.Spin.
	SpinMax = time.Millisecond
	// slack is what headers, names and handles add to the data of a call.
	slack = 8 << 10
)

// settle checks c and fills in the defaults.
func (c *Config) settle() error {
	if len(c.Exports) == 0 {
		return errors.New("nfs: nothing to export: Exports needs a directory at least")
	}
	if err := c.settleExports(); err != nil {
		return err
	}
	if err := c.settleListen(); err != nil {
		return err
	}
	if c.StateDir == "" {
		return errors.New(
			"nfs: no StateDir: give a directory of the server's own, where the key of the file handles outlives a restart",
		)
	}
	for what, port := range map[string]int{"port": c.Port, "mount port": c.MountPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("nfs: %s %d: ports are 0 to 65535", what, port)
		}
	}
	if c.Port != 0 && c.MountPort == c.Port {
		c.MountPort = 0 // together, as if MountPort had not been given
	}
	if err := c.settleModes(); err != nil {
		return err
	}
	if err := c.settleVersion4(); err != nil {
		return err
	}
	if c.Lanes == 0 {
		c.Lanes = runtime.NumCPU()
	}
	if c.Lanes < 1 || c.Lanes > 1024 {
		return fmt.Errorf("nfs: %d lanes: there can be 1 to 1024", c.Lanes)
	}
	for what, n := range map[string]int{"spliced": c.SpliceFrom, "sent without a copy": c.ZeroCopyFrom} {
		if n < 0 {
			return fmt.Errorf("nfs: %d bytes: what is %s from there on cannot be negative", n, what)
		}
	}
	if c.Spin < 0 || c.Spin > SpinMax {
		return fmt.Errorf("nfs: spinning for %v: it can be 0 to %v", c.Spin, SpinMax)
	}
	if c.Workers < 0 || c.Workers > 4096 {
		return fmt.Errorf("nfs: %d workers: there can be 4096 at most", c.Workers)
	}
	for what, n := range map[string]*uint32{"READ": &c.ReadMax, "WRITE": &c.WriteMax} {
		if *n == 0 {
			*n = 1 << 20
		}
		if *n > transferMax || *n < 4096 || *n%4096 != 0 {
			return fmt.Errorf(
				"nfs: a largest %s of %d bytes: it must be a multiple of 4096 up to %d",
				what,
				*n,
				transferMax,
			)
		}
	}
	least := int64(c.Lanes) * laneLeast(c.transfer())
	if c.Memory == 0 {
		c.Memory = max(MemoryDefault, least)
	}
	if c.Memory < least {
		return fmt.Errorf(
			"nfs: %d bytes of memory are too few for %d lanes: give at least %d MiB, or fewer lanes",
			c.Memory,
			c.Lanes,
			(least+1<<20-1)>>20,
		)
	}
	// Check now: lanes map this memory one after the other when the server already answers.
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err == nil {
		if has := int64(machine.Totalram) * int64(machine.Unit); c.Memory > max(has, MemoryDefault, least) {
			return fmt.Errorf(
				"nfs: %d MiB of memory for buffers: this machine has %d MiB in all",
				c.Memory>>20,
				has>>20,
			)
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	_, err := c.without()
	return err
}

// transfer returns the largest READ or WRITE.
func (c *Config) transfer() int { return int(max(c.ReadMax, c.WriteMax)) }

// laneLeast is the least memory of one lane: room to receive four of the largest records, and a few
// slabs of each size to send.
func laneLeast(transfer int) int64 { return int64(receiveLeast(transfer) + max(24<<20, 8*transfer)) }

func receiveLeast(transfer int) int { return max(4*transfer, 8<<20) }

// reserveReceive and reserveSend are the memory of the reserve lane, beside Config.Memory. The
// reserve lane serves connections only while the other lanes do not move, so a little of everything
// will do; until then it uses hardly any of the memory.
func reserveReceive(transfer int) int { return max(16<<20, 8*transfer) }

func reserveSend(transfer int) int { return max(12<<20, 8<<20+2*transfer) }

// receiveShare returns how a lane's memory is divided.
func (c *Config) receiveShare() (receive, send int) {
	lane := c.Memory / int64(c.Lanes)
	receive = max(int(lane/4), receiveLeast(c.transfer()))
	return receive, int(lane) - receive
}

// FeatureNames are the names that Config.Without takes, in the kernel's spelling.
func FeatureNames() []string { return strings.Split(uring.AllFeatures.String(), "+") }

// settleReadPath turns pipes off where a system call filter refuses the calls that they need.
func (c *Config) settleReadPath() error {
	for name, nr := range map[string]uintptr{"splice": unix.SYS_SPLICE, "pipe2": unix.SYS_PIPE2, "ioctl": unix.SYS_IOCTL} {
		if !syscalls.Refused(nr) {
			continue
		}
		switch c.ReadPath {
		case transport.PathSplice:
			return fmt.Errorf(
				"nfs: the read path splice needs the system call %s, which is refused: %s; or take another read path",
				name,
				syscalls.Remedy(false),
			)
		case transport.PathAuto:
			c.ReadPath = transport.PathCopy
		default: // works without pipes
		}
	}
	return nil
}

// without returns the features that Config.Without names.
func (c *Config) without() (uring.Feature, error) {
	var set uring.Feature
	for _, name := range c.Without {
		known := false
		for f := uring.Feature(1); f <= uring.AllFeatures; f <<= 1 {
			if strings.EqualFold(f.String(), name) {
				set |= f
				known = true
			}
		}
		if !known {
			return 0, fmt.Errorf(
				"nfs: no io_uring feature is called %q; there are %s",
				name,
				strings.ReplaceAll(uring.AllFeatures.String(), "+", ", "),
			)
		}
	}
	return set, nil
}
