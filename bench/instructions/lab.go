package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// lab is what measurements are made with.
type lab struct {
	root     string // of the repository
	cache    string
	programs string // built ones
	kernel   *kernel
	initrd   string
	memory   string // of the saved machine
	state    string // and all else
	emulator string // its version
}

// newLab prepares everything that measurements have in common, as far as the cache does not have
// it.
func newLab(ctx context.Context, root, cache string) (*lab, error) {
	out, err := exec.Command(emulator, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s (Debian's package qemu-system-x86)", errMissing, emulator)
	}
	version, _, _ := strings.Cut(string(out), "\n")
	l := &lab{root: root, cache: cache, programs: filepath.Join(cache, "programs"), emulator: version}
	if err := os.MkdirAll(l.programs, 0o755); err != nil {
		return nil, err
	}
	if l.kernel, err = findKernel(cache); err != nil {
		return nil, err
	}
	for _, name := range []string{"boot", "guest"} {
		// Away from the addresses at which servers in Go are, so that a profile can tell them.
		// The same source gives the same program in every directory, and one saved machine.
		if err := l.build(name, "./bench/instructions/"+name, "-trimpath", "-buildvcs=false",
			"-ldflags=-T 0x10000000 -w"); err != nil {
			return nil, err
		}
	}
	return l, l.boot(ctx)
}

// build builds a program of this repository for the guest, without libraries.
func (l *lab) build(name, pkg string, flags ...string) error {
	args := append([]string{"build", "-o", filepath.Join(l.programs, name)}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = l.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w: %s", pkg, err, lastLines(out))
	}
	return nil
}

// oldAfter is how long a saved machine stays when another one has been made.
const oldAfter = 24 * time.Hour

// boot makes the saved state, unless it is there.
func (l *lab) boot(ctx context.Context) error {
	m, err := newImage(l.kernel, filepath.Join(l.programs, "boot"))
	if err != nil {
		return err
	}
	tree := m.cpio()
	h := sha256.New()
	fmt.Fprintln(h, "memory apart", l.emulator, l.kernel.release, job.Memory, job.PayloadMax, commandLine)
	h.Write(tree)
	id := hex.EncodeToString(h.Sum(nil))[:16]
	l.initrd, l.memory, l.state = l.file("initrd", id), l.file("memory", id), l.file("state", id)
	if _, err := os.Stat(l.state); err == nil {
		return nil
	}
	old, err := filepath.Glob(filepath.Join(l.cache, "*-????????????????"))
	if err != nil {
		return err
	}
	for _, name := range old {
		// Machines of another tree may be running from it.
		if st, err := os.Stat(name); err != nil || time.Since(st.ModTime()) < oldAfter {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(l.initrd, tree, 0o644); err != nil {
		return err
	}
	x, err := newMachine(ctx, files{kernel: l.kernel.image(), initrd: l.initrd, memory: l.memory},
		bootMax)
	if err != nil {
		return err
	}
	defer x.close() //nolint:errcheck // what matters is saved
	release, err := x.boot()
	if err != nil {
		return err
	}
	if release != l.kernel.release {
		return fmt.Errorf("the kernel says that it is %s, not %s", release, l.kernel.release)
	}
	return x.save(l.state)
}

// file is a file of the cache that belongs to the saved machine with an id.
func (l *lab) file(kind, id string) string { return filepath.Join(l.cache, kind+"-"+id) }

// measured is what a machine has measured: each load's window, and what was counted in it, if
// anything was.
type measured struct {
	windows []job.Window
	blocks  [][]block
}

// measure runs one job in a machine of its own. programs are the files that its server needs; c may
// be nil.
func (l *lab) measure(ctx context.Context, j *job.Job, programs *image, c *counter) (*measured, error) {
	lines, blocks, err := l.run(ctx, j, programs, c)
	if err != nil {
		return nil, err
	}
	m := &measured{blocks: blocks}
	for i := range lines {
		if lines[i].Window != nil {
			m.windows = append(m.windows, *lines[i].Window)
		}
	}
	if len(m.windows) != len(j.Loads) || c != nil && len(blocks) != len(j.Loads) {
		return nil, fmt.Errorf("%d of %d loads were measured, %d counted", len(m.windows),
			len(j.Loads), len(blocks))
	}
	return m, nil
}

// run runs a machine with a job to its end, and returns what it said and counted.
func (l *lab) run(
	ctx context.Context, j *job.Job, programs *image, c *counter,
) ([]job.Line, [][]block, error) {
	payload, err := os.CreateTemp("", "payload-")
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(payload.Name())
	if err := errors.Join(l.writePayload(payload, j, programs), payload.Close()); err != nil {
		return nil, nil, err
	}
	m, err := newMachine(ctx, files{
		kernel: l.kernel.image(), initrd: l.initrd, payload: payload.Name(), memory: l.memory,
		state: l.state, counter: c,
	}, runMax)
	if err != nil {
		return nil, nil, err
	}
	defer m.close() //nolint:errcheck // it has ended
	lines, err := m.run()
	if err != nil || c == nil {
		return lines, nil, err
	}
	blocks, err := readCounts(m.counts())
	return lines, blocks, err
}

// writePayload writes the guest's input.
func (l *lab) writePayload(f *os.File, j *job.Job, programs *image) error {
	w := tar.NewWriter(f)
	add := func(name string, mode int64, b []byte) error {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(b)),
			Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	}
	input, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := add(job.Input, 0o644, input); err != nil {
		return err
	}
	guest, err := os.ReadFile(filepath.Join(l.programs, "guest"))
	if err != nil {
		return err
	}
	if err := add(job.Guest, 0o755, guest); err != nil {
		return err
	}
	for _, e := range programs.entries {
		if e.mode&typeMask == typeFile {
			if err := add(e.name, int64(e.mode&^typeMask), e.data); err != nil {
				return err
			}
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Truncate(job.PayloadMax) // zeros behind it, which take no room
}
