package idmap

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system is a database of users, and a clock.
type system struct {
	mu    sync.Mutex
	users map[string]uint32 // guarded by mu
	fails error             // guarded by mu
	now   time.Time         // guarded by mu

	asked atomic.Int32
	hang  chan struct{} // not nil: answers come when it is closed
	enter chan struct{} // receives a value for each question that hangs
}

func newSystem() *system {
	return &system{users: map[string]uint32{"joe": 1000, "ann": 1001}, now: time.Unix(1, 0)}
}

func (s *system) question() error {
	s.asked.Add(1)
	if s.hang != nil {
		s.enter <- struct{}{}
		<-s.hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fails
}

func (s *system) database() Database {
	return Database{
		ID: func(name string) (uint32, error) {
			if err := s.question(); err != nil {
				return 0, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if id, ok := s.users[name]; ok {
				return id, nil
			}
			return 0, ErrUnknown
		},
		Name: func(id uint32) (string, error) {
			if err := s.question(); err != nil {
				return "", err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for name, u := range s.users {
				if u == id {
					return name, nil
				}
			}
			return "", ErrUnknown
		},
	}
}

func (s *system) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *system) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// impatient is a clock on which all time has passed.
func impatient(time.Duration) <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}

// never is a clock that stands still.
func never(time.Duration) <-chan time.Time { return nil }

func (s *system) config(domain string) Config {
	db := s.database()
	return Config{Domain: domain, Users: db, Groups: db, Now: s.clock, After: never}
}

func TestOwnersAreNumbersOrNamesOfADomain(t *testing.T) {
	m, one := New(newSystem().config("")), New(newSystem().config("Example.org"))
	for owner, want := range map[string]struct {
		id       uint32
		any, one Result
	}{
		"0":                       {0, OK, OK},
		"1000":                    {1000, OK, OK},
		"0001000":                 {1000, OK, OK},
		"4294967294":              {4294967294, OK, OK},
		"4294967295":              {0, Invalid, Invalid},
		"4294967296":              {0, Invalid, Invalid},
		"18446744073709552616":    {0, Invalid, Invalid},
		"99999999999999999999999": {0, Invalid, Invalid},
		"":                        {0, Invalid, Invalid},
		"joe@example.org":         {1000, OK, OK},
		"joe@EXAMPLE.ORG":         {1000, OK, OK},
		"ann@localdomain":         {1001, OK, Unknown},
		"ann@a@example.org":       {0, Unknown, Unknown},
		"max@example.org":         {0, Unknown, Unknown},
		"joe":                     {0, Unknown, Unknown},
		"joe@":                    {0, Unknown, Unknown},
		"@example.org":            {0, Unknown, Unknown},
		"+5":                      {0, Unknown, Unknown},
		"-5":                      {0, Unknown, Unknown},
		"jo\x00e@example.org":     {0, Unknown, Unknown},

		strings.Repeat("j", 256) + "@example.org": {0, Unknown, Unknown},
	} {
		id, got := m.Users.ID([]byte(owner))
		require.Equal(t, want.any, got, owner)
		require.Equal(t, want.id, id, owner)
		_, got = one.Groups.ID([]byte(owner))
		require.Equal(t, want.one, got, owner)
	}
}

func TestNumbersAreSentUnlessThereIsADomain(t *testing.T) {
	require.False(t, (*Map)(nil).SendsNames())
	require.False(t, New(newSystem().config("")).SendsNames())
	s := newSystem()
	s.users[strings.Repeat("l", 244)] = 7
	s.users[strings.Repeat("m", 245)] = 8
	m := New(s.config("example.org"))
	require.True(t, m.SendsNames())
	for id, want := range map[uint32]string{
		1000: "joe@example.org", 1001: "ann@example.org", 5: "5", 4294967295: "4294967295",
		7: strings.Repeat("l", 244) + "@example.org", 8: "8",
	} {
		_, ok := m.Users.AppendOwner(nil, id, false)
		require.False(t, ok, "nobody has been asked yet")
		got, ok := m.Users.AppendOwner([]byte("x"), id, true)
		require.True(t, ok)
		require.Equal(t, "x"+want, string(got))
		got, ok = m.Users.AppendOwner(nil, id, false)
		require.True(t, ok)
		require.Equal(t, want, string(got))
	}
}

func TestADomainIsOneWord(t *testing.T) {
	for _, good := range []string{"", "example.org", "localdomain", strings.Repeat("d", 200)} {
		require.NoError(t, CheckDomain(good))
	}
	for _, bad := range []string{"a b", "joe@example.org", "ex\nample", "b\u00fccher.example", strings.Repeat("d", 201)} {
		require.ErrorContains(t, CheckDomain(bad), "example.org", bad)
	}
}

func TestAnswersAreGoodForTenMinutes(t *testing.T) {
	s := newSystem()
	m := New(s.config("example.org"))
	id := func(name string) Result { _, r := m.Users.ID([]byte(name + "@example.org")); return r }
	owner := func() string {
		b, ok := m.Users.AppendOwner(nil, 1000, true)
		require.True(t, ok)
		return string(b)
	}
	require.Equal(t, OK, id("joe"))
	require.Equal(t, Unknown, id("max"))
	require.Equal(t, "joe@example.org", owner())
	require.EqualValues(t, 3, s.asked.Load())
	delete(s.users, "joe")
	s.users["max"] = 1000
	s.pass(10*time.Second - 1)
	require.Equal(t, Unknown, id("max"))
	s.pass(1)
	require.Equal(t, OK, id("max"))
	require.EqualValues(t, 4, s.asked.Load())
	s.pass(10*time.Minute - 10*time.Second - 1)
	require.Equal(t, OK, id("joe"))
	require.Equal(t, "joe@example.org", owner())
	require.EqualValues(t, 4, s.asked.Load())
	s.pass(1)
	require.Equal(t, Unknown, id("joe"))
	_, ok := m.Users.AppendOwner(nil, 1000, false)
	require.False(t, ok)
	require.Equal(t, "max@example.org", owner())
}

func TestAnAnswerOutlivesADatabaseThatFails(t *testing.T) {
	s := newSystem()
	m := New(s.config("example.org"))
	require.Equal(t, OK, second(m.Users.ID([]byte("joe@example.org"))))
	s.pass(time.Hour)
	s.fails = errors.New("no server")
	require.Equal(t, OK, second(m.Users.ID([]byte("joe@example.org"))))
	require.Equal(t, Later, second(m.Users.ID([]byte("ann@example.org"))))
	got, ok := m.Users.AppendOwner(nil, 1001, true)
	require.True(t, ok)
	require.Equal(t, "1001", string(got))
	asked := s.asked.Load()
	require.Equal(t, Later, second(m.Users.ID([]byte("ann@example.org"))))
	require.Equal(t, asked, s.asked.Load(), "it rests for a second")
	s.fails = nil
	s.pass(time.Second)
	require.Equal(t, OK, second(m.Users.ID([]byte("ann@example.org"))))
}

func second(_ uint32, r Result) Result { return r }

func TestNobodyWaitsForADatabaseThatHangs(t *testing.T) {
	s := newSystem()
	cfg := s.config("example.org")
	m := New(cfg)
	require.Equal(t, OK, second(m.Users.ID([]byte("ann@example.org"))))
	s.pass(time.Hour)
	s.hang, s.enter = make(chan struct{}), make(chan struct{}, 1000)
	m.Users.after = impatient
	require.Equal(t, OK, second(m.Users.ID([]byte("ann@example.org"))), "as it was")
	m.Users.after = func(time.Duration) <-chan time.Time {
		t.Error("a second one is waited for")
		return impatient(0)
	}
	require.Equal(t, Later, second(m.Users.ID([]byte("joe@example.org"))))
	got, ok := m.Users.AppendOwner(nil, 1000, true)
	require.True(t, ok)
	require.Equal(t, "1000", string(got))
	got, ok = m.Users.AppendOwner(nil, 1000, false)
	require.True(t, ok, "nor does a lane send it to a worker again")
	require.Equal(t, "1000", string(got))
	require.Equal(t, OK, second(m.Users.ID([]byte("77"))))
	// So many that not all can be asked, and each once.
	for i := range 2000 {
		for range 2 {
			require.Equal(t, Later, second(m.Users.ID(fmt.Appendf(nil, "n%d@example.org", i))))
		}
	}
	for range LookupsMax {
		<-s.enter
	}
	require.EqualValues(t, 1+LookupsMax, s.asked.Load())
	require.EqualValues(t, 256, m.Users.flights.Load())

	// It answers again.
	close(s.hang)
	for m.Users.flights.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	m.Users.after = never
	require.Zero(t, m.Users.lates.Load())
	require.Equal(t, OK, second(m.Users.ID([]byte("joe@example.org"))))
	got, _ = m.Users.AppendOwner(nil, 1000, false)
	require.Equal(t, "joe@example.org", string(got))
	require.Equal(t, Unknown, second(m.Users.ID([]byte("n0@example.org"))))
	require.Equal(t, Unknown, second(m.Users.ID([]byte("n1999@example.org"))))
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	m := New(newSystem().config("example.org"))
	for i := range uint32(4097) {
		_, ok := m.Groups.AppendOwner(nil, i, true)
		require.True(t, ok)
		if i == 4095 {
			require.Len(t, *m.Groups.ids.by.Load(), 4096)
		}
	}
	require.Len(t, *m.Groups.ids.by.Load(), 1)
}

func TestWhatIsRememberedIsWrittenWithoutAllocation(t *testing.T) {
	m := New(newSystem().config("example.org"))
	dst := make([]byte, 0, OwnerMax)
	for _, id := range []uint32{1000, 5} {
		_, _ = m.Users.AppendOwner(dst, id, true)
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = m.Users.AppendOwner(dst, id, false) }))
	}
	owner := []byte("4294967294")
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = m.Users.ID(owner) }))
}

func TestManyAskAtOnce(t *testing.T) {
	s := newSystem()
	m := New(s.config("example.org"))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range uint32(300) {
				m.Users.AppendOwner(nil, 1000+i%3, true)
				m.Users.ID(fmt.Appendf(nil, "n%d@example.org", i%7))
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, s.asked.Load(), "each once")
}
