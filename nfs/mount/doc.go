// Package mount is the MOUNT program, by which an NFSv3 client gets its first
// file handle: version 3 (RFC 1813, section 5), and versions 1 and 2 as far as
// showmount and umount use them.
//
// # Rights
//
// A path is mounted if it lies in an export that serves the caller's address.
// The way from the export to it is walked with the caller's rights, squashed as the
// export says, and never leaves the export: MNT leads nobody past a directory that
// LOOKUP would not lead him through. The export's own directory needs no right, nor
// does the last one of the path. The handle of a directory below an export carries
// the export's identity, so it gives the rights that the export gives.
//
// # Who has mounted what
//
// The list that DUMP shows is a courtesy to administrators, as RFC 1813 has it.
// It is kept in memory and bounded; the oldest entries give way. One mutex
// guards it, which nothing is called under.
//
// # Threads
//
// What walks a path is of class rpc.Blocking and runs on workers. All else
// runs anywhere and does not block.
package mount
