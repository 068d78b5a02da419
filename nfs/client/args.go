package client

import "github.com/ringnfs/ringnfs/nfs/nfs3"

// At returns the arguments that name an entry of a directory.
func At(dir nfs3.NfsFh3, name string) nfs3.Diropargs3 {
	return nfs3.Diropargs3{Dir: dir, Name: nfs3.Filename3(name)}
}

// ReadArgs returns the arguments of READ.
func ReadArgs(fh nfs3.NfsFh3, off uint64, count uint32) *nfs3.READ3args {
	return &nfs3.READ3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(count)}
}

// WriteArgs returns the arguments of WRITE. They borrow data.
func WriteArgs(fh nfs3.NfsFh3, off uint64, data []byte, how nfs3.StableHow) *nfs3.WRITE3args {
	return &nfs3.WRITE3args{
		File:   fh,
		Offset: nfs3.Offset3(off),
		Count:  nfs3.Count3(len(data)),
		Stable: how,
		Data:   data,
	}
}

// Mode returns attributes that set a mode.
func Mode(m uint32) (s nfs3.Sattr3) {
	s.Mode = nfs3.SetMode3{SetIt: true, Mode: nfs3.Mode3(m)}
	return s
}

// Size returns attributes that set a size.
func Size(n uint64) (s nfs3.Sattr3) {
	s.Size = nfs3.SetSize3{SetIt: true, Size: nfs3.Size3(n)}
	return s
}

// Owner returns attributes that set user and group.
func Owner(uid, gid uint32) (s nfs3.Sattr3) {
	s.Uid = nfs3.SetUid3{SetIt: true, Uid: nfs3.Uid3(uid)}
	s.Gid = nfs3.SetGid3{SetIt: true, Gid: nfs3.Gid3(gid)}
	return s
}

// Times returns attributes that set both times to the given values.
func Times(atime, mtime nfs3.Nfstime3) (s nfs3.Sattr3) {
	s.Atime = nfs3.SetAtime{SetIt: nfs3.SET_TO_CLIENT_TIME, Atime: atime}
	s.Mtime = nfs3.SetMtime{SetIt: nfs3.SET_TO_CLIENT_TIME, Mtime: mtime}
	return s
}

// TimesNow returns attributes that set both times to the server's present.
func TimesNow() (s nfs3.Sattr3) {
	s.Atime.SetIt = nfs3.SET_TO_SERVER_TIME
	s.Mtime.SetIt = nfs3.SET_TO_SERVER_TIME
	return s
}

// How returns how CREATE makes a file by UNCHECKED or GUARDED, with attributes.
func How(mode nfs3.Createmode3, set nfs3.Sattr3) nfs3.Createhow3 {
	return nfs3.Createhow3{Mode: mode, ObjAttributes: set}
}

// Exclusive returns how CREATE makes a file by EXCLUSIVE.
func Exclusive(verf nfs3.Createverf3) nfs3.Createhow3 {
	return nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: verf}
}

// Node returns the object that MKNOD makes. major and minor are for devices.
func Node(t nfs3.Ftype3, major, minor uint32, set nfs3.Sattr3) nfs3.Mknoddata3 {
	return nfs3.Mknoddata3{
		Type: t, PipeAttributes: set,
		Device: nfs3.Devicedata3{
			DevAttributes: set,
			Spec:          nfs3.Specdata3{Specdata1: major, Specdata2: minor},
		},
	}
}
