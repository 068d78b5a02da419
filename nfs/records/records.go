// Package records keeps the records of NFSv4 clients on disc, so that after a restart those
// clients, and only those, may reclaim what they held (RFC 8881, section 8.4.2.1). It is the store
// of one machine: one file of bbolt's in the server's state directory.
//
// # Generations
//
// The file has two generations. When a server starts, the records of the server before it become
// the recovery generation: those clients may reclaim. A client that is recorded after that is in
// the current generation. When grace ends, the recovery generation is removed. So who has not
// reclaimed by then cannot do it after the next restart, when somebody else may have had its files
// meanwhile. A second crash within grace loses nothing: what is left of the recovery generation
// joins the current one.
//
// # Life cycle
//
// [Open] checks the whole file and fails when it is damaged; nothing is ever taken for an empty
// table. (bbolt has two first pages, of which a crash may have torn one: then the change that it
// was for, which nobody has been told of, has not been made.) The store is then safe for use by any
// goroutine. Each method returns when its effect is on stable storage. [Store.Close] comes last.
package records

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/state"
)

// FileName is what the file is called in the state directory.
const FileName = "clients.db"

// version is of the format of the records. A server does not touch a file of another one.
const version = 1

var (
	bucketMeta     = []byte("meta")
	bucketCurrent  = []byte("current")
	bucketRecovery = []byte("recovery")
	keyVersion     = []byte("version")
)

// Store is the records of one server. It implements [state.Store].
type Store struct {
	db     *bbolt.DB
	path   string
	writer writer
}

var _ state.Store = (*Store)(nil)

// lockWait is how long Open waits for another server that has the file.
const lockWait = time.Second

// Open opens the store in a state directory, and makes it the first time. It blocks for the disc.
func Open(dir string) (s *Store, err error) {
	path := filepath.Join(dir, FileName)
	damaged := func(why error) error { return isDamaged(path, why) }
	// bbolt maps the file, and panics or faults where pages are not what they say.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var file *os.File
	defer func() {
		if v := recover(); v != nil {
			// The mapping, which stays, would keep the lock.
			_ = unix.Flock(int(file.Fd()), unix.LOCK_UN)
			_ = file.Close()
			s, err = nil, damaged(fmt.Errorf("%v", v))
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flags int, mode os.FileMode) (f *os.File, err error) {
			f, err = os.OpenFile(name, flags, mode)
			file = f
			return f, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf(
			"records: %s is in use: another server has this state directory; give each its own",
			path,
		)
	case errors.Is(err, berrors.ErrInvalid),
		errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrVersionMismatch):
		return nil, damaged(err)
	case err != nil:
		var path *os.PathError
		if errors.As(err, &path) {
			return nil, fmt.Errorf("records: %w", err)
		}
		return nil, damaged(err)
	}
	s = &Store{db: db, path: path, writer: writer{db: db}}
	if err = s.prepare(); err != nil {
		_ = db.Close()
		if errors.As(err, new(*damage)) {
			return nil, damaged(err)
		}
		return nil, fmt.Errorf("records: %s: %w", path, err)
	}
	return s, nil
}

// isDamaged says that a file is damaged, and what to do.
func isDamaged(path string, why error) error {
	return fmt.Errorf(
		"records: %s is damaged: %w; clients could not reclaim their locks: restore the file from a backup, "+
			"or, if no client has files of this server open, move it away (mv %s %s.damaged)",
		path, why, path, path,
	)
}

// damage is an error that says that the file is not what it was.
type damage struct{ why string }

func (d *damage) Error() string { return d.why }

// prepare checks the whole file and makes what is missing in a new one.
func (s *Store) prepare() error {
	// Not by bbolt's Check, whose goroutine would take the process with it. Every page that is in
	// use is met.
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				if bytes.Equal(name, bucketMeta) {
					return nil
				}
				_, err := decode(k, v)
				return err
			})
		})
	})
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if tx.Bucket(bucketCurrent) != nil || tx.Bucket(bucketRecovery) != nil {
				return &damage{"it has records, but does not say of which format"}
			}
			var err error
			if meta, err = tx.CreateBucket(bucketMeta); err != nil {
				return err
			}
			for _, b := range [][]byte{bucketCurrent, bucketRecovery} {
				if _, err := tx.CreateBucket(b); err != nil {
					return err
				}
			}
			return meta.Put(keyVersion, binary.BigEndian.AppendUint32(nil, version))
		}
		v := meta.Get(keyVersion)
		if len(v) != 4 || tx.Bucket(bucketCurrent) == nil || tx.Bucket(bucketRecovery) == nil {
			return &damage{"a part of it is missing"}
		}
		if n := binary.BigEndian.Uint32(v); n != version {
			return fmt.Errorf(
				"it is of format %d, and this server knows format %d: use the server that made it",
				n,
				version,
			)
		}
		return nil
	})
}

// Close ends the store.
func (s *Store) Close() error { return s.db.Close() }

// Load implements [state.Store]. It begins a generation, and returns those who may reclaim.
func (s *Store) Load() (list []state.Record, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			list, err = nil, isDamaged(s.path, fmt.Errorf("%v", v))
		}
	}()
	err = s.db.Update(func(tx *bbolt.Tx) error {
		current, recovery := tx.Bucket(bucketCurrent), tx.Bucket(bucketRecovery)
		err := current.ForEach(func(k, v []byte) error { return recovery.Put(k, v) })
		if err != nil {
			return err
		}
		if err = tx.DeleteBucket(bucketCurrent); err != nil {
			return err
		}
		if _, err = tx.CreateBucket(bucketCurrent); err != nil {
			return err
		}
		return recovery.ForEach(func(k, v []byte) error {
			r, err := decode(k, v)
			list = append(list, r)
			return err
		})
	})
	switch {
	case errors.As(err, new(*damage)):
		return nil, isDamaged(s.path, err)
	case err != nil:
		return nil, fmt.Errorf("records: %s: %w", s.path, err)
	}
	return list, nil
}

// Record implements [state.Store]. Calls at the same time share a write to the disc.
func (s *Store) Record(rs []state.Record) error {
	err := s.writer.do(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketCurrent)
		for i := range rs {
			if err := b.Put(key(&rs[i]), encode(&rs[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("records: %s: %w", s.path, err)
	}
	return nil
}

// Forget implements [state.Store].
func (s *Store) Forget(rs []state.Record) error {
	err := s.writer.do(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketCurrent, bucketRecovery} {
			b := tx.Bucket(name)
			for i := range rs {
				v := b.Get(key(&rs[i]))
				if len(v) < len(rs[i].Verifier) || state.Verifier(v) != rs[i].Verifier {
					continue // a later incarnation's
				}
				if err := b.Delete(key(&rs[i])); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("records: %s: %w", s.path, err)
	}
	return nil
}

// EndGrace implements [state.Store].
func (s *Store) EndGrace() error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(bucketRecovery); err != nil {
			return err
		}
		_, err := tx.CreateBucket(bucketRecovery)
		return err
	})
	if err != nil {
		return fmt.Errorf("records: %s: %w", s.path, err)
	}
	return nil
}

// key is an owner. bbolt has no empty keys, and an owner may be empty.
func key(r *state.Record) []byte { return append([]byte{'o'}, r.Owner...) }

// recordMin is the length of a record without a name: verifier, minor version, complete, flavor,
// user, and a checksum at the end over the owner and all before it.
const recordMin = 8 + 1 + 1 + 4 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(owner string, b []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(owner), castagnoli), castagnoli, b)
}

func encode(r *state.Record) []byte {
	b := make([]byte, 0, recordMin+len(r.Principal.Name))
	b = append(b, r.Verifier[:]...)
	b = append(b, r.Minor, 0)
	if r.Complete {
		b[9] = 1
	}
	b = binary.BigEndian.AppendUint32(b, r.Principal.Flavor)
	b = binary.BigEndian.AppendUint32(b, r.Principal.UID)
	b = append(b, r.Principal.Name...)
	return binary.BigEndian.AppendUint32(b, checksum(r.Owner, b))
}

func decode(k, v []byte) (r state.Record, err error) {
	if len(k) == 0 || k[0] != 'o' || len(v) < recordMin {
		return r, &damage{"a record is not one"}
	}
	r.Owner = string(k[1:])
	n := len(v) - 4
	if binary.BigEndian.Uint32(v[n:]) != checksum(r.Owner, v[:n]) {
		return r, &damage{"a record is not what it was"}
	}
	copy(r.Verifier[:], v)
	r.Minor, r.Complete = v[8], v[9] == 1
	r.Principal = state.Principal{
		Flavor: binary.BigEndian.Uint32(v[10:]),
		UID:    binary.BigEndian.Uint32(v[14:]),
		Name:   string(v[recordMin-4 : n]),
	}
	return r, nil
}
