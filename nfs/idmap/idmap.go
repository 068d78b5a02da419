package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// LookupsMax is how many look-ups of each kind (users, groups) are under way at once. Each may
	// occupy a thread for as long as the database hangs.
	LookupsMax = 8
	// OwnerMax is the longest text in bytes that is sent; what would be longer is sent as a number.
	OwnerMax = 256
	// domainMax is the longest domain in bytes. It leaves room for a name.
	domainMax = 200
	// nameMax is the longest name in bytes that is looked up.
	nameMax = 255
)

// ErrUnknown is what a [Database] returns for a name or number that it does not have.
var ErrUnknown = errors.New("idmap: unknown")

// Database is the system's users, or its groups. Its functions may block for as long as they like
// and are called on several goroutines. An error other than ErrUnknown says that there is no answer
// now.
type Database struct {
	ID   func(name string) (uint32, error)
	Name func(id uint32) (string, error)
}

// Config says what a Map is made of. The databases are needed.
type Config struct {
	// Domain is what names are sent with, and the only one with which they are taken, in any case
	// of letters. Without it numbers are sent, and names of each domain taken.
	Domain        string
	Users, Groups Database
	// Patience is how long a look-up is waited for. 1 s.
	Patience time.Duration
	// Now is the clock, and After is [time.After]; nil means those of package time.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Map turns owners into numbers and back.
type Map struct {
	domain string
	Users  Side
	Groups Side
}

// Result is what became of an owner that a client has sent.
type Result uint8

// The results.
const (
	OK      Result = iota
	Invalid        // it is empty, or a number that no user can have
	Unknown        // there is nobody of that name
	Later          // the database has not answered yet
)

// New returns a Map.
func New(cfg Config) *Map {
	if cfg.Patience == 0 {
		cfg.Patience = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	m := &Map{domain: cfg.Domain}
	m.Users.init(&cfg, cfg.Users)
	m.Groups.init(&cfg, cfg.Groups)
	return m
}

// SendsNames reports whether names are sent rather than numbers. A nil Map sends numbers.
func (m *Map) SendsNames() bool { return m != nil && m.domain != "" }

// CheckDomain returns what is wrong with a domain to send names with, nil if nothing is.
func CheckDomain(domain string) error {
	isWrong := func(r rune) bool { return r <= ' ' || r > '~' || r == '@' }
	if len(domain) > domainMax || strings.IndexFunc(domain, isWrong) >= 0 {
		return fmt.Errorf(
			"idmap: domain %q: a domain is like example.org: up to %d letters, digits, dots and hyphens",
			domain,
			domainMax,
		)
	}
	return nil
}

// Side is the users or the groups of a Map.
type Side struct {
	asker
	domain string
	db     Database
	names  facts[string, uint32] // by name
	ids    facts[uint32, string] // by number; with the domain
}

func (s *Side) init(cfg *Config, db Database) {
	s.domain, s.db = cfg.Domain, db
	s.asker.init(cfg)
}

// ID returns the number of an owner that a client has sent. It borrows the text. It waits for the
// database, but for digits.
func (s *Side) ID(owner []byte) (uint32, Result) {
	if id, ok := digits(owner); ok {
		// No user is 2^32-1, which to the kernel stands for none. A wrong number is no unknown
		// owner: Linux would stop sending numbers.
		if id >= 1<<32-1 {
			return 0, Invalid
		}
		return uint32(id), OK
	}
	at := bytes.LastIndexByte(owner, '@')
	switch {
	case len(owner) == 0:
		return 0, Invalid
	case at <= 0 || at > nameMax || at == len(owner)-1, bytes.IndexByte(owner, 0) >= 0:
		return 0, Unknown
	case s.domain != "" && !strings.EqualFold(string(owner[at+1:]), s.domain):
		return 0, Unknown
	}
	name := string(owner[:at])
	f := ask(&s.asker, s.names.of(name), func() (uint32, error) { return s.db.ID(name) })
	switch {
	case f == nil || f.err != nil && !errors.Is(f.err, ErrUnknown):
		return 0, Later
	case f.err != nil:
		return 0, Unknown
	}
	return f.value, OK
}

// digits reads a number. One of too many digits is as large as numbers get.
func digits(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > 1<<32 {
			n = 1 << 32
		}
	}
	return n, len(b) > 0
}

// AppendOwner appends to dst what is sent for a number, and returns the extended slice. It is not
// ok if the database has to be waited for and wait is false; dst is as before then. It does not
// allocate for what is remembered when dst has room for OwnerMax bytes.
func (s *Side) AppendOwner(dst []byte, id uint32, wait bool) (owner []byte, ok bool) {
	known := s.ids.get(id)
	var f *finding[string]
	if known != nil {
		f, ok = known.fresh(s.now())
	}
	if !ok {
		if !wait {
			return dst, false
		}
		f = ask(&s.asker, s.ids.of(id), func() (string, error) {
			name, err := s.db.Name(id)
			if err == nil && (name == "" || len(name)+1+len(s.domain) > OwnerMax) {
				err = ErrUnknown
			}
			return name + "@" + s.domain, err
		})
	}
	if f != nil && f.err == nil {
		return append(dst, f.value...), true
	}
	return strconv.AppendUint(dst, uint64(id), 10), true
}
