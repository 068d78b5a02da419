// Package client is a client of NFS version 3 and of its MOUNT protocol. It makes calls by ONC RPC
// and has a method for each procedure of NFS and for those of MOUNT that its users need. Tests,
// benchmarks and small tools use it. It caches nothing and imports nothing of the server.
//
// # Use
//
// The caller dials. [New] makes a [Conn] of a TCP connection, [NewDatagram] of a UDP socket. [NFS]
// has the verbs of NFS version 3 over any [Caller], such as a Conn, and [Mount] those of MOUNT
// version 3. A verb makes its call, waits for the reply, and returns the results in the types of
// packages nfs3 and mount3.
//
//	c := client.New(conn, client.Sys("machine", uid, gid))
//	mounted, err := client.Mount{Caller: c}.Mnt("/srv/data")
//	dir := nfs3.NfsFh3{Data: bytes.Clone(mounted.Mountinfo.Fhandle)}
//	found, err := client.NFS{Caller: c}.Lookup(dir, "name")
//
// For programs without verbs [Conn.Call] takes the types of their own codecs.
//
// # Errors
//
// If the server did not do a call, the error is a [*Denied] or a [*Refused], which have what RPC
// says. If the results of NFS have another status than NFS3_OK, the verb returns them together with
// a [*StatusError]. A mount that is refused is a [*MountError]. After any other error the
// connection is of no more use.
//
// # Pieces
//
// A program that keeps connections of another kind makes calls with [AppendCall] and takes replies
// apart with [ReadRecord] and [Results].
//
// # Goroutines
//
// There are none. A Conn is for one goroutine at a time and blocks until the reply is there.
package client
