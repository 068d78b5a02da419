// Command instructions measures what operations of NFS servers cost, in instructions: a ruler
// without noise, for comparing servers on one machine and one server with what it was before.
//
// # What is measured
//
// A machine is emulated by QEMU's translator (TCG) with -icount shift=0: each instruction takes one
// nanosecond of the guest's clock. So the run time that the guest's kernel keeps of each task is a
// number of instructions, whatever else the host does. A load makes a fixed number of calls. Its
// total is the run time of all tasks between its first call and its last reply; the server side is
// the total without the client's process. Threads of the kernel that work for the server (nfsd,
// jbd2, kworkers) are on the server side. Idle time is in neither. Over loopback the receiver's TCP
// work is charged to the sender's task, for every server alike.
//
// Instructions are not time: a system call, a switch between threads and a cache miss cost more
// than their number says.
//
// # Life of a measurement
//
// The program unpacks a kernel of Debian (apt-get download; it is not installed), makes an
// initramfs from it and the first program in ./boot, boots a machine once, and saves its state.
// Each measurement starts a machine from that state with an input of its own: a file system to
// make, a server, and a few loads that belong together, such as CREATE, RENAME and REMOVE of the
// same names. So no load sees what another has left behind, and their order does not matter. The
// guest's program (./guest) starts the server and then, as a process of its own, the client, which
// is package bench/load. No device interrupts the guest: input is
// memory that the guest shares with this program, output leaves through a port.
//
// A machine ends with this program, and when it has taken too long.
//
// # What it needs
//
// qemu-system-x86, a compiler of Go, and apt-get with a network for the kernel, once; for the
// profile gcc; for the other servers their Debian packages. What is downloaded, built and saved
// is kept in the user's cache directory, below ringnfs/instructions.
package main
