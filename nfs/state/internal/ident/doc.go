// Package ident gives out what identifies clients, sessions and states of files: a place in an
// array ([Index]), and a number that holds the place, random bits and the server's epoch
// ([Minter]). Whoever has the number finds the object at once; nobody guesses a number.
//
// An Index and a Minter belong to the table that they are part of, and live as long. All methods
// but Init may be called by several goroutines. Index.At takes no lock; the others take one of
// their own for a few instructions. Nothing blocks but the Minter's source of random bits.
package ident
