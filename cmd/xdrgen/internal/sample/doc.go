// Package sample is generated from a source that uses everything there is in the
// XDR language. Its tests show that what xdrgen writes works.
package sample

//go:generate go run ../.. sample.x
