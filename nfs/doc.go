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
// that is rarely idle under load: programs that embed a Server raise GOMAXPROCS
// by the number of lanes if they have other work to do.
package nfs
