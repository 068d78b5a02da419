// Package nfs4 is NFS version 4 on the wire, in minor versions 0, 1 and 2: the types and numbers of
// the RFCs that nfs4.x lists, and code that writes and reads them, all generated from nfs4.x. The
// names are those of the RFCs. The package knows neither a server nor a client; both stand on it.
//
// Operation NAME has the number OP_NAME, the arguments NAME4args and the results NAME4res; some
// operations have no arguments. [NfsOpnum4] has the names of the operations, [Nfsstat4] those of
// the statuses. [Fattr4] holds the values of attributes as one opaque: the constants from
// [FATTR4_SUPPORTED_ATTRS] on are their numbers, and each value that has a structure has a type.
// The parts of layouts that depend on the kind of layout are opaque.
//
// # Compounds
//
// [COMPOUND4args] and [COMPOUND4res] hold a whole compound. Each operation in them takes as much
// memory as the largest, some 3 KiB: they are for tests, and for clients that are in no hurry. A
// server reads and writes one operation after the other, with the types of the operations.
//
// # Memory
//
// Decode returns opaque data and strings as views of the record, which live as long as the record
// does. The RFCs do not bound names, paths, sets of attributes and the values of extended
// attributes. Decoding keeps as much as a server may need, and one byte or word more, which
// tells that the value was longer: [Component4] 255 bytes, [Linktext4] 4095, [Xattrvalue4] 65536,
// [Bitmap4] 63 words. Encoding writes everything.
//
// Lists have bounds that the RFCs do not set, far above what clients and servers send: [LIST_MAX],
// [LONG_LIST_MAX], [XATTRS_MAX] and [OPERATIONS_MAX]. A longer list is an error, in both
// directions. So no record makes decoding the arguments of one operation allocate more than 64 KiB,
// opaque data in several segments aside. Arguments without lists allocate nothing, nor do lists
// that are decoded into memory that held as many elements before.
package nfs4
