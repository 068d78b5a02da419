// Package columns fits text and tables into the width of a terminal.
package columns
