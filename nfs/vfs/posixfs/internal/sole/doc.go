// Package sole is the memory of a tree that nobody but this server changes: the attributes of
// objects, and names, each together with a count of changes. What is remembered is true as long as
// the count is the same, so it answers without asking the kernel.
//
// A [Tree] has a [Slot] of counts for every object. An object's key leads to the Slot, whether the
// object is open or not, so a change is counted even if the object is opened, closed or found under
// another handle meanwhile. Objects may share a Slot: that forgets too much, never too little.
//
// Whoever changes an object calls Begin before and End after it. In between the count says that a
// change is under way, and nothing is answered from memory. Whoever asks the kernel reads the count
// first, and keeps the answer for that count, unless a change was under way ([AtRest]).
//
// The package has no goroutines and no locks. Everything that threads share is atomic.
package sole
