// Package lang reads the XDR language of RFC 4506, section 6, with the program blocks of RFC 5531,
// section 12. It turns source text into a checked [File], from which package emit writes Go.
//
// [Parse] does all of it. A File that it returns is complete: every name is defined, every bound
// and case has a value, linked lists have the form List, and no type contains itself.
package lang
