// Package syscalls lists the system calls that the server makes. It finds out, before the server
// serves, which of them a filter (seccomp) or an old kernel refuses.
//
// [Calls] is the table. A test of package nfs reads the sources and fails when they make a call
// that is not in the table. [Check] fails when a call is refused without which nothing can be
// served, and names all such calls with the remedy. [Refused] tells a caller that has another way
// whether to take that way. [Notes] says what the server does without.
//
// A call is tried with arguments for which it changes nothing, usually a descriptor that is not
// open. A kernel that has the call answers with one of a few errors; any other answer is a refusal.
// This does not find a filter that looks at arguments, or that ends the process.
//
// The answers are remembered, because a filter can be added to a process but never removed.
package syscalls
