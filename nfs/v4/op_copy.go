package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

const (
	// copyWorst is how long a COPY4resok is.
	copyWorst = 4 + 8 + 4 + 8 + 4 + 4
	// passMax is how much one COPY passes through the server's memory, and passStep how much at
	// once, in bytes.
	passMax  = 4 << 20
	passStep = 256 << 10
)

// copyFile is COPY (RFC 7862, section 15.2). It is done when it is answered, and copies as much as
// can be done in bounded time: clients ask again for the rest. There are no copies between servers.
func (k *compound) copyFile() nfs4.Nfsstat4 {
	d := &k.c.Args
	var x copying
	k.decodeCopying(&x)
	_, _ = d.Bool(), d.Bool() // in order, and at once, is how it is done anyway
	servers := d.Count(nfs4.LONG_LIST_MAX, 4)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if servers > 0 {
		return nfs4.NFS4ERR_NOTSUPP
	}
	if st := k.begin(&x); st != nfs4.NFS4_OK {
		return st
	}
	n, verf, s := uint64(0), uint64(0), vfs.XDev
	if by := x.to.View.Abilities().Copy; by != nil {
		n, verf, s = by.Copy(x.to.Cred(k.c), x.to.Handle, &x.args, &k.w.wcc)
	}
	if s == vfs.XDev || s == vfs.NotSupp {
		n, verf, s = k.pass(&x)
	}
	if s != vfs.OK {
		return k.copyStatus(&x, s)
	}
	e := &k.c.Reply
	e.Uint32(0) // no callback: it is done
	e.Uint64(n)
	e.Uint32(uint32(nfs4.UNSTABLE4))
	e.Uint64(verf)
	e.Bool(true)
	e.Bool(true)
	return nfs4.NFS4_OK
}

// pass copies by reading and writing, for files that no back end copies between.
func (k *compound) pass(x *copying) (done, verf uint64, s vfs.Status) {
	a, w := &x.args, k.w
	most := uint64(passMax)
	if a.Len != 0 {
		most = min(most, a.Len)
	}
	reach := a.Len
	if reach == 0 {
		reach = ^uint64(0)
	}
	if x.from.Export == x.to.Export && x.from.Handle == x.to.Handle &&
		a.Off-a.FromOff < reach && a.FromOff-a.Off < reach {
		return 0, 0, vfs.Inval
	}
	verf = x.to.Export.FS.Verifier()
	buf := make([]byte, min(most, passStep))
	for done < most {
		w.read = vfs.ReadArgs{Off: a.FromOff + done, Dst: buf[:min(uint64(len(buf)), most-done)]}
		n, eof, s := x.from.View.Read(a.FromCred, x.from.Handle, &w.read, &w.attr)
		if s == vfs.OK && n > 0 {
			w.write = vfs.WriteArgs{
				Off: a.Off + done,
				Src: append(w.segments[:0], buf[:n]),
				How: vfs.Unstable,
			}
			var now uint64
			n, _, now, s = x.to.View.Write(x.to.Cred(k.c), x.to.Handle, &w.write, &w.wcc)
			if s == vfs.OK && now != verf {
				if done > 0 {
					break // what was written before may be lost
				}
				verf = now
			}
			eof = eof && n == len(w.write.Src[0])
		}
		clear(w.segments[:cap(w.segments)][:1])
		w.read.Dst, w.write.Src = nil, nil
		if s != vfs.OK && done == 0 {
			return 0, 0, s
		}
		if s != vfs.OK {
			break
		}
		if done += uint64(n); eof || n == 0 {
			break
		}
	}
	return done, verf, vfs.OK
}
