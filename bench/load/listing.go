package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

type entry struct {
	name      string
	fh        nfs3.NfsFh3
	directory bool
}

// readdir reads one page of a directory, and reports whether the page was the last one.
func (s *Session) readdir(dir nfs3.NfsFh3, p page) (list []entry, next page, eof bool, err error) {
	var verf nfs3.Cookieverf3
	binary.BigEndian.PutUint64(verf[:], p.verf)
	res, err := s.c.nfs().Readdirplus(dir, nfs3.Cookie3(p.cookie), verf, listNames, listMax)
	if err != nil {
		return nil, p, false, advise(err)
	}
	next = page{cookie: p.cookie, verf: binary.BigEndian.Uint64(res.Resok.Cookieverf[:])}
	for _, e := range res.Resok.Reply.Entries {
		next.cookie = uint64(e.Cookie)
		x := entry{
			name:      string(e.Name),
			directory: e.NameAttributes.AttributesFollow && e.NameAttributes.Attributes.Type == nfs3.NF3DIR,
		}
		if e.NameHandle.HandleFollows {
			x.fh = clone(e.NameHandle.Handle)
		}
		list = append(list, x)
	}
	return list, next, res.Resok.Reply.Eof, nil
}

// walk returns the places at which the pages of a directory begin.
func (s *Session) walk(dir nfs3.NfsFh3) ([]page, error) {
	pages := []page{{}}
	for {
		list, next, eof, err := s.readdir(dir, pages[len(pages)-1])
		if err != nil {
			return nil, err
		}
		if eof {
			return pages, nil
		}
		if len(list) == 0 {
			return nil, errors.New("a page without an entry that is not the last")
		}
		pages = append(pages, next)
	}
}

// removeAll removes the session's directory with all that is in it.
func (s *Session) removeAll(ctx context.Context) error {
	if err := s.empty(ctx, s.dir); err != nil {
		return fmt.Errorf("remove %s: %w", s.dirName, err)
	}
	if err := s.remove(s.c, s.root, s.dirName, true); err != nil {
		return fmt.Errorf("remove %s: %w", s.dirName, err)
	}
	return nil
}

// empty removes everything in a directory. It lists the directory from its beginning until nothing
// is left, because cookies need not survive the removals.
func (s *Session) empty(ctx context.Context, dir nfs3.NfsFh3) error {
	for range 1000 {
		var (
			list []entry
			p    page
		)
		for eof := false; !eof && len(list) < 4096; {
			var (
				some []entry
				err  error
			)
			if some, p, eof, err = s.readdir(dir, p); err != nil {
				return err
			}
			for _, e := range some {
				if e.name != "." && e.name != ".." {
					list = append(list, e)
				}
			}
			if len(some) == 0 {
				break
			}
		}
		if len(list) == 0 {
			return nil
		}
		for _, e := range list {
			if !e.directory {
				continue
			}
			if len(e.fh.Data) == 0 {
				fh, err := s.lookup(s.c, dir, e.name)
				if err != nil {
					return err
				}
				e.fh = fh
			}
			if err := s.empty(ctx, e.fh); err != nil {
				return err
			}
		}
		err := s.each(ctx, len(list), func(c *control, i int) error {
			return s.remove(c, dir, list[i].name, list[i].directory)
		})
		if err != nil {
			return err
		}
	}
	return errors.New("the directory does not become empty")
}

// remove removes a file or a directory. If it does not exist, remove succeeds.
func (s *Session) remove(c *control, dir nfs3.NfsFh3, name string, directory bool) error {
	var err error
	if directory {
		_, err = c.nfs().Rmdir(dir, name)
	} else {
		_, err = c.nfs().Remove(dir, name)
	}
	var status *client.StatusError
	if errors.As(err, &status) && status.Status == nfs3.NFS3ERR_NOENT {
		return nil
	}
	return advise(err)
}
