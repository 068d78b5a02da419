// Package mount3 is the MOUNT protocol of NFS version 3 on the wire: the types of RFC 1813, section
// 5 (appendix I), its numbers, and code that writes and reads them, all generated from mount3.x.
// Versions 1 and 2 of MOUNT (RFC 1094, appendix A) are there, too. The names are those of the RFCs.
// The package knows neither a server nor a client; both stand on it.
//
// [MOUNTV3Names] is the list of the procedures of version 3. [Mountstat3] has the names of the
// statuses.
//
// # Memory
//
// Decode returns opaque data and strings as views of the record, which live as long as the record
// does.
package mount3
