// Package nfsacl is NFSACL version 3 (program 100227): POSIX access control lists beside
// NFS version 3, by whose handles it names objects. Clients call it on the port of NFS,
// over the same connection. Linux and Solaris have it, and no RFC.
//
// A Linux client asks for the default list of a directory before it makes something there:
// without an answer it applies its umask, and a group that shares the directory loses the
// rights that the list gives it.
//
// The kernel decides who may change a list, as everywhere. Reading one takes the handle
// only. A tree without lists is answered for as if each object had the list that says what
// its mode says, so that clients do not ask again.
//
// A procedure runs on a worker: a list may have to be read from the disc.
package nfsacl
