// Package client is a client of NFS version 3: it makes calls by ONC RPC and has a method for
// each procedure. It is for tests, for measuring and for small tools. It caches nothing, does
// not mount by itself, and imports nothing of the server.
//
// # Use
//
// [New] makes a [Conn] of a connection that somebody else has dialed, [NewDatagram] of a UDP
// socket. [NFS] has the verbs of NFS version 3 over any [Caller], such as a Conn: a verb makes
// the call, waits for the reply, and returns its results as they are in package nfs3.
//
//	c := client.New(conn, client.Sys("machine", uid, gid))
//	res, err := client.NFS{Caller: c}.Lookup(dir, "name")
//
// Programs without verbs are called by [Conn.Call] with the types of their own codecs.
//
// # Errors
//
// A call that the server did not do is a [*Denied] or a [*Refused], which tell what RPC says.
// A verb whose results have another status than NFS3_OK returns them together with a
// [*StatusError]. Any other error means that the connection is of no more use.
//
// # Pieces
//
// Who has connections of another kind puts calls and replies together from [AppendCall],
// [ReadRecord] and [Results].
//
// # Goroutines
//
// There are none. A Conn is for one goroutine at a time and blocks until the reply is there.
package client
