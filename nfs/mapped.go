package nfs

import (
	"cmp"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mapped returns the users and groups that export x can act for. It returns nil unless the process
// is in a user namespace that does not map everybody. fs serves x. mapped fails when the namespace
// does not map the anonymous user, which all unmapped callers become.
func (s *Server) mapped(x *Export, fs vfs.FS) (*export.Mapped, error) {
	limited, ok := fs.(interface {
		IDs() (users, groups vfs.IDs)
	})
	if !ok {
		return nil, nil
	}
	users, groups := limited.IDs()
	if users == nil && groups == nil {
		return nil, nil
	}
	uid, gid := cmp.Or(x.AnonUID, export.Nobody), cmp.Or(x.AnonGID, export.Nobody)
	if !users.Has(uid) || !groups.Has(gid) {
		return nil, fmt.Errorf(
			"nfs: export %s: the anonymous user %d:%d is not mapped in the user namespace of this process, which has the users %v and the groups %v; choose others (--anonuid, --anongid), or map those",
			x.Dir,
			uid,
			gid,
			users,
			groups,
		)
	}
	log := s.cfg.Log
	return &export.Mapped{Users: users, Groups: groups, Missing: func(what string, id uint32) {
		go log.Warn(
			"a caller's "+what+" is not mapped in the user namespace of the server: such users are anonymous, and such groups do not count; this is logged once",
			what,
			id,
			"export",
			x.Dir,
		)
	}}, nil
}
