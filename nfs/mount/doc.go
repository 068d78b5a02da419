// Package mount is the MOUNT program, by which an NFSv3 client gets its first file handle. It
// serves version 3 (RFC 1813, section 5), and versions 1 and 2 as far as showmount and umount use
// them. The protocol's types are in package mount3.
//
// # Rights
//
// A path can be mounted if it lies in an export that serves the caller's address. MNT walks from
// the export to the path with the caller's rights, squashed as the export says, and never leaves
// the export. So MNT leads no caller past a directory that LOOKUP would not pass. The export's own
// directory needs no right, nor does the last directory of the path. The handle of a directory
// below an export carries the export's identity, so it gives the rights that the export gives.
//
// # Who has mounted what
//
// The list that DUMP shows is for the information of administrators (RFC 1813, section 5.2.2). It
// is kept in memory and bounded; a new entry replaces the oldest one. One mutex guards the list.
// Nothing is called while it is held.
//
// # Threads
//
// Procedures that walk a path are of class rpc.Blocking and run on workers. All others run anywhere
// and do not block.
package mount
