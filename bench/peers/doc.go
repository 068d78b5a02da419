// Package peers starts the servers that are measured beside each other, each as
// a process of its own with a directory of its own.
//
// [Build] makes the programs that are built here; a [Kind] starts one of them
// with [Start], and [Server.Stop] ends it. A server that the machine does not have
// is reported with the reason and is no failure.
package peers
