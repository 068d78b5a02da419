// Package nfsacl is NFSACL version 3 (program 100227): POSIX access control lists beside NFS
// version 3. It names objects by the handles of NFS. Clients call it on the port of NFS, over the
// same connection. No RFC describes it; Linux and Solaris have it.
//
// A Linux client asks for the default list of a directory before it makes an object there. Without
// an answer it applies its umask, and a group that shares the directory loses the rights that the
// list gives it.
//
// As everywhere, the kernel decides who may change a list. Reading a list needs only the handle. If
// a tree keeps no lists, the program answers as if each object had the list that grants the same as
// its mode, so that clients do not ask again.
//
// Procedures run on a worker, because a list may have to be read from the disc.
package nfsacl
