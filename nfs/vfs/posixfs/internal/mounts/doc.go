// Package mounts knows where an exported directory is mounted, and notices changes.
//
// A [Point] remembers what a path led to when it was exported, and says whether the path still
// leads there. [Tell] reports every change of the process's mount table. Package posixfs decides
// what follows from a change (docs/design/0018-mounts-come-and-go.md).
//
// One goroutine at a time uses a Point. Any goroutine may call Tell and Forget. The process has one
// goroutine of this package (watch.run) while somebody listens.
package mounts
