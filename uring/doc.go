// Package uring is a thin binding of Linux's io_uring: one ring, its set-up,
// the preparation of entries, submission, completion and registration. It
// starts no goroutine, keeps no policy and allocates nothing after set-up.
// It has the operations that this project uses, and no others: one that is
// needed comes with its use and its test.
//
// # Life cycle
//
// New probes the kernel and makes a ring. SQE gives a zeroed entry, a Prep
// method fills it, SetUserData names it. Submit passes what is queued to the
// kernel without waiting, Wait waits for completions, Harvest copies them out.
// Close ends the ring. The floor is Linux 6.1; everything younger is a Feature
// that was found, is missing, or was switched off, see Features.
//
// # Threads
//
// A Ring belongs to one thread. With SingleIssuer (the default) the kernel
// holds the caller to it: the thread that calls New is the only one that may
// submit, wait and register, so its goroutine must hold runtime.LockOSThread.
// No method may run beside another one of the same ring, except Features. Only
// Wait blocks.
//
// # Memory that the kernel reads later
//
// Addresses in an entry are invisible to Go's collector, and goroutine stacks
// move. Whatever a Prep method is given an address of (data, message headers,
// times) must lie outside the Go heap (Map, MapSlice) or be pinned, and belongs
// to the kernel from Submit until the final completion of that entry: the one
// without More, and for a zero-copy send the one with Notif. User data is an
// index, never a pointer.
//
// # Memory order
//
// The ring's shared words are read and written through sync/atomic, whose
// operations are at least acquire loads and release stores on amd64 and arm64:
// an entry is written before the tail that publishes it, a completion is read
// after the tail that shows it and before the head that gives its place back.
package uring
