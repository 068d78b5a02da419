// Package peers starts the servers that are compared, each as a process of its own with a directory
// of its own.
//
// [Build] builds the programs that are built from this repository. [Start] starts a server of a
// [Kind], and [Server.Stop] ends it. A server that the machine does not have is reported with the
// reason and is no failure.
package peers
