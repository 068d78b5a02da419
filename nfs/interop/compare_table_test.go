//go:build interop

package interop

const (
	any     = `.*`
	ganesha = "ganesha"
	knfsd   = "knfsd"
)

// differences are the answers that we expect to differ from those of the references. Sections are
// those of RFC 1813, unless another document is named.
var differences = []difference{
	// RPC and XDR.
	expect(knfsd, `mount: call version 4`, "versions", `1-3`, "its mountd is told not to speak version 2"),
	expect("", `rpc: call SETATTR with a truth value of 2`, "outcome", `GARBAGE_ARGS`, "RFC 4506, section 4.4: a bool is 0 or 1"),
	expect("", `rpc: call WRITE with a stability of 3`, "outcome", `GARBAGE_ARGS`, "RFC 4506, section 4.3: no other value of an enum"),
	expect(ganesha, `rpc: call (SETATTR with a kind of time of 3|MKNOD with a type of [08])`, "outcome", `GARBAGE_ARGS`, "the same"),
	expect(knfsd, `rpc: call a machine name of 256 characters`, "outcome", `denied 1 1`, "RFC 5531, appendix A: 255 at most"),
	expect(knfsd, `rpc: call a credential cut off`, "outcome", `denied 1 1`, "RFC 5531, section 9: AUTH_BADCRED, it says AUTH_BADVERF"),
	expect(ganesha, `rpc: call an unknown flavor`, "outcome", `denied 1 1`, "RFC 5531, section 9: AUTH_BADCRED, it says AUTH_REJECTEDCRED"),
	expect(ganesha, `groups: \w+ by user 2\^32-1`, "outcome", `NFS3_OK|NFS3ERR_ACCES`, "to us and knfsd this is the anonymous user"),
	expect("", `(lookup|access|server): \w+ without a credential`, "outcome", `NFS3_OK`,
		"AUTH_NONE is the anonymous user (section 1.4 leaves it to the server); they refuse it"),
	expect(ganesha, `commit: COMMIT without a credential`, "outcome", `NFS3ERR_ACCES`, "the same"),

	// MOUNT: section 5.2.1 has a status for each of these; the references say ACCES to all.
	expect("", `mount: MNT what is missing below a file`, "outcome", `MNT3ERR_NOTDIR`, "section 5.2.1"),
	expect("", `mount: MNT (a path that is not exported|a relative path|an empty path)`, "outcome", `MNT3ERR_NOENT`, "section 5.2.1"),
	expect("", `mount: MNT a name of 256 characters`, "outcome", `MNT3ERR_NAMETOOLONG`, "section 5.2.1"),
	expect("", `mount: MNT a path of 1025 characters`, "outcome", `MNT3ERR_NAMETOOLONG`, "section 5.2.1: there is a status for it"),
	expect(knfsd, `mount: MNT a link beyond`, "outcome", `MNT3ERR_ACCES`, "its root is another"),
	expect(ganesha, `mount: MNT (a file|a link within)`, "outcome", `MNT3_OK`, "knfsd lets them be mounted, too"),
	expect(ganesha, `mount: MNT (a fifo|what is missing)`, "outcome", `MNT3ERR_(NOTDIR|NOENT)`, "section 5.2.1"),

	// Handles.
	expect(knfsd, `handles: \w+ (in )?an empty handle`, "outcome", `NFS3ERR_BADHANDLE`, "section 2.3.3: nfs_fh3 may be empty, so it is no garbage"),
	expect(knfsd, `symlink: READLINK target (empty|a NUL within|4096 characters|5000 characters)`, "outcome", `NFS3ERR_BADHANDLE`,
		"the same: there is no handle of what was refused"),
	expect(ganesha, `symlink: READLINK target a NUL within`, "outcome", `NFS3ERR_BADHANDLE`, "it has made the link, see SYMLINK"),
	expect(knfsd, `handles: \w+ (in )?a handle cut off`, "outcome", `NFS3ERR_BADHANDLE`, "section 2.6: it cannot be one of ours"),
	expect(knfsd, `handles: \w+ (in )?a handle with more`, "outcome", `NFS3ERR_BADHANDLE`, "it looks only at the bytes that it needs"),
	expect(ganesha, `handles: \w+ (in )?a spoilt handle`, "outcome", `NFS3ERR_STALE`, "it looks only at the bytes that it needs"),
	expect(knfsd, `handles: \w+ (of )?a removed file`, "outcome", `NFS3ERR_STALE`, "section 2.6; it may still have the file open").sometimes(),

	// Names (section 3.2): a text that cannot be a name is ACCES.
	expect(knfsd, `names: .* (an empty name|a slash|a slash within|a NUL within)`, "outcome", `NFS3ERR_ACCES`, "section 3.2; to knfsd they are garbage"),
	expect(knfsd, `names: .* (256|5000) characters`, "outcome", `NFS3ERR_NAMETOOLONG`, "section 3.2: the protocol has no bound; to knfsd they are garbage"),
	expect(ganesha, `names: .* (an empty name|a slash|a slash within|a NUL within)`, "outcome", `NFS3ERR_ACCES`,
		"section 3.2; to ganesha they are paths, and names end with a NUL"),
	expect(ganesha, `names: READDIR with a NUL within`, "entries", `.*; old`, "it has renamed the file to the name before the NUL"),
	expect("", `names: (REMOVE|RENAME) .*(dot|dot dot)`, "outcome", `NFS3ERR_INVAL`, "section 3.3.14 for RENAME, and the same for REMOVE"),
	expect(knfsd, `names: RMDIR .*dot`, "outcome", `NFS3ERR_(INVAL|EXIST)`, "section 3.3.13: INVAL for . and EXIST for .."),
	expect(ganesha, `names: RMDIR .*dot dot`, "outcome", `NFS3ERR_EXIST`, "section 3.3.13"),
	expect(ganesha, `names: CREATE .*dot`, "outcome", `NFS3ERR_EXIST`, "section 3.3.8 does not list ISDIR"),
	expect("", `symlink: SYMLINK target (a NUL within|5000 characters)`, "outcome", `NFS3ERR_(INVAL|NAMETOOLONG)`,
		"section 3.3.10: a target that no path can be; knfsd calls the long one garbage, ganesha cuts at the NUL"),

	// Making objects. The attributes of CREATE, MKDIR, SYMLINK and MKNOD are the
	// new object's (section 3.3.8): we set them, or refuse the call.
	expect("", `create: CREATE \w+ with everything`, "obj.mode", `6755`, "a mode together with an owner loses the set-id bits there"),
	expect("", `owner: SETATTR (everything|of \d+ .*and mode by .*)`, "obj.mode", `[46]...`, "the same"),
	expect("", `owner: GETATTR after everything`, "obj.mode", `6711`, "the same"),
	expect(knfsd, `(create|mkdir): \w+ .*as a user with a group of the user's`, "obj.gid", `20001`, "knfsd ignores an owner from everybody but root"),
	expect(ganesha, `create: CREATE \w+ as a user with a group of the user's`, "obj.mode", `2755`, "see the mode together with an owner"),
	expect("", `mkdir: MKDIR as a user with a group of the user's`, "obj.mode", `2755`, "see the mode of MKDIR"),
	expect("", `(create|mkdir|symlink|mknod): \w+ .*as a user (for somebody else|with another's group)`, "outcome", `NFS3ERR_PERM`,
		"they ignore an owner who cannot be set, ganesha not in CREATE"),
	expect(knfsd, `setgid: CREATE with a group of one's own`, "obj.gid", `20001`, "knfsd ignores an owner from everybody but root"),
	expect("", `setgid: CREATE with a group of one's own`, "obj.mode", `2755`, "see the mode together with an owner"),
	expect("", `mkdir: MKDIR (with a mode of 7777|as a user)`, "obj.mode", `7...`, "they leave it to mkdir(2), which drops set-id bits"),
	expect("", `mknod: MKNOD with an owner`, "obj.mode", `7777`, "see the mode together with an owner"),
	expect("", `mknod: MKNOD with a size and times`, "outcome", `NFS3_OK`, "a size means nothing for what has none; they refuse after they have made it"),
	expect(ganesha, `(mkdir|symlink): \w+ with a size`, "outcome", `NFS3_OK`, "the same"),
	expect(ganesha, `(create|exclusive|times|readdir|setgid): CREATE .*`, "obj.mode", `0000`, "0600 is its mode of a file for which none is given"),
	expect(knfsd, `create: CREATE \w+ with a size of 2\^63`, "outcome", `NFS3ERR_INVAL`, "FBIG is not in section 3.3.8"),
	expect("", `create: CREATE UNCHECKED over (a directory.*|a link|a broken link|a fifo)`, "outcome", `NFS3ERR_EXIST`,
		"section 3.3.8: CREATE makes regular files; knfsd gives out the other object, ganesha's words are not in the section"),
	expect(knfsd, `create: READDIR \w+ in the end`, "entries", any, "it has made what it should refuse"),
	expect(ganesha, `create: CREATE UNCHECKED over a file, with a size`, "obj.size", `4`, "it gives the attributes from before"),
	expect(ganesha, `create: CREATE UNCHECKED over a file, with a size`, "obj.mtime moved", `true`, "the same"),
	expect(ganesha, `create: CREATE UNCHECKED over a file, with a size`, "obj.ctime moved", `true`, "the same"),
	expect(ganesha, `(create|exclusive): CREATE .*(over another's|over one's own|over a stranger's|again as somebody else).*`, "outcome", `NFS3_OK`,
		"it wants the right to write although nothing is written"),
	expect(knfsd, `(mkdir|remove|rename): \w+ where one may not write, (what is there|what is missing|onto itself)`, "outcome", any,
		"Linux's system calls look before they ask for the right, as we and ganesha do"),

	// Removing, renaming, linking.
	expect(ganesha, `remove: \w+ where one may not write, a (directory|file)`, "outcome", `NFS3ERR_ACCES`, "Linux's system calls ask for the right first"),
	expect(ganesha, `rename: RENAME .*(from|to) a file`, "from before", `absent`, "what is no directory has no such data; knfsd has none, too"),
	expect(ganesha, `rename: RENAME .*(from|to) a file`, "to before", `absent`, "the same"),
	expect(ganesha, `rename: RENAME .*(from|to) a file`, "to", `absent`, "the same"),
	expect("", `link: LINK another's (file that one may (not )?read|device)`, "outcome", `NFS3ERR_PERM`,
		"fs.protected_hardlinks of the machine holds for its NFS users as for others"),
	expect("", `link: LINK a set-user-id program`, "outcome", `NFS3ERR_PERM`, "the same"),
	expect(ganesha, `link: LINK a directory`, "outcome", `NFS3ERR_ISDIR`, "BADTYPE is not in section 3.3.15"),

	// Attributes.
	expect("", `owner: SETATTR (group )?of 2\^32-1`, "outcome", `NFS3ERR_INVAL`, "no such user can be stored; they say OK and do nothing"),
	expect(ganesha, `owner: SETATTR (group of a directory|of a directory by root)`, "obj.mode", `6755`, "a directory keeps its bits in Linux"),
	expect(ganesha, `owner: \w+ (after )?size and a forbidden owner`, "obj.size", `100`, "section 3.3.2: a SETATTR that fails may have been done in part"),
	expect(ganesha, `size: \w+ (by another with a right, and mode|after a size and a forbidden mode)`, "obj.size", `3`, "the same"),
	expect(knfsd, `size: SETATTR of 2\^6[34].*`, "outcome", `NFS3ERR_INVAL`, "FBIG is not in section 3.3.2"),
	expect("", `size: SETATTR of a directory.*`, "outcome", `NFS3ERR_INVAL`, "section 3.3.2: ISDIR and BADTYPE are not in it"),
	expect(ganesha, `(symlink|mknod): SETATTR size of .*`, "outcome", `NFS3ERR_INVAL`, "the same"),
	expect("", `size: SETATTR of [26]\d+ by .*`, "obj.mode", `0...`, "Linux takes set-id bits away when a file is cut, as it does when it is written"),
	expect("", `times: SETATTR (10\^9|2\^30-1|2\^30-2|2\^32-1) ns`, "outcome", `NFS3ERR_INVAL`, "section 2.5: nseconds is below 10^9; it is not taken for a magic number"),
	expect(ganesha, `times: SETATTR 2\^32-1 ns`, "obj.[am]time", `1\.999999999`, "the same"),
	expect(ganesha, `symlink: \w+ .*`, "obj.atime", `1000000000\..*`, "it drops the times of a symbolic link"),
	expect(ganesha, `symlink: \w+ .*`, "obj.mtime", `1100000000\..*`, "the same"),
	expect(ganesha, `symlink: SETATTR times of a link`, "obj.mtime moved", `true`, "the same"),
	expect(ganesha, `symlink: SETATTR times of a link`, "obj.ctime moved", `true`, "the same"),
	expect(knfsd, `guard: SETATTR (late|a nanosecond off)`, "outcome", `NFS3ERR_NOT_SYNC`, "section 3.3.2; it compares the seconds only"),
	expect("", `access: ACCESS (bit [67] .*|everything.*)`, "access", `0x(00|2d|1f)`, "section 3.3.4 has six rights; they grant those of extended attributes"),
	expect(ganesha, `access: ACCESS a directory of .*`, "access", `0x0[01]`, "who may not search a directory cannot change it"),

	// Content.
	expect(knfsd, `symlink: READLINK of a directory`, "outcome", `NFS3ERR_INVAL`, "section 3.3.5: ISDIR is not in it"),
	expect("", `(read|write|commit): \w+ (nothing )?(of |to )?a directory`, "outcome", `NFS3ERR_INVAL`, "sections 3.3.6, 3.3.7, 3.3.21: ISDIR is not in them"),
	expect(ganesha, `(symlink|mknod): COMMIT a .*`, "outcome", `NFS3ERR_INVAL`, "not a regular file"),
	expect(ganesha, `read: READ nothing .*|read: READ at 2\^63-1, nothing`, "eof", `true`, "section 3.3.6: the offset is at or beyond the end"),
	expect(ganesha, `read: READ (at|over) 2\^6[34].*`, "outcome", `NFS3_OK`, "section 3.3.6: beyond the end there is nothing, and eof"),
	expect("", `write: WRITE 8 bytes where the count is \d+`, "outcome", `NFS3ERR_INVAL`, "section 3.3.7: they must agree"),
	expect(ganesha, `write: READ after counts that are wrong`, "data", `"data.*"`, "it has written what the count said"),
	expect("", `write: WRITE nothing at 2\^6[34].*`, "outcome", `NFS3_OK`, "section 3.3.7: a count of 0 succeeds"),
	expect(ganesha, `write: WRITE (at|over) 2\^64.*`, "outcome", `NFS3ERR_FBIG`, "section 3.3.7"),
	expect(ganesha, `write: WRITE too far where one may not`, "outcome", `NFS3ERR_FBIG`, "both are right"),
	expect(knfsd, `write: \w+ .*`, "verifier", `as before`, "it changes it after each failed write, also one too far"),
	expect(ganesha, `commit: COMMIT at 2\^64-1`, "outcome", `NFS3_OK`, "nothing lies there that could be unstable"),
	expect(ganesha, `commit: COMMIT by another.*`, "outcome", `NFS3ERR_ACCES`, "section 3.3.21; so does knfsd"),

	// Directories.
	expect("", `readdir: READDIR(PLUS)? an empty directory in \d+ bytes`, "outcome", `NFS3ERR_TOOSMALL|NFS3_OK`,
		"sections 3.3.16 and 3.3.17: an entry must fit; knfsd gives an empty page that is not the end, ganesha breaks off the reply"),
	expect(knfsd, `readdir: (READDIR(PLUS)? many .*|size true 160)`, "fits", `true`, "sections 3.3.16 and 3.3.17: count is the most, all told"),
	expect("", `readdir: READDIR(PLUS)? (from a cookie never given, with no verifier|from the middle with a wrong verifier)`, "outcome", `NFS3ERR_BAD_COOKIE`,
		"section 3.3.16: the verifier is checked"),
	expect("", `readdir: READDIR(PLUS)? from cookie 2\^64-1`, "outcome", `NFS3ERR_BAD_COOKIE`, "section 3.3.16: INVAL is not in it"),
	expect("", `(lookup|readdir): READDIRPLUS (as bob where one may only read|0744 by another)`, "entries", any,
		"who may not search a directory may not see attributes of what is in it"),
	expect(ganesha, `readdir: READDIRPLUS many with names of 0`, "entries in all|different names|different cookies|eof|stuck", any,
		"it gives empty pages that are not the end"),
	expect(knfsd, `readdir: READDIRPLUS the export`, "entries", any, "it has no attributes for .. of the export"),
	expect(ganesha, `readdir: READDIRPLUS (many|as another)`, "entries", any, "its pages have a limit of their own"),

	// What servers say about themselves.
	expect("", `server: FSINFO .*`, "time_delta", `0\.000000001`, "ext4 keeps nanoseconds"),
	expect("", `server: FSINFO .*`, "properties", `0x13`,
		"section 3.3.19: PATHCONF is not the same for all of ext4, where directories can ignore case"),
	expect("", `server: PATHCONF .*`, "linkmax", `65000`, "ext4's"),
	expect(knfsd, `server: PATHCONF .*`, "no_trunc", `true`, "Linux refuses names that are too long"),
	expect(ganesha, `server: FSINFO .*`, "maxfilesize", `17592186040320`, "ext4's"),
	expect(ganesha, `server: PATHCONF .*`, "name_max", `255`, "ext4's"),
}
