package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders turns a write to standard output or standard error whose reader has gone into an
// error, like any other failed write. Without it such a write ends the process at once (SIGPIPE),
// with calls under way and files left in an export. It lasts to the end: the last lines must not
// change how the process ends either.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody receives: Notify does not wait
}

// notifyHangup has SIGHUP sent to signals, unless it is ignored, as under nohup.
func notifyHangup(signals chan<- os.Signal) {
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
}
