// Package emit writes Go for a checked file of package lang: types with Encode
// and Decode methods over package xdr.
//
// # What becomes what
//
// Names of types and fields are joined from their parts between underscores,
// each with its first letter in upper case; constants, enumerators and procedure
// numbers keep their names. A structure becomes a struct, a union a struct with
// its tag and one field for each arm, fixed opaque data an array, other opaque
// data and strings a []byte, an array a slice or array, a linked list a slice of
// its elements, any other pointer a pointer. Typedefs of integers are types of
// their own, but for those that have the name of a Go type (uint32, uint64_t);
// typedefs of pointers are aliases, for Go has no methods of pointer types.
//
// What a source takes from another one by #include is of the package in that one's
// directory, which is imported.
//
// # What decoding promises
//
// Slices of bytes are views of the record. Other slices use the memory that the
// destination has already and grow only after the record was found to be long
// enough for one element more; arms of a union that are not in use are zeroed.
// Every bound, enumerator and tag is checked, in both directions.
//
// Neither direction allocates when the destination has room already, but for bytes
// that lie in several segments of the record, which the Decoder puts together. Fields
// of fixed size that follow one another are read and written in one piece.
//
// # Long values
//
// A protocol may leave a string without a bound where its users have one. A comment
// behind the typedef,
//
//	typedef string filename<>;	/* xdrgen:keep 255 */
//
// makes decoding keep 255 bytes at most, and one more of a value that is longer: the
// length tells that it was, and its bytes are passed over instead of put together.
// Encoding writes what is there.
package emit
