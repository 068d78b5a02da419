package load

import (
	"context"
	"errors"
	"fmt"
)

type entry struct {
	name      string
	fh        []byte
	directory bool
}

// readdir reads one page of a directory, and reports whether the page was the last one.
func (s *Session) readdir(dir []byte, p page) (list []entry, next page, eof bool, err error) {
	return s.c.readdir(dir, p)
}

// walk returns the places at which the pages of a directory begin.
func (s *Session) walk(dir []byte) ([]page, error) {
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
	if err := s.c.remove(s.root, s.dirName, true); err != nil {
		return fmt.Errorf("remove %s: %w", s.dirName, err)
	}
	return nil
}

// empty removes everything in a directory. It lists the directory from its beginning until nothing
// is left, because cookies need not survive the removals.
func (s *Session) empty(ctx context.Context, dir []byte) error {
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
			if len(e.fh) == 0 {
				fh, err := s.c.lookup(dir, e.name)
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
			return c.remove(dir, list[i].name, list[i].directory)
		})
		if err != nil {
			return err
		}
	}
	return errors.New("the directory does not become empty")
}
