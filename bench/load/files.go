package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// controls is how many connections make and remove many small files, because each call may wait for
// a disc.
const controls = 8

// prepare makes the missing ones of the files that a job needs, unless ctx ends before. It tells
// step how far it is, from 0 to 1.
func (s *Session) prepare(ctx context.Context, j Job, step func(float64)) error {
	if s.c != nil {
		defer s.c.until(ctx)()
	}
	data, names, directory := j.Workload.needs()
	if data {
		if j.Verify && s.overwritten {
			if err := s.dropData(); err != nil {
				return err
			}
		}
		if err := s.prepareData(min(j.Conns, filesMax), j.Workload.Size, step); err != nil {
			return fmt.Errorf("write the files to work on: %w", err)
		}
		s.overwritten = s.overwritten || !j.Verify && j.Workload.Kind != "read"
	}
	if names && s.names == nil {
		files, err := s.many(ctx, s.dir, "name", nameFiles)
		if err != nil {
			return fmt.Errorf("make the files to look up: %w", err)
		}
		s.names = files
	}
	if slices.Contains(counted, j.Workload.Kind) && s.series.dir == nil {
		dir, err := s.c.mkdir(s.dir, "many")
		if err != nil {
			return err
		}
		s.series.dir = dir
	}
	if directory && s.list == nil {
		dir, err := s.listed(ctx)
		if err != nil {
			return err
		}
		if s.pages, err = s.walk(dir); err != nil {
			return fmt.Errorf("list the directory: %w", err)
		}
		s.list = dir
	}
	return nil
}

// listed finds or makes the directory to list.
func (s *Session) listed(ctx context.Context) ([]byte, error) {
	if s.opts.List != "" {
		return s.c.lookup(s.root, s.opts.List)
	}
	dir, err := s.c.mkdir(s.dir, "list")
	if err != nil {
		return nil, err
	}
	if _, err = s.many(ctx, dir, "entry-with-a-name", s.opts.Entries); err != nil {
		return nil, fmt.Errorf("fill the directory to list: %w", err)
	}
	return dir, nil
}

// prepareData makes n data files of equal size that hold at least one block each. It keeps existing
// files of the right number and size.
func (s *Session) prepareData(n, block int, step func(float64)) error {
	size := max(s.opts.FileSize/int64(n), int64(block))
	size -= size % int64(block)
	size = max(size, int64(block))
	size = (size + 4095) &^ 4095
	if len(s.data) == n && s.data[0].size == size {
		return nil
	}
	if err := s.dropData(); err != nil {
		return err
	}
	if err := s.room(int64(n) * size); err != nil {
		return err
	}
	chunk := min(s.WriteMax, 1<<20) &^ 7
	buf := make([]byte, chunk)
	for i := range n {
		s.runs++
		f := &dataFile{name: fmt.Sprintf("data-%d", s.runs), size: size, seed: uint64(s.runs) * 2}
		fh, err := s.c.create(s.dir, f.name)
		if err != nil {
			return err
		}
		f.fh = fh
		for off := int64(0); off < size; {
			b := buf[:min(int64(chunk), size-off)]
			fill(b, f.seed, off)
			if err := s.write(f, off, b); err != nil {
				return err
			}
			off += int64(len(b))
			step((float64(i) + float64(off)/float64(size)) / float64(n))
		}
		if err := s.commit(f); err != nil {
			return err
		}
		s.data = append(s.data, f)
	}
	return nil
}

// spare is the part of the free room that is left to others.
const spare = 20

// room fails if the export has no room for need bytes. If the server does not tell, room succeeds.
func (s *Session) room(need int64) error {
	free, known, err := s.c.room(s.root)
	if err != nil || !known {
		return err
	}
	if uint64(need) > free-free/spare {
		return fmt.Errorf(
			"%d MiB of data are wanted, and the export has room for %d MiB: ask for less (--file-size, or "+
				"fewer --conns for large WRITEs), or make room",
			need>>20,
			(free-free/spare)>>20,
		)
	}
	return nil
}

// dropData removes the data files.
func (s *Session) dropData() error {
	for _, f := range s.data {
		if err := s.c.remove(s.dir, f.name, false); err != nil {
			return err
		}
	}
	s.data, s.overwritten = nil, false
	return nil
}

func (s *Session) write(f *dataFile, off int64, b []byte) error {
	n, err := s.c.write(f.fh, uint64(off), b)
	if err != nil {
		return err
	}
	if n != len(b) {
		return fmt.Errorf("WRITE: %d bytes were written instead of %d", n, len(b))
	}
	return nil
}

func (s *Session) commit(f *dataFile) error { return s.c.commit(f.fh) }

// read reads a block of a data file into dst.
func (s *Session) read(f *dataFile, off int64, dst []byte) error {
	for done := 0; done < len(dst); {
		n := min(len(dst)-done, s.ReadMax, 1<<20)
		data, err := s.c.read(f.fh, uint64(off)+uint64(done), uint32(n))
		if err != nil {
			return err
		}
		if len(data) == 0 || len(data) > n {
			return fmt.Errorf("READ: %d bytes instead of %d", len(data), n)
		}
		done += copy(dst[done:], data)
	}
	return nil
}

// each calls f for 0 to n-1 on a few connections at the same time, until ctx ends.
func (s *Session) each(ctx context.Context, n int, f func(c *control, i int) error) error {
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for range min(controls, n) {
		c, err := s.dialControl(ctx)
		if err != nil {
			failed = errors.Join(failed, err)
			break
		}
		wg.Go(func() {
			defer c.quit()
			defer c.until(ctx)()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(c, i); err != nil {
					next.Store(int64(n))
					mu.Lock()
					defer mu.Unlock()
					failed = errors.Join(failed, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// many makes n empty files.
func (s *Session) many(ctx context.Context, dir []byte, prefix string, n int) ([]nameFile, error) {
	files := make([]nameFile, n)
	return files, s.each(ctx, n, func(c *control, i int) error {
		name := fmt.Sprintf("%s-%04d", prefix, i)
		fh, err := c.create(dir, name)
		files[i] = nameFile{name: name, fh: fh}
		return err
	})
}
