// Package nfs4 is what NFS version 4 looks like on the wire, in minor versions 0, 1 and 2:
// their types, numbers, and code that writes and reads them, all generated from nfs4.x. The
// names are those of the RFCs, which nfs4.x lists. It knows neither a server nor a client;
// both stand on it.
//
// An operation NAME has its number OP_NAME, and NAME4args and NAME4res, one of them where it
// has no arguments. [Nfsstat4] has the names of the statuses and [NfsOpnum4] those of the
// operations. Attributes are opaque in [Fattr4]: their numbers are FATTR4_ACL and so on, and
// what has a structure has a type. The parts of layouts that depend on their kind are opaque, too.
//
// # Compounds
//
// [COMPOUND4args] and [COMPOUND4res] hold a whole compound. Each of its operations takes as
// much memory as the largest of all, some 3 KiB: this is for tests and for clients that are in
// no hurry. A server reads and writes one operation after the other, with the types of the
// operations themselves.
//
// # Memory
//
// What Decode makes of opaque data and strings are views of the record: they live as long as
// the record does. The RFCs leave names, paths, sets of attributes and the values of extended
// attributes without a bound. Decoding keeps as much of them as a Linux kernel takes, or knows
// of, and a little more, which tells that there were more: [Component4] 255 bytes and one,
// [Linktext4] 4095 and one, [Xattrvalue4] 65536 and one, [Bitmap4] 63 words and one. Encoding
// writes all that is there.
//
// Lists have bounds that the RFCs do not set, some ten times what anybody is known to send:
// [LIST_MAX], [LONG_LIST_MAX], [XATTRS_MAX] and [OPERATIONS_MAX]. A longer one is an error, in both
// directions.
package nfs4
