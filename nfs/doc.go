// Package nfs is the server as one object. It opens the exports, binds the sockets, puts the
// programs together, and starts, drains and stops the parts. It leaves to a part whatever the part
// can decide.
//
// # Life cycle
//
//	srv, err := nfs.New(cfg)   // everything is opened and bound; nothing is answered
//	err = srv.Serve(ctx)       // answers calls until drained
//	err = srv.Drain(ctx)       // from any goroutine: finish what has begun, then Serve returns
//	err = srv.Close()          // instead of Serve, or to end at once
//
// After New has succeeded, only Serve or Close closes what it opened. When New fails, nothing stays
// open. A Server is used once.
//
// # What it changes in the process
//
// The server's threads have credentials, capabilities and a umask of their own; those of the
// process stay as they are. The server ignores SIGXFSZ.
//
// Each lane occupies a thread that is rarely idle under load. The server does not change
// GOMAXPROCS: a program that embeds a Server sets it to the number of lanes, plus some for the
// workers and for its own work. With fewer, these wait until the runtime interrupts a lane.
package nfs
