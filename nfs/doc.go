// Package nfs is the server as one object: it opens the exports, binds the
// sockets, puts the programs together and starts, drains and stops the parts. It
// decides nothing that a part could decide.
//
// # Life cycle
//
//	srv, err := nfs.New(cfg)   // everything is opened and bound; nothing is answered
//	err = srv.Serve(ctx)       // answers calls until drained
//	err = srv.Drain(ctx)       // from any goroutine: finish what has begun, then Serve returns
//	err = srv.Close()          // instead of Serve, or to end at once
//
// New takes nothing back on success but by Serve or Close; when it fails, nothing
// stays open. A Server is used once.
//
// # What it changes in the process
//
// Its threads have credentials, capabilities and a umask of their own; those of
// the process stay as they are. SIGXFSZ is ignored. Each lane occupies a thread
// that is rarely idle under load, and GOMAXPROCS stays as it is: a program that
// embeds a Server raises it to the number of lanes and some more for the workers
// and its own work, which otherwise wait for the runtime to interrupt a lane.
package nfs
