package iopath

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var pageSize = uint64(unix.Getpagesize())

// inCache returns OK if all pages of the range are in the page cache, Again if they are not, and
// NotSupp if the kernel does not tell. It leaves the kernel's numbers in p.pages.
func (p *Path) inCache(fd int, off uint64, n int) vfs.Status {
	first := off &^ (pageSize - 1)
	p.asked = kernel.CacheRange{Off: first, Len: off + uint64(n) - first}
	if kernel.Cachestat(fd, &p.asked, &p.pages) != 0 {
		if p.Memory {
			return vfs.OK
		}
		return vfs.NotSupp
	}
	if pages := (p.asked.Len + pageSize - 1) / pageSize; p.pages.Cached < pages {
		return vfs.Again
	}
	return vfs.OK
}
