// Package client is a client of NFS version 3 and of its MOUNT protocol. It makes calls by ONC
// RPC and has a method for each procedure of NFS and for those of MOUNT that its users need.
// Tests, benchmarks and small tools use it. It caches nothing and imports nothing of the server.
//
// # Use
//
// The caller dials. [New] makes a [Conn] of a TCP connection, [NewDatagram] of a UDP socket.
// [NFS] has the verbs of NFS version 3 over any [Caller], such as a Conn, and [Mount] those of
// MOUNT version 3. A verb makes its call, waits for the reply, and returns the results in the
// types of packages nfs3 and mount3.
//
//	c := client.New(conn, client.Sys("machine", uid, gid))
//	mounted, err := client.Mount{Caller: c}.Mnt("/srv/data")
//	dir := nfs3.NfsFh3{Data: bytes.Clone(mounted.Mountinfo.Fhandle)}
//	found, err := client.NFS{Caller: c}.Lookup(dir, "name")
//
// Programs without verbs are called by [Conn.Call] with the types of their own codecs.
//
// # Errors
//
// A call that the server did not do is a [*Denied] or a [*Refused], which tell what RPC says.
// A verb of NFS whose results have another status than NFS3_OK returns them together with a
// [*StatusError]; a mount that is refused is a [*MountError]. Any other error means that the connection is of no more use.
//
// # Pieces
//
// A program that keeps connections of another kind makes calls with [AppendCall] and takes
// replies apart with [ReadRecord] and [Results].
//
// # Goroutines
//
// There are none. A Conn is for one goroutine at a time and blocks until the reply is there.
package client
