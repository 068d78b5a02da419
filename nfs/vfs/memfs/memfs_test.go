package memfs_test

import (
	"testing"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) *vfstest.Env {
		fs := memfs.New(memfs.Config{})
		t.Cleanup(func() { _ = fs.Close() })
		return &vfstest.Env{
			FS: fs, HasPermissions: true, HasDevices: true,
			Reopen: func() vfs.FS {
				fs = fs.Reopen()
				return fs
			},
		}
	})
}
