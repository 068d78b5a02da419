// Package kind knows the properties of file systems: their names, their limits, how fine their time
// stamps are, how they compare names. The kernel tells some of them. Others are found out by trying
// with a file that has no name. The rest is a table in this package, taken from the file systems'
// headers.
//
// Package posixfs asks while an export starts. The functions that take a descriptor may block for
// the file system.
package kind
