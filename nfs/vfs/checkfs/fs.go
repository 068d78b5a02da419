package checkfs

import (
	"errors"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Report is told of a breach of contract: the method that broke it, and how. Any thread may call
// it, many times a second. It must not block.
type Report func(method, breach string)

// FS is a file system that is held to its contract. It implements [vfs.FS].
type FS struct {
	vfs.FS // the wrapped file system
	report Report
}

var errNoView = errors.New("checkfs: the file system's View returned neither a View nor an error")

// Wrap returns a file system that behaves like in as long as in keeps to package vfs. It owns in
// and closes it. report is not nil.
func Wrap(in vfs.FS, report Report) *FS { return &FS{FS: in, report: report} }

// View implements [vfs.FS].
func (f *FS) View(t *vfs.Thread) (vfs.View, error) {
	in, err := f.FS.View(t)
	if err != nil {
		return nil, err
	}
	if in == nil {
		return nil, errNoView
	}
	v := &view{View: in, report: f.report, mayWait: t.MayWait}
	v.list.yield = v.list.add // bound once, because each binding allocates
	if can := in.Abilities(); can != nil {
		v.able = abilities(v, can)
	} else {
		f.report("Abilities", "returned nil where there could be a value without abilities")
	}
	return v, nil
}

// Features returns what the wrapped file system has to do without, and why, if the file system says
// so.
func (f *FS) Features() (kind string, without []string) {
	if in, ok := f.FS.(interface {
		Features() (kind string, without []string)
	}); ok {
		return in.Features()
	}
	return "", nil
}
