package client

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/mount3"
)

// Mount makes the calls of MOUNT version 3 (RFC 1813, section 5.2). Results are views of the
// reply, valid until the Caller's next call.
type Mount struct{ Caller }

// do makes a call. path is its argument, nil if it has none.
func (m Mount) do(proc uint32, path Encoder, res Decoder) error {
	return m.Call(mount3.MOUNT_PROGRAM, mount3.MOUNT_V3, proc, path, res)
}

// Mnt asks for the file handle of a path. If the server refuses, the error is a [*MountError];
// the results are returned beside it.
func (m Mount) Mnt(path string) (res mount3.Mountres3, err error) {
	if err := m.do(mount3.MOUNTPROC3_MNT, Text(path), &res); err != nil {
		return res, fmt.Errorf("mount %s: %w", path, err)
	}
	if res.FhsStatus != mount3.MNT3_OK {
		return res, &MountError{Path: path, Status: res.FhsStatus}
	}
	return res, nil
}

// Umnt takes the caller's mount of a path off the list that Dump shows. The server does not say
// whether there was one.
func (m Mount) Umnt(path string) error {
	if err := m.do(mount3.MOUNTPROC3_UMNT, Text(path), nil); err != nil {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	return nil
}

// Dump lists who has mounted what, as far as the server tells the caller.
func (m Mount) Dump() (res mount3.Mountlist, err error) {
	if err := m.do(mount3.MOUNTPROC3_DUMP, nil, &res); err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	return res, nil
}

// Export lists the exports, as far as the server tells the caller.
func (m Mount) Export() (res mount3.Exports, err error) {
	if err := m.do(mount3.MOUNTPROC3_EXPORT, nil, &res); err != nil {
		return nil, fmt.Errorf("list the exports: %w", err)
	}
	return res, nil
}
