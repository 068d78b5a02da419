package nfs

import (
	"errors"
	"os/user"
	"strconv"

	"github.com/ringnfs/ringnfs/nfs/idmap"
)

// names returns the system's users and groups, for the owners of version 4. Looking one up blocks
// if the database is on another machine.
func names(domain string) *idmap.Map {
	return idmap.New(idmap.Config{
		Domain: domain,
		Users: idmap.Database{
			ID: func(name string) (uint32, error) {
				u, err := user.Lookup(name)
				if err != nil {
					return 0, unknown(err)
				}
				return idOf(u.Uid)
			},
			Name: func(id uint32) (string, error) {
				u, err := user.LookupId(strconv.FormatUint(uint64(id), 10))
				if err != nil {
					return "", unknown(err)
				}
				return u.Username, nil
			},
		},
		Groups: idmap.Database{
			ID: func(name string) (uint32, error) {
				g, err := user.LookupGroup(name)
				if err != nil {
					return 0, unknown(err)
				}
				return idOf(g.Gid)
			},
			Name: func(id uint32) (string, error) {
				g, err := user.LookupGroupId(strconv.FormatUint(uint64(id), 10))
				if err != nil {
					return "", unknown(err)
				}
				return g.Name, nil
			},
		},
	})
}

func idOf(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err
}

// unknown makes of an error that says that there is no such user or group what idmap has for it.
func unknown(err error) error {
	switch {
	case errors.As(err, new(user.UnknownUserError)), errors.As(err, new(user.UnknownUserIdError)),
		errors.As(err, new(user.UnknownGroupError)), errors.As(err, new(user.UnknownGroupIdError)):
		return idmap.ErrUnknown
	}
	return err
}
