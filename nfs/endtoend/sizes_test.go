package endtoend

import "github.com/ringnfs/ringnfs/nfs/nfstest"

// size returns how many bytes a page of entries takes in READDIR3resok or READDIRPLUS3resok (RFC
// 1813, sections 3.3.16 and 3.3.17).
func size(entries []nfstest.DirEntry, plus bool) int {
	const attributes = 84
	n := 4 + attributes + 8 + 4 + 4 // of the directory, verifier, end of the list, eof
	for _, e := range entries {
		n += 4 + 8 + 4 + (len(e.Name)+3)&^3 + 8
		if !plus {
			continue
		}
		n += 4 + 4
		if e.Attr.AttributesFollow {
			n += attributes
		}
		if e.Handle.HandleFollows {
			n += 4 + (len(e.Handle.Handle.Data)+3)&^3
		}
	}
	return n
}
