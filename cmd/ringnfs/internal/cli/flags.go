package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/records"
	"github.com/ringnfs/ringnfs/nfs/state"
	v4 "github.com/ringnfs/ringnfs/nfs/v4"
)

// nobody is the user and group that squashed callers become unless --anonuid and --anongid say
// otherwise. Linux keeps this id for the purpose.
const nobody = 65534

// serveFlags are the flags of `ringnfs serve` as given. Their names and meanings are kept stable,
// because scripts and unit files contain them.
type serveFlags struct {
	listen    []string
	allow     []string
	port      int
	mountPort int
	portmap   string
	squash    string
	anonUID   uint32
	anonGID   uint32
	readOnly  bool
	insecure  bool
	lanes     int
	memory    size
	readPath  string
	versions  string
	lease     time.Duration
	grace     time.Duration
	idmap     string
	splice    size
	zeroCopy  size
	spin      time.Duration
	writePath string
	io        []string
	exclusive []string
	transfer  size
	stateDir  string
	logLevel  string
	without   []string
}

func (f *serveFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.SortFlags = false
	fs.Var(
		list{&f.listen, "an address of this machine, or 0.0.0.0 or :: for all"},
		"listen",
		"listen on this `ADDR`, repeatable; :: includes 0.0.0.0, unless an IPv4 address is given, too (default 127.0.0.1 and ::1; every address with --allow)",
	)
	fs.Var(
		list{&f.allow, "networks such as 192.168.1.0/24, or 0.0.0.0/0,::/0 for every client"},
		"allow",
		"serve clients in `CIDR` only, repeatable (default: this machine; with --listen, every client that reaches the address)",
	)
	fs.IntVar(
		&f.port,
		"port",
		0,
		"`PORT` for NFS, and for MOUNT too (default 2049 as root, otherwise 12049; if that is taken, any free one)",
	)
	fs.IntVar(
		&f.mountPort,
		"mount-port",
		0,
		"separate `PORT` for MOUNT (default: the same as NFS)",
	)
	fs.StringVar(
		&f.portmap,
		"portmap",
		"auto",
		"`WHEN` to answer port mapper calls on port 111: on, off, or auto (if that is allowed and the port is free)",
	)
	fs.StringVar(&f.squash, "squash", "root", "`WHO` becomes the anonymous user: root, none or all")
	fs.Uint32Var(&f.anonUID, "anonuid", nobody, "`UID` of the anonymous user")
	fs.Uint32Var(&f.anonGID, "anongid", nobody, "`GID` of the anonymous user")
	fs.BoolVar(&f.readOnly, "ro", false, "export read-only")
	fs.BoolVar(
		&f.insecure,
		"insecure",
		false,
		"serve other machines on calls from any port: any user there can then act as any user here (default: only from ports below 1024, which only root can use)",
	)
	fs.IntVar(&f.lanes, "lanes", 0, "`N` threads, each with a ring (default: one per core)")
	fs.Var(
		&f.memory,
		"memory",
		"buffer memory in all, such as 256M or 2GiB (default: by the number of lanes)",
	)
	fs.StringVar(
		&f.versions,
		"versions",
		nfs.VersionsAll.String(),
		"`LIST` of the NFS versions to answer",
	)
	fs.DurationVar(
		&f.lease,
		"lease",
		v4.LeaseDefault,
		"`TIME`, such as 45s or 2m, for which clients of version 4 may be silent before others can have what they have locked",
	)
	fs.DurationVar(
		&f.grace,
		"grace",
		0,
		"`TIME` after a restart in which clients of version 4 get their locks back before others can have them; it ends earlier when all have (default: as --lease)",
	)
	fs.StringVar(
		&f.idmap,
		"idmap-domain",
		"",
		"send owners to clients of version 4 as name@`DOMAIN`, and take only such names (default: send numbers, take names of every domain)",
	)
	fs.StringVar(
		&f.readPath,
		"read-path",
		"auto",
		"`HOW` the data of large READs leaves: copy, splice, zc (zero-copy), or auto (chosen per connection)",
	)
	fs.Var(
		&f.splice,
		"splice-from",
		"smallest READ that is spliced, if --read-path allows splicing (default 64K)",
	)
	fs.Var(
		&f.zeroCopy,
		"zero-copy-from",
		"smallest send that is made without a copy, if --read-path allows that (default 32K)",
	)
	fs.DurationVar(
		&f.spin,
		"spin",
		0,
		"a lane with nothing to do looks for calls for `TIME`, such as 50us and at most 1ms, before it sleeps: answers are quicker, but the core is never idle",
	)
	fs.StringVar(
		&f.writePath,
		"write-path",
		"auto",
		"`HOW` unstable WRITEs are made: worker, inline (lanes write: cheaper by far, but a frozen file system holds a lane up), or auto (inline if writing is quick)",
	)
	fs.StringArrayVar(
		&f.io,
		"io",
		nil,
		"`MODE` of large READs and WRITEs: buffered, dontcache or direct (they leave nothing in the page cache), or auto (only streams too large to keep leave nothing); DIR=MODE sets it for one DIR and overrides MODE, repeatable (default buffered)",
	)
	fs.StringArrayVar(
		&f.exclusive,
		"exclusive",
		nil,
		"nobody but this server changes the file system of `DIR`, one of those that are served: "+
			"remember attributes, names and rights, and answer without asking the kernel; repeatable. A change by somebody else is logged once it is noticed, and the kernel is asked again",
	)
	fs.Var(&f.transfer, "transfer-max", "largest READ and WRITE, at most 4M (default 1M)")
	fs.StringVar(
		&f.stateDir,
		"state-dir",
		"",
		"`DIR` for what must survive a restart (default /var/lib/ringnfs as root, otherwise ~/.local/state/ringnfs)",
	)
	fs.Var(
		list{&f.without, "the names of features"},
		"without",
		"do without this io_uring `FEATURE`, repeatable; the banner names all features",
	)
	fs.StringVar(
		&f.logLevel,
		"log-level",
		"info",
		"log this `LEVEL` and those above: debug, info, warn or error",
	)
	fs.Lookup("spin").DefValue = "0"
	for _, name := range []string{"memory", "splice-from", "zero-copy-from", "transfer-max", "grace"} {
		fs.Lookup(name).DefValue = ""
	}
}

// config returns the configuration that the flags ask for. It leaves to settle what depends on the
// machine (ports, listening addresses, state directory).
func (f *serveFlags) config(c *cobra.Command, dirs []string) (nfs.Config, slog.Level, error) {
	var (
		cfg   nfs.Config
		level slog.Level
		err   error
	)
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil ||
		!oneOf(f.logLevel, "debug", "info", "warn", "error") {
		return cfg, level, fmt.Errorf("--log-level %q: say debug, info, warn or error", f.logLevel)
	}
	switch f.portmap {
	case "auto":
		cfg.Portmap = nfs.PortmapAuto
	case "on":
		cfg.Portmap = nfs.PortmapOn
	case "off":
		cfg.Portmap = nfs.PortmapOff
	default:
		return cfg, level, fmt.Errorf("--portmap %q: say auto, on or off", f.portmap)
	}
	if f.anonUID == 0 || f.anonGID == 0 {
		return cfg, level, errors.New(
			"--anonuid and --anongid may not be 0: the anonymous user would be root",
		)
	}
	x := nfs.Export{ReadOnly: f.readOnly, Insecure: f.insecure, AnonUID: f.anonUID, AnonGID: f.anonGID}
	switch f.squash {
	case "root":
		x.Squash = export.SquashRoot
	case "none":
		x.Squash = export.SquashNone
	case "all":
		x.Squash = export.SquashAll
	default:
		return cfg, level, fmt.Errorf("--squash %q: say root, none or all", f.squash)
	}
	if cfg.Listen, err = parseListen(f.listen); err != nil {
		return cfg, level, err
	}
	if x.Allow, err = parseAllow(f.allow); err != nil {
		return cfg, level, err
	}
	for _, p := range []struct {
		flag  string
		value int
	}{{"port", f.port}, {"mount-port", f.mountPort}} {
		if p.value < 0 || p.value > 65535 || p.value == 0 && c.Flags().Changed(p.flag) && p.flag != "port" {
			return cfg, level, fmt.Errorf("--%s %d is not a port number", p.flag, p.value)
		}
	}
	if f.lanes < 0 {
		return cfg, level, fmt.Errorf("--lanes %d: say how many, or leave it out for one per core", f.lanes)
	}
	for _, name := range f.without {
		if !slices.ContainsFunc(
			nfs.FeatureNames(),
			func(known string) bool { return strings.EqualFold(known, name) },
		) {
			return cfg, level, fmt.Errorf(
				"--without %q: there are %s",
				name,
				strings.Join(nfs.FeatureNames(), ", "),
			)
		}
	}
	modes, err := parseIO(f.io, dirs)
	if err != nil {
		return cfg, level, err
	}
	alone, err := parseExclusive(f.exclusive, dirs)
	if err != nil {
		return cfg, level, err
	}
	if cfg.Versions, err = nfs.ParseVersions(f.versions); err != nil {
		return cfg, level, fmt.Errorf(
			"--versions %q: say 3, 4.0, 4.1 or 4.2, or several with commas",
			f.versions,
		)
	}
	if err = f.version4(c, &cfg); err != nil {
		return cfg, level, err
	}
	cfg.ClientStore = func(dir string) (state.Store, error) { return records.Open(dir) }
	if cfg.ReadPath, err = nfs.ParseReadPath(f.readPath); err != nil {
		return cfg, level, fmt.Errorf("--read-path %q: say copy, splice, zc or auto", f.readPath)
	}
	for _, p := range []struct {
		flag  string
		value size
		to    *int
	}{{"splice-from", f.splice, &cfg.SpliceFrom}, {"zero-copy-from", f.zeroCopy, &cfg.ZeroCopyFrom}} {
		if p.value > 1<<30 || p.value == 0 && c.Flags().Changed(p.flag) {
			return cfg, level, fmt.Errorf("--%s %s: 1 to 1G", p.flag, &p.value)
		}
		*p.to = int(p.value)
	}
	if f.spin < 0 || f.spin > nfs.SpinMax {
		return cfg, level, fmt.Errorf("--spin %v: 0 to %v", f.spin, nfs.SpinMax)
	}
	cfg.Spin = f.spin
	if cfg.WritePath, err = nfs.ParseWritePath(f.writePath); err != nil {
		return cfg, level, fmt.Errorf("--write-path %q: say worker, inline or auto", f.writePath)
	}
	if t := f.transfer; t != 0 && (t < 4<<10 || t > 4<<20 || t%(4<<10) != 0) {
		return cfg, level, fmt.Errorf("--transfer-max %s: a multiple of 4K, 4M at most", &t)
	}
	cfg.ReadMax, cfg.WriteMax = uint32(f.transfer), uint32(f.transfer)
	cfg.Port, cfg.MountPort = f.port, f.mountPort
	cfg.Lanes, cfg.Memory, cfg.StateDir, cfg.Without = f.lanes, int64(f.memory), f.stateDir, f.without
	for i, dir := range dirs {
		x.Dir, x.IO, x.Exclusive = dir, modes[i], alone[i]
		cfg.Exports = append(cfg.Exports, x)
	}
	return cfg, level, nil
}

// version4 sets what version 4 needs to know.
func (f *serveFlags) version4(c *cobra.Command, cfg *nfs.Config) error {
	if f.lease < nfs.LeaseMin || f.lease > nfs.LeaseMax || f.lease%time.Second != 0 {
		return fmt.Errorf("--lease %v: %v to %v, in whole seconds", f.lease, nfs.LeaseMin, nfs.LeaseMax)
	}
	if c.Flags().Changed("grace") &&
		(f.grace < f.lease || f.grace > nfs.LeaseMax || f.grace%time.Second != 0) {
		return fmt.Errorf(
			"--grace %v: at least the lease, %v, since clients may notice a restart that late, and %v at most, in whole seconds",
			f.grace, f.lease, nfs.LeaseMax,
		)
	}
	if f.idmap == "" && c.Flags().Changed("idmap-domain") {
		return errors.New("--idmap-domain \"\": say which domain, or leave it out to send numbers")
	}
	if err := idmap.CheckDomain(f.idmap); err != nil {
		return fmt.Errorf("--idmap-domain: %w", err)
	}
	cfg.Lease, cfg.Grace, cfg.IDMapDomain = f.lease, f.grace, f.idmap
	return nil
}

// parseIO returns the mode of each directory. Each of texts is a MODE for all directories or
// DIR=MODE for one. The mode for one directory counts more; of several for the same directory the
// last one counts.
func parseIO(texts, dirs []string) ([]nfs.IOMode, error) {
	var all nfs.IOMode
	own := make(map[string]nfs.IOMode) // by path
	paths := absolutes(dirs)
	for _, text := range texts {
		dir, word, one := "", text, false
		if i := strings.LastIndexByte(text, '='); i >= 0 {
			dir, word, one = text[:i], text[i+1:], true
		}
		mode, err := nfs.ParseIOMode(word)
		if err != nil {
			return nil, fmt.Errorf("--io %q: say buffered, dontcache, direct or auto", text)
		}
		if !one {
			all = mode
			continue
		}
		if dir == "" || !slices.Contains(paths, absolute(dir)) {
			return nil, fmt.Errorf("--io %q: %q is none of the directories to serve", text, dir)
		}
		own[absolute(dir)] = mode
	}
	modes := make([]nfs.IOMode, len(dirs))
	for i, path := range paths {
		modes[i] = all
		if mode, ok := own[path]; ok {
			modes[i] = mode
		}
	}
	return modes, nil
}

// parseExclusive returns which of the directories nobody but the server changes. Each of texts is
// one of them.
func parseExclusive(texts, dirs []string) ([]bool, error) {
	alone, paths := make([]bool, len(dirs)), absolutes(dirs)
	for _, text := range texts {
		i := slices.Index(paths, absolute(text))
		if text == "" || i < 0 {
			return nil, fmt.Errorf("--exclusive %q: it is none of the directories to serve", text)
		}
		alone[i] = true
	}
	return alone, nil
}

// absolutes returns the absolute paths of directories.
func absolutes(dirs []string) []string {
	paths := make([]string, len(dirs))
	for i, dir := range dirs {
		paths[i] = absolute(dir)
	}
	return paths
}

// absolute returns the path of a directory from the root, for comparisons.
func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return filepath.Clean(dir) // the working directory no longer exists
}

func parseListen(texts []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range texts {
		bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
		a, err := netip.ParseAddr(bare)
		if err != nil {
			return nil, fmt.Errorf(
				"--listen %q is not an IP address (0.0.0.0 and :: are all of this machine's)",
				text,
			)
		}
		addrs = append(addrs, a.Unmap())
	}
	return addrs, nil
}

func parseAllow(texts []string) ([]netip.Prefix, error) {
	var allow []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, errAddr := netip.ParseAddr(text)
			if errAddr != nil || a.Zone() != "" {
				return nil, fmt.Errorf(
					"--allow %q is not a network such as 192.168.1.0/24 or an address",
					text,
				)
			}
			a = a.Unmap()
			p = netip.PrefixFrom(a, a.BitLen())
		}
		networks, err := export.Networks([]netip.Prefix{p})
		if err != nil {
			return nil, fmt.Errorf("--allow %q: %w", text, err)
		}
		allow = append(allow, networks...)
	}
	return allow, nil
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}
