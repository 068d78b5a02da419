// Package nfs3 is what NFS version 3 looks like on the wire: the types of RFC 1813, sections
// 2.5 to 3.3, its numbers, and code that writes and reads them, all generated from nfs3.x. The
// names are those of the RFC. It knows neither a server nor a client; both stand on it.
//
// [NFSV3Names] is the list of the procedures. [Nfsstat3] has the names of the statuses.
//
// # Memory
//
// What Decode makes of opaque data and strings are views of the record: they live as long as
// the record does. The RFC does not bound names and paths. Decoding keeps as much of them as
// a Linux kernel takes, and one byte more, which tells that there were more: [Filename3] 255
// bytes, [Nfspath3] 4095. Encoding writes all that is there.
package nfs3
