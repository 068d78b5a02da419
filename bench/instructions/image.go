package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// image is the tree of an initramfs, by path.
type image struct{ entries []entry }

type entry struct {
	name string // without the first slash
	mode uint32 // with the type, as in stat(2)
	data []byte
}

const typeMask, typeDir, typeFile = 0o170000, 0o040000, 0o100000

// dir adds a directory and those above it.
func (m *image) dir(name string) {
	name = strings.Trim(name, "/")
	if name == "" || name == "." || m.has(name) {
		return
	}
	m.dir(filepath.Dir(name))
	m.entries = append(m.entries, entry{name: name, mode: typeDir | 0o755})
}

func (m *image) has(name string) bool {
	for i := range m.entries {
		if m.entries[i].name == name {
			return true
		}
	}
	return false
}

// add adds a file.
func (m *image) add(name string, mode fs.FileMode, data []byte) {
	name = strings.Trim(name, "/")
	if m.has(name) {
		return
	}
	m.dir(filepath.Dir(name))
	m.entries = append(m.entries, entry{name: name, mode: typeFile | uint32(mode.Perm()), data: data})
}

var library = regexp.MustCompile(`/\S+`)

// program adds a program or library of this machine, with the libraries that it is linked to. It
// reports whether there is such a program.
func (m *image) program(path string) (bool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return false, nil //nolint:nilerr // the server that it belongs to is not on this machine
	}
	m.add(path, 0o755, b)
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return true, nil //nolint:nilerr // it is linked to none
	}
	for _, lib := range library.FindAllString(string(out), -1) {
		if b, err = os.ReadFile(lib); err != nil {
			return true, err
		}
		m.add(lib, 0o755, b)
	}
	return true, nil
}

// cpio is the image in the format that the kernel unpacks (newc; the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst).
func (m *image) cpio() []byte {
	var b bytes.Buffer
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	one := func(inode int, e entry) {
		links := 1
		if e.mode&typeMask == typeDir {
			links = 2
		}
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			inode, e.mode, 0, 0, links, 0, len(e.data), 0, 0, 0, 0, len(e.name)+1, 0)
		b.WriteString(e.name)
		b.WriteByte(0)
		pad()
		b.Write(e.data)
		pad()
	}
	for i, e := range m.entries {
		one(i+1, e)
	}
	one(0, entry{name: "TRAILER!!!"})
	return b.Bytes()
}

// wanted are the modules that machines load, with what these depend on, and their parameters. The
// disc of brd holds 800 MiB. That of null_blk takes 100 us for a request, and its cache has to be
// flushed.
var wanted = [][2]string{
	{"crc32c-intel", ""},
	{"crc32c_generic", ""},
	{"brd", "rd_nr=1 rd_size=819200"},
	{"ext4", ""},
	{"xfs", ""},
	{"null_blk",
		"nr_devices=1 gb=1 bs=4096 memory_backed=1 irqmode=2 " +
			"completion_nsec=100000 queue_mode=2 submit_queues=1 cache_size=64"},
	{"nfsd", ""},
}

// modules adds the kernel's modules and the list that boot reads.
func (m *image) modules(k *kernel) error {
	var list []string
	add := func(path, to string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".xz") {
			if b, err = exec.Command("xz", "-dc", path).Output(); err != nil {
				return fmt.Errorf("xz -dc %s: %w", path, err)
			}
		}
		m.add(to, 0o644, b)
		return nil
	}
	paths := func(name string) ([]string, error) {
		out, err := exec.Command("/sbin/modprobe", "-d", k.dir, "-S", k.release, "--show-depends",
			name).Output()
		if err != nil {
			return nil, fmt.Errorf("the kernel's module %s: %w", name, err)
		}
		var all []string
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "insmod" {
				all = append(all, f[1])
			}
		}
		return all, nil
	}
	for _, w := range wanted {
		all, err := paths(w[0])
		if err != nil {
			return err
		}
		for i, path := range all {
			to := "/lib/" + strings.TrimSuffix(filepath.Base(path), ".xz")
			if m.has(strings.Trim(to, "/")) {
				continue
			}
			if err := add(path, to); err != nil {
				return err
			}
			if i == len(all)-1 && w[1] != "" {
				to += " " + w[1]
			}
			list = append(list, to)
		}
	}
	m.add("/modules", 0o644, []byte(strings.Join(list, "\n")))
	return nil
}

// newImage makes the initramfs: the kernel's modules, the program boot, and the programs of this
// machine that the guest runs.
func newImage(k *kernel, boot string) (*image, error) {
	m := &image{}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "run", "etc", "srv", "root", "mnt",
		"var/lib/nfs/sm", "var/lib/nfs/v4recovery"} {
		m.dir(d)
	}
	b, err := os.ReadFile(boot)
	if err != nil {
		return nil, err
	}
	m.add("/init", 0o755, b)
	if err := m.modules(k); err != nil {
		return nil, err
	}
	for _, name := range []string{"/usr/sbin/mkfs.ext4", "/usr/sbin/mkfs.xfs"} {
		if _, err := m.program(name); err != nil {
			return nil, err
		}
	}
	if b, err := os.ReadFile("/etc/mke2fs.conf"); err == nil {
		m.add("/etc/mke2fs.conf", 0o644, b)
	}
	m.add("/etc/passwd", 0o644,
		[]byte("root:x:0:0:root:/root:/bin/sh\n"+
			"_rpc:x:101:65534::/run/rpcbind:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"))
	m.add("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	m.add("/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files\n"))
	m.add("/etc/hosts", 0o644, []byte("127.0.0.1 localhost\n"))
	return m, nil
}
