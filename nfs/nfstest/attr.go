package nfstest

import "github.com/ringnfs/ringnfs/nfs/nfs3"

// Mode sets a mode.
func Mode(m uint32) (s nfs3.Sattr3) {
	s.Mode = nfs3.SetMode3{SetIt: true, Mode: nfs3.Mode3(m)}
	return s
}

// Size sets a size.
func Size(n uint64) (s nfs3.Sattr3) {
	s.Size = nfs3.SetSize3{SetIt: true, Size: nfs3.Size3(n)}
	return s
}

// Owner sets user and group.
func Owner(uid, gid uint32) (s nfs3.Sattr3) {
	s.Uid = nfs3.SetUid3{SetIt: true, Uid: nfs3.Uid3(uid)}
	s.Gid = nfs3.SetGid3{SetIt: true, Gid: nfs3.Gid3(gid)}
	return s
}

// Times sets both times to what the client says.
func Times(atime, mtime nfs3.Nfstime3) (s nfs3.Sattr3) {
	s.Atime = nfs3.SetAtime{SetIt: nfs3.SET_TO_CLIENT_TIME, Atime: atime}
	s.Mtime = nfs3.SetMtime{SetIt: nfs3.SET_TO_CLIENT_TIME, Mtime: mtime}
	return s
}

// TimesNow sets both times to the server's present.
func TimesNow() (s nfs3.Sattr3) {
	s.Atime.SetIt = nfs3.SET_TO_SERVER_TIME
	s.Mtime.SetIt = nfs3.SET_TO_SERVER_TIME
	return s
}
