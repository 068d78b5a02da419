package rpc

import "encoding/binary"

// Sys is AUTH_SYS (RFC 5531, appendix A). The client names the user, the group and up to 16 further
// groups.
type Sys struct{}

// machineNameMax is the most bytes in the name of the caller's machine.
const machineNameMax = 255

// Number returns AuthSys.
func (Sys) Number() uint32 { return AuthSys }

// Accept takes the caller's word. It does not keep the stamp and the machine's name. It ignores
// bytes behind the groups, as other servers do.
func (Sys) Accept(c *Call, p *Presented) AuthStat {
	if !c.Auth.parseSys(p.Cred) {
		return AuthBadCred
	}
	if !p.plain() {
		return AuthBadVerf
	}
	return AuthOK
}

// parseSys decodes authsys_parms: stamp, machinename<255>, uid, gid, gids<16>.
func (a *Auth) parseSys(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	name := binary.BigEndian.Uint32(b[4:])
	if name > machineNameMax {
		return false
	}
	at := 8 + int(name+3)&^3
	if len(b) < at+12 {
		return false
	}
	b = b[at:]
	n := binary.BigEndian.Uint32(b[8:])
	if n > GroupsMax || len(b) < 12+4*int(n) {
		return false
	}
	a.UID = binary.BigEndian.Uint32(b)
	a.GID = binary.BigEndian.Uint32(b[4:])
	for i := range a.groups[:n] {
		a.groups[i] = binary.BigEndian.Uint32(b[12+4*i:])
	}
	a.n = int(n)
	return true
}

// SetGroups copies the supplementary groups, at most GroupsMax of them, and leaves out the others.
// It is for flavors.
func (a *Auth) SetGroups(groups []uint32) { a.n = copy(a.groups[:], groups) }
