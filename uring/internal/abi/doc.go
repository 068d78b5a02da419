// Package abi holds the layouts and constants that io_uring shares with the kernel, as
// include/uapi/linux/io_uring.h of Linux 6.18 defines them.
//
// It has no behaviour. The compiler checks every structure's size, the package's tests every
// offset; a nested module compares the constants with an independent binding. The layouts are those
// of the kernel's 64-bit ABI on little-endian machines (amd64 and arm64); no other machines are
// meant.
//
// A name is the kernel's name in Go's spelling, without the IORING_ prefix: IORING_SETUP_CQSIZE is
// SetupCQSize. A number such as 6.4 behind a constant is the first kernel that knows it, given
// where that is above the floor of 6.1.
package abi
