// Package syscalls lists the system calls that the server makes, and finds out
// before it serves which of them a filter (seccomp) or an old kernel refuses.
//
// [Calls] is the one table. A test of package nfs reads the sources and fails when a
// call is made that the table does not have. [Check] fails when a call is refused
// that nothing can be served without, and names all such calls with the remedy;
// [Refused] tells a caller that has another way whether to take it; [Notes] says
// what is done without.
//
// A call is tried with arguments for which it changes nothing: a descriptor that is
// not open, as a rule. A kernel that has the call answers with one of few errors;
// whatever else comes back is somebody's refusal. A filter that looks at arguments,
// or that ends the process, is not found this way.
//
// The answers are remembered: a filter can be added to a process, never taken away.
package syscalls
