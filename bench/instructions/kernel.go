package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errMissing is wrapped by the errors that say what is not to be had here.
var errMissing = errors.New("not to be had here")

// kernel is an unpacked package of a kernel.
type kernel struct {
	dir     string
	release string
}

func (k *kernel) image() string { return filepath.Join(k.dir, "boot", "vmlinuz-"+k.release) }

// findKernel returns the kernel that is unpacked in the cache, or downloads it: that of Debian's
// backports, because the server uses what a stable release's kernel does not have yet.
func findKernel(cache string) (*kernel, error) {
	dir := filepath.Join(cache, "kernel")
	if k, err := unpacked(dir); err == nil {
		return k, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("%w: a kernel, without apt-get", errMissing)
	}
	fmt.Fprintln(os.Stderr,
		"instructions: downloading a kernel (Debian's package linux-image-amd64 "+
			"of the backports, some 100 MB; it is not installed)")
	work := filepath.Join(cache, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return nil, err
		}
	}
	source, err := backports()
	if err != nil {
		return nil, err
	}
	list := filepath.Join(work, "sources.list")
	if err := os.WriteFile(list, []byte(source), 0o644); err != nil {
		return nil, err
	}
	options := []string{
		"-q", "-o", "Dir::Etc::sourcelist=" + list, "-o", "Dir::Etc::sourceparts=-", "-o",
		"Dir::State::lists=" + filepath.Join(work, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(work, "cache"), "-o", "APT::Sandbox::User=",
	}
	apt := func(program string, args ...string) (string, error) {
		cmd := exec.Command(program, append(append([]string(nil), options...), args...)...)
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w: %s %s: %w: %s", errMissing, program,
				strings.Join(args, " "), err, lastLines(out))
		}
		return string(out), nil
	}
	if _, err := apt("apt-get", "update"); err != nil {
		return nil, err
	}
	depends, err := apt("apt-cache", "depends", "linux-image-amd64")
	if err != nil {
		return nil, err
	}
	name := dependency(depends)
	if name == "" {
		return nil, fmt.Errorf("%w: a kernel: apt-cache says %q", errMissing, depends)
	}
	if _, err := apt("apt-get", "download", name); err != nil {
		return nil, err
	}
	packages, err := filepath.Glob(filepath.Join(work, name+"_*.deb"))
	if err != nil || len(packages) == 0 {
		return nil, fmt.Errorf("%w: the package %s", errMissing, name)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return nil, err
	}
	if out, err := exec.Command("dpkg", "-x", packages[0], part).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("dpkg -x: %w: %s", err, lastLines(out))
	}
	k, err := unpacked(part)
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("/sbin/depmod", "-b", part, k.release).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: depmod (Debian's package kmod): %w: %s", errMissing, err,
			lastLines(out))
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(part, dir), os.RemoveAll(work)); err != nil {
		return nil, err
	}
	return unpacked(dir)
}

// unpacked returns the kernel in dir.
func unpacked(dir string) (*kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil {
		return nil, err
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("%d kernels in %s", len(images), dir)
	}
	return &kernel{dir: dir, release: strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")}, nil
}

// backports is a line of sources.list: the backports of this Debian, from the archive that apt-get
// uses here.
func backports() (string, error) {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	var name string
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			name = strings.Trim(v, `"`)
		}
	}
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)",
		"Created-By: Packages").Output()
	site, _, _ := strings.Cut(string(out), "\n")
	if err != nil || site == "" || name == "" {
		return "", fmt.Errorf("%w: an archive of Debian packages", errMissing)
	}
	return fmt.Sprintf("deb %s %s-backports main\n", site, name), nil
}

// dependency returns the package that the metapackage of a kernel stands for.
func dependency(depends string) string {
	for line := range strings.Lines(depends) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok &&
			strings.HasPrefix(name, "linux-image-") {
			return name
		}
	}
	return ""
}

// lastLines is the end of what a program has printed.
func lastLines(b []byte) string {
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-600):])
}
