// Package nfs3 is NFS version 3 on the wire: the types of RFC 1813, sections 2.5 to 3.3, its
// numbers, and code that writes and reads them, all generated from nfs3.x. The names are those of
// the RFC. The package knows neither a server nor a client; both stand on it.
//
// [NFSV3Names] is the list of the procedures. [Nfsstat3] has the names of the statuses.
//
// # Memory
//
// Decode returns opaque data and strings as views of the record, which live as long as the record
// does. The RFC does not bound names and paths. Decoding keeps as many bytes as a Linux kernel
// takes, and one byte more, which tells that the value was longer: [Filename3] 255 bytes,
// [Nfspath3] 4095. Encoding writes all bytes.
package nfs3
