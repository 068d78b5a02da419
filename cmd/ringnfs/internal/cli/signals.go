package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders makes a write to standard output or standard error whose reader has gone
// an error, as any other write's; by itself it would end the process at once (SIGPIPE),
// with calls under way and files left in an export. It lasts: what is written at the very
// end must not change how the process ends either.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody receives: Notify does not wait
}

// notifyHangup has SIGHUP sent to signals unless it is ignored, as nohup has it.
func notifyHangup(signals chan<- os.Signal) {
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
}
