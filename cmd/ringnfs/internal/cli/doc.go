// Package cli is the command line of ringnfs. It turns flags into an [nfs.Config], prints a banner
// about what it has started, and runs the server until a signal ends it.
//
// # Exit codes
//
//   - 0: done, or drained after SIGINT or SIGTERM.
//   - 1: the server could not start, failed while it served, or could not be drained in time.
//   - 2: the command line was wrong.
//   - 128 plus the signal's number: a second signal ended the process at once, or the
//     first signal arrived before the server served.
//
// Standard output gets the banner and nothing else. Errors and the log go to standard error; an
// error is one line that names cause and remedy.
package cli
