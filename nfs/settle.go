package nfs

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	v4 "github.com/ringnfs/ringnfs/nfs/v4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// settleExports checks the exports, as far as that needs no file system, and makes their paths
// absolute.
func (c *Config) settleExports() error {
	// The caller's list stays as it is: the caller may make the next server from it.
	c.Exports = slices.Clone(c.Exports)
	for i := range c.Exports {
		x := &c.Exports[i]
		if err := x.settle(i); err != nil {
			return err
		}
		for j := range c.Exports[:i] {
			if sameFS(x.FS, c.Exports[j].FS) {
				return fmt.Errorf(
					"nfs: export %s: its FS is also that of %s, and would be closed twice: give each export one of its own",
					x.Dir,
					c.Exports[j].Dir,
				)
			}
		}
	}
	return nil
}

// settle checks x, the export with index i.
func (x *Export) settle(i int) error {
	switch {
	case x.Dir == "" && x.FS == nil:
		return fmt.Errorf(
			"nfs: Exports[%d] has no Dir: give the directory to serve (\".\" is the current one)",
			i,
		)
	case x.Dir == "":
		return fmt.Errorf(
			"nfs: Exports[%d] has an FS and no Dir: give the absolute path under which clients mount it",
			i,
		)
	case strings.ContainsRune(x.Dir, 0):
		return fmt.Errorf("nfs: export %q: a path cannot have a NUL in it", x.Dir)
	case x.FS != nil && !filepath.IsAbs(x.Dir):
		return fmt.Errorf("nfs: export %s: the name of an FS is an absolute path: say %q", x.Dir, "/"+x.Dir)
	case x.FS != nil && export.NoFS(x.FS):
		return fmt.Errorf(
			"nfs: export %s: FS is a nil %T: leave FS nil to serve the directory Dir, or set it to a file system",
			x.Dir,
			x.FS,
		)
	case x.Allow != nil && len(x.Allow) == 0:
		return fmt.Errorf(
			"nfs: export %s: Allow is an empty list: name networks, or leave it nil to serve this machine only",
			x.Dir,
		)
	case x.IO > IOAuto:
		return fmt.Errorf(
			"nfs: export %s: I/O mode %d is unknown: use IOBuffered, IODontCache, IODirect or IOAuto",
			x.Dir,
			x.IO,
		)
	case x.FS != nil && x.Exclusive:
		return fmt.Errorf(
			"nfs: export %s: Exclusive is for directories: an FS of one's own does its own remembering; "+
				"leave Exclusive out",
			x.Dir,
		)
	case x.FS != nil && x.IO != IOBuffered:
		return fmt.Errorf(
			"nfs: export %s: IO is %v, which is for directories: an FS of one's own does its own I/O; leave IO out",
			x.Dir,
			x.IO,
		)
	}
	if err := (export.Options{Squash: x.Squash, AnonUID: x.AnonUID, AnonGID: x.AnonGID, Allow: x.Allow}).Check(); err != nil {
		return fmt.Errorf("nfs: export %s: %w", x.Dir, err)
	}
	if x.Allow != nil {
		x.Allow, _ = export.Networks(x.Allow) // no error: checked above
	}
	dir, err := filepath.Abs(x.Dir)
	if err != nil {
		return fmt.Errorf("nfs: export %s: %w: give an absolute path", x.Dir, err)
	}
	x.Dir = dir
	return nil
}

// dirRemedy says what to do about a directory that cannot be opened.
func dirRemedy(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT):
		return ": make the directory, or correct its path"
	case errors.Is(err, unix.ENOTDIR):
		return ": export the directory that it lies in"
	case errors.Is(err, unix.EACCES):
		return ": the server's user needs read and search permission for it"
	}
	return ""
}

// sameFS reports whether both exports have been given the same file system.
func sameFS(a, b vfs.FS) bool {
	// A comparable type may contain an interface whose value cannot be compared.
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() &&
		a == b
}

// settleListen checks the addresses. For :: it adds 0.0.0.0, because a socket has one family, and
// clients by IPv4 would not get through to ::.
func (c *Config) settleListen() error {
	for i, a := range c.Listen {
		switch {
		case !a.IsValid():
			return fmt.Errorf(
				"nfs: Listen[%d] is no address: leave Listen empty for this machine alone, or give 0.0.0.0 and :: for everybody",
				i,
			)
		case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return fmt.Errorf(
				"nfs: Listen: %v is not the address of one machine: give one that this machine has",
				a,
			)
		case slices.Contains(c.Listen[:i], a):
			return fmt.Errorf("nfs: Listen: %v is given twice: once is enough", a)
		}
		same := func(b netip.Addr) bool { return overlap(a.Unmap(), b.Unmap()) }
		if j := slices.IndexFunc(c.Listen[:i], same); j >= 0 {
			return fmt.Errorf(
				"nfs: Listen: %v and %v: one of them is all of this machine's addresses of its family: give the other one, or that one alone",
				c.Listen[j],
				a,
			)
		}
	}
	isFour := func(a netip.Addr) bool { return a.Unmap().Is4() }
	if four := netip.IPv4Unspecified(); slices.Contains(c.Listen, netip.IPv6Unspecified()) &&
		!slices.ContainsFunc(c.Listen, isFour) &&
		canBind(four) {
		c.Listen = append(slices.Clone(c.Listen), four)
	}
	return nil
}

// settleModes checks the fields that take one of a few values.
func (c *Config) settleModes() error {
	switch {
	case c.Portmap > PortmapOff:
		return fmt.Errorf(
			"nfs: portmap mode %d is unknown: use PortmapAuto, PortmapOn or PortmapOff",
			c.Portmap,
		)
	case c.ReadPath > ReadZeroCopy:
		return fmt.Errorf(
			"nfs: read path %d is unknown: use ReadAuto, ReadCopy, ReadSplice or ReadZeroCopy",
			c.ReadPath,
		)
	case c.WritePath > WriteInline:
		return fmt.Errorf(
			"nfs: write path %d is unknown: use WriteAuto, WriteWorker or WriteInline",
			c.WritePath,
		)
	case c.Portmap == PortmapOn && (c.Port == PortmapPort || c.MountPort == PortmapPort):
		return errors.New("nfs: port 111 is the port mapper's own: choose another port, or PortmapOff")
	}
	return nil
}

// settleVersion4 checks the fields of version 4.
func (c *Config) settleVersion4() error {
	if c.Versions == 0 {
		if c.Versions = NFSv3; c.ClientStore != nil {
			c.Versions = VersionsAll
		}
	}
	if c.Versions&^VersionsAll != 0 {
		return fmt.Errorf("nfs: versions %#x: there are %v", uint8(c.Versions), VersionsAll)
	}
	if c.Lease == 0 {
		c.Lease = v4.LeaseDefault
	}
	if c.Lease < LeaseMin || c.Lease > LeaseMax || c.Lease%time.Second != 0 {
		return fmt.Errorf("nfs: a lease of %v: it can be %v to %v, in whole seconds", c.Lease, LeaseMin, LeaseMax)
	}
	if c.Grace == 0 {
		c.Grace = c.Lease
	}
	if c.Grace < c.Lease || c.Grace > LeaseMax || c.Grace%time.Second != 0 {
		return fmt.Errorf(
			"nfs: a grace period of %v: it can be %v, the lease, to %v, in whole seconds: clients may notice a restart "+
				"that late",
			c.Grace, c.Lease, LeaseMax,
		)
	}
	return idmap.CheckDomain(c.IDMapDomain)
}

// closeExports closes the file systems that the caller handed over, each one once.
func closeExports(exports []Export) {
	for i := range exports {
		fs := exports[i].FS
		if export.NoFS(fs) ||
			slices.ContainsFunc(exports[:i], func(x Export) bool { return sameFS(fs, x.FS) }) {
			continue
		}
		_ = fs.Close()
	}
}
