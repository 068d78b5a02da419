// Package mounts knows where an exported directory is mounted, and hears of changes.
//
// A [Point] remembers what a path led to when it was exported, and tells whether the path
// still leads there. [Tell] reports every change of the process's mount table. What follows
// from that is posixfs's to decide (docs/design/0018-mounts-come-and-go.md).
//
// A Point is used by one goroutine at a time. Tell and Forget may be called by any. There is
// one goroutine per process while somebody listens.
package mounts
