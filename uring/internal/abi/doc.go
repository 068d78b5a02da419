// Package abi holds the layouts and constants that io_uring shares with the
// kernel, as include/uapi/linux/io_uring.h of Linux 6.18 defines them.
//
// It has no behaviour. Every structure's size is asserted when the package is
// compiled, every offset by its tests; a nested module compares the constants
// with an independent binding. Only 64-bit little-endian machines are meant
// (amd64 and arm64): the layouts are those of the kernel's own 64-bit ABI.
//
// A name is the kernel's name in Go's spelling, without the IORING_ prefix:
// IORING_SETUP_CQSIZE is SetupCQSize. A trailing version is the first kernel
// that knows the constant, given where it lies above the floor of 6.1.
package abi
