//go:build interop

package interop

// differences4 are those of version 4, as differences. Sections are those of RFC 8881, unless
// another document is named.
var differences4 = []difference{
	// Compounds and sessions.
	expect("", `v4 compounds: RESTOREFH without a saved handle`, "outcome", `NFS4ERR_NOFILEHANDLE`,
		"section 18.27.3; RESTOREFH is the status of version 4.0"),
	expect("", `v4 compounds: (RENEW|SETCLIENTID) of version 4.0`, "outcome", `NFS4ERR_OP_ILLEGAL`,
		"section 18 leaves them out, and knows NOTSUPP for operations that it has; the references do not agree either"),
	expect(knfsd, `v4 compounds: (IO_ADVISE|OPENATTR) without a handle`, "outcome", `NFS4ERR_NOFILEHANDLE`, "it has none of these"),
	expect(knfsd, `v4 compounds: GETATTR an empty handle`, "outcome", `NFS4ERR_BADHANDLE`, "section 18.19.4 knows no NOFILEHANDLE"),
	expect(ganesha, `v4 compounds: (LINK|RENAME) without a saved handle`, "outcome", `NFS4ERR_NOFILEHANDLE`,
		"there is no saved handle, whatever the root is"),
	expect(ganesha, `v4 compounds: COMPOUND without SEQUENCE by minor version [12]`, "results", `1`,
		"section 2.10.6.4: the result of the first operation says so"),
	expect(knfsd, `v4 sessions: BIND_CONN_TO_SESSION behind others`, "outcome", `NFS4ERR_NOT_ONLY_OP`, "section 18.34.3"),
	expect(ganesha, `v4 sessions: (TEST|FREE)_STATEID .*`, "outcome|stateid 1", `NFS4ERR_BAD_STATEID`,
		"section 8.2.4: STALE_STATEID is a status of version 4.0"),
	expect(ganesha, `v4 stateids: .*of nobody`, "outcome", `NFS4ERR_BAD_STATEID`, "the same"),

	// Names.
	expect(knfsd, `v4 names: .*a slash.*`, "outcome", `NFS4ERR_BADCHAR`, "section 14.5: a character that no name may have"),
	expect("", `v4 names: .*a NUL within.*`, "outcome", `NFS4ERR_BADCHAR`,
		"the same; to knfsd names are the file system's, and ganesha ends them at the NUL"),
	expect(knfsd, `v4 names: .*5000 characters.*`, "outcome", `NFS4ERR_NAMETOOLONG`, "the protocol has no bound for names"),
	expect("", `v4 names: RENAME a directory over one that is not empty`, "outcome", `NFS4ERR_EXIST`, "section 18.26.3"),

	// Kinds of objects.
	expect("", `v4 kinds: READLINK on .*`, "outcome", `NFS4ERR_WRONG_TYPE`, "section 18.24.3; INVAL is the status of version 4.0"),
	expect("", `v4 kinds: (READ|WRITE|COMMIT|LOCKT?|ALLOCATE|DEALLOCATE|SEEK|READ_PLUS) on a (fifo|socket|character device|block device)`,
		"outcome", `NFS4ERR_WRONG_TYPE`, "section 18.22.3 and others; the same"),
	expect(ganesha, `v4 kinds: IO_ADVISE on a (fifo|socket|character device|block device)`, "outcome", `NFS4ERR_WRONG_TYPE`, "the same"),
	expect(ganesha, `v4 kinds: (READ|WRITE|COMMIT|LOCKT?|ALLOCATE|DEALLOCATE|SEEK|READ_PLUS|IO_ADVISE) on a link`, "outcome", `NFS4ERR_SYMLINK`,
		"section 18.22.3 and others"),
	expect(ganesha, `v4 kinds: (LOCKU|CLOSE) on .*`, "outcome", `NFS4ERR_BAD_STATEID`, "nobody has such a thing open"),
	expect("", `v4 kinds: (READDIR|REMOVE|CREATE|LINK|RENAME|OPEN) on a link`, "outcome", `NFS4ERR_NOTDIR`,
		"the status that these operations have in common (table 13); SYMLINK is LOOKUP's"),
	expect(knfsd, `v4 kinds: SETATTR on a link \(2\)`, "outcome", `NFS4ERR_INVAL`, "section 18.30.4 knows no SYMLINK"),
	expect(knfsd, `v4 set attributes: SETATTR .*size.* of a link`, "outcome", `NFS4ERR_INVAL`, "the same"),
	expect(knfsd, `v4 (kinds|stateids): IO_ADVISE .*`, "outcome", any, "it has none"),

	// Attributes by number.
	expect(knfsd, `v4 attributes: GETATTR (12|13) of .*`, "value", `absent`, "access control lists come later"),
	expect(ganesha, `v4 attributes: GETATTR 13 of .*`, "value", `absent`, "the same"),
	expect(knfsd, `v4 attributes: GETATTR 24 of .*`, "value", `absent`, "fs_locations is about referrals, which there are none"),
	expect("", `v4 attributes: GETATTR (62|64|65) of .*`, "value", `absent`, "they are about pNFS"),
	expect(ganesha, `v4 attributes: GETATTR 7 of .*`, "value.bytes", `00000000`,
		"named_attr: whether the object has named attributes, and there are none (section 5.8.1.8)"),
	expect(ganesha, `v4 attributes: GETATTR 9 of .*`, "value.bytes", `00000000`,
		"unique_handles: an object has a handle in each of the exports that lie in each other"),
	expect("", `v4 attributes: GETATTR 26 of .*`, "value.bytes", `00000000`, "homogeneous: as in version 3, a limit may differ by object"),
	expect("", `v4 attributes: GETATTR 28 of .*`, "value.bytes", `0000fde8`, "maxlink: what ext4 really has"),
	expect(ganesha, `v4 attributes: GETATTR 29 of .*`, "value.bytes", `000000ff`, "maxname: the same"),
	expect("", `v4 attributes: GETATTR 51 of .*`, "value.bytes", `000000000000000000000001`, "time_delta: the same"),
	expect(knfsd, `v4 attributes: GETATTR (74|81) of .*`, "outcome", `NFS4ERR_INVAL`,
		"mode_set_masked and mode_umask can only be set (section 5.8.2.34, RFC 8275)"),
	expect(ganesha, `v4 attributes: GETATTR (63|70|72|77|78|79) of .*`, "outcome", `NFS4_OK`, "section 18.7.3: what is not supported is left out"),
	expect(ganesha, `v4 attributes: GETATTR 82 of .*`, "value.bytes", `00000001`, "xattr_support: it has none"),
	expect(ganesha, `v4 attributes: N?VERIFY too many bytes`, "outcome", `NFS4ERR_NOT_SAME|NFS4_OK`, "the attributes are others"),
	expect("", `v4 set attributes: SETATTR a mode with a bit too many of .*`, "outcome", `NFS4ERR_INVAL`,
		"section 6.2.4 defines twelve bits; they pass over the others"),
	expect(ganesha, `v4 set attributes: SETATTR the greatest size of a file`, "outcome", `NFS4ERR_FBIG`, "section 15.1.4.1"),
	expect(ganesha, `v4 set attributes: SETATTR an unknown owner of .*`, "outcome", `NFS4ERR_BADOWNER`, "section 5.9"),
	expect(ganesha, `v4 set attributes: .*`, "then", any, "it has taken the owner that it does not know for nobody"),

	// Opens, stateids and locks.
	expect("", `v4 opens: OPEN UNCHECKED4 file`, "attributes set", `\[\]`, "the file was there, and has got no attribute"),
	expect("", `v4 opens: OPEN EXCLUSIVE4(_1)? missing`, "attributes set", `\[0 41000[02]\]`,
		"section 18.16.3: the verifier is kept in the times; attributes that can be set are named"),
	expect(ganesha, `v4 opens: OPEN EXCLUSIVE4(_1)? (directory|link|fifo)`, "outcome", `NFS4ERR_EXIST`, "section 18.16.3; knfsd says so, too"),
	expect(knfsd, `v4 opens: OPEN access . deny .`, "outcome", `NFS4ERR_INVAL`, "section 18.16.3: it is no fault of the encoding"),
	expect(knfsd, `v4 opens: OPEN_DOWNGRADE to nothing`, "outcome", `NFS4ERR_INVAL`, "the same"),
	expect(ganesha, `v4 opens: OPEN_DOWNGRADE to nothing`, "outcome", `NFS4ERR_INVAL`, "it has stepped the stateid for what it has refused"),
	expect(knfsd, `v4 opens: OPEN CLAIM_DELEG(ATE)?_(CUR|PREV|CUR_FH)`, "outcome", `NFS4ERR_NOTSUPP`, "there are no delegations yet"),
	expect(ganesha, `v4 stateids: (LOCKU|ALLOCATE|DEALLOCATE|SEEK|READ_PLUS|IO_ADVISE) open for reading`, "outcome", any,
		"it takes the open for a lock in LOCKU, which steps it"),
	expect(ganesha, `v4 stateids: LOCKU without a number`, "outcome", `NFS4ERR_BAD_STATEID`, "the same"),
	expect(ganesha, `v4 stateids: CLOSE closed`, "outcome", `NFS4ERR_BAD_STATEID`, "section 18.2: the stateid is no more; knfsd says so, too"),
	expect("", `v4 locks: LOCKT .*`, "by", `1000 18446744073709551615 WRITE_LT one`,
		"section 18.10.3: the lock goes to the end, whatever the end is; they tell what the kernel makes of it"),
	expect(ganesha, `v4 locks: CLOSE with locks`, "outcome", `NFS4_OK`, "section 18.2.3 leaves it to the server, and knfsd unlocks, too"),
	expect(ganesha, `v4 locks: (LOCKU .*|FREE_STATEID the locks)`, "outcome", `NFS4ERR_BAD_STATEID`, "they are unlocked by the CLOSE"),

	// Listings and data.
	expect("", `v4 listings: READDIR after 9223372036854775808`, "outcome", `NFS4_OK`, "it can be a cookie, of what lies behind all names"),
	expect(ganesha, `v4 listings: READDIR in 16 bytes`, "outcome", `NFS4ERR_TOOSMALL`, "section 18.23.3"),
	expect(ganesha, `v4 data: READ(_PLUS)? 10 at (9223372036854775808|18446744073709551615)`, "outcome", `NFS4_OK`,
		"section 18.22.3: behind the end nothing is read"),
	expect(ganesha, `v4 data: WRITE too far`, "outcome", `NFS4ERR_FBIG`, "section 15.1.4.1"),
	expect("", `v4 data: (DE)?ALLOCATE 10 at (9223372036854775808|18446744073709551611)`, "outcome", `NFS4ERR_FBIG`, "the same"),
	expect(ganesha, `v4 data: (DE)?ALLOCATE 0 at 0`, "outcome", `NFS4ERR_INVAL`, "fallocate(2) says so, and knfsd, too"),
	expect(knfsd, `v4 data: COMMIT at 18446744073709551615`, "outcome", `NFS4ERR_INVAL`, "section 18.3.3: offset and count overflow"),

	// Extended attributes (RFC 8276).
	expect(ganesha, `v4 xattrs: .*`, "outcome", any, "its back end has none"),
	expect(knfsd, `v4 xattrs: SETXATTR an empty name of .*`, "outcome", `NFS4ERR_INVAL`, "it is no fault of the encoding"),
	expect(knfsd, `v4 xattrs: LISTXATTRS in \d+ bytes of .*`, "outcome", `NFS4ERR_TOOSMALL`,
		"section 8.4.3.3: the bound is for cookie, count and end as well, and not one name fits"),
	expect(knfsd, `v4 xattrs: LISTXATTRS after a cookie that nobody gave of .*`, "outcome", `NFS4_OK`,
		"a cookie is made of a name, so that names may come and go"),
}
