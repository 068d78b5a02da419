// Package emit writes Go for a checked file of package lang: types with Encode and Decode methods
// over package xdr.
//
// # What becomes what
//
// The names of types and fields are joined from their parts between underscores, each with its
// first letter in upper case; constants, enumerators and procedure numbers keep their names. A
// structure becomes a struct, a union a struct with its tag and one field for each arm, fixed
// opaque data an array, other opaque data and strings a []byte, an array a slice or array, a linked
// list a slice of its elements, any other pointer a pointer. Typedefs of integers are types of
// their own, except those that have the name of a Go type (uint32, uint64_t). Typedefs of pointers
// are aliases, because pointer types have no methods in Go.
//
// A definition that a source takes from another source by #include belongs to the package in that
// source's directory, which is imported.
//
// # What decoding promises
//
// Slices of bytes are views of the record. Other slices use the memory that the destination already
// has; they grow only after the record was found to be long enough for one more element. Arms of a
// union that are not in use are zeroed. Every bound, enumerator and tag is checked, in both
// directions.
//
// Neither direction allocates if the destination has room already. The exception are bytes that lie
// in several segments of the record, which the Decoder puts together. Fields of fixed size that
// follow one another are read and written in one piece.
//
// # Long values
//
// A protocol may leave a string without a bound where its users have one. A comment behind the
// typedef,
//
//	typedef string filename<>;	/* xdrgen:keep 255 */
//
// makes decoding keep at most 255 bytes. Of a longer value it keeps one byte more, so that the
// length tells, and skips the rest instead of putting it together. Encoding writes all bytes.
// Behind a typedef of an array of numbers without a bound, the comment does the same for numbers.
package emit
