// Package v3 is version 3 of the NFS program (RFC 1813) as one [rpc.Program]: bytes of arguments
// come in, bytes of results go out, and a [vfs.View] does the work in between. It has no
// goroutines, no locks and no sockets.
//
// # How a procedure runs
//
// Every procedure is one synchronous function in a file of its own. It decodes its arguments, opens
// the file handles ([object.Opener]), checks what the protocol wants checked (names, ranges,
// read-only exports), calls one method of the View of its place, and encodes the results. If the
// View returns [vfs.Again], nothing has changed: the procedure returns [rpc.Wait] and is run again
// from its beginning on a thread that may wait.
//
// # Attributes after a failure
//
// RFC 1813 wants attributes in most failures. The View fills them in where it can. If it does not,
// or if the procedure refused before it called the View, the procedure asks for them with GetAttr.
// That may make the call wait, since nothing has been changed. After a change has been tried the
// procedure asks for nothing: attributes that the View did not fill in are left out of the reply.
//
// # Memory
//
// Arguments are views of the received record. The View fills in structures in a scratch of the
// place, which only that place's thread touches, so no procedure allocates. READ reads into the
// reply's memory right behind its header, WRITE passes the received segments on as they lie, and
// directory entries are encoded while the directory is read.
//
// # The codec
//
// Arguments and results have the types of package nfs3, which are generated. READ, WRITE, GETATTR,
// LOOKUP and READDIRPLUS, which make up most calls, decode and encode by hand in fast.go; fuzzing
// holds these twins equal to the generated codec.
package v3
