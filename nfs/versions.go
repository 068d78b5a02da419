package nfs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	clients "github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	v4 "github.com/ringnfs/ringnfs/nfs/v4"
)

// Versions are the versions of NFS that a server answers.
type Versions uint8

// The versions.
const (
	NFSv3 Versions = 1 << iota
	NFSv40
	NFSv41
	NFSv42

	VersionsAll = NFSv3 | NFSv40 | NFSv41 | NFSv42
)

var versionWords = []string{"3", "4.0", "4.1", "4.2"}

// VersionNames returns the words that ParseVersions knows, the oldest version first. The caller
// owns the slice.
func VersionNames() []string { return slices.Clone(versionWords) }

// ParseVersions reads words such as 3 and 4.2, with commas between them.
func ParseVersions(words string) (Versions, error) {
	var v Versions
next:
	for word := range strings.SplitSeq(words, ",") {
		for i, w := range versionWords {
			if w == strings.TrimSpace(word) {
				v |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("nfs: version %q is none of %s", word, strings.Join(versionWords, ", "))
	}
	return v, nil
}

// String returns what ParseVersions reads.
func (v Versions) String() string {
	var words []string
	for i, w := range versionWords {
		if v&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ",")
}

// identityFile is what names the server in the state directory: clients find by it that two
// addresses are of one server (RFC 8881, section 2.10.5).
const identityFile = "server-identity"

// identity returns the server's name, and makes it the first time.
func identity(dir string) ([]byte, error) {
	path := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return b, nil
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	b = []byte("ringnfs-" + rand.Text())
	return b, os.WriteFile(path, b, 0o600)
}

// withVersion4 adds version 4 to the NFS program, for the minor versions that are wanted.
func (s *Server) withVersion4(p *rpc.Program, places int) error {
	name, err := identity(s.cfg.StateDir)
	if err != nil {
		return stateDirRemedy(s.cfg.StateDir, err)
	}
	var epoch [4]byte
	if _, err := rand.Read(epoch[:]); err != nil {
		return fmt.Errorf("nfs: random epoch: %w", err)
	}
	var store clients.Store
	if s.cfg.ClientStore != nil {
		if store, err = s.cfg.ClientStore(s.cfg.StateDir); err != nil {
			return fmt.Errorf("nfs: version 4: %w; version 3 (--versions 3) keeps no such file", err)
		}
	}
	began := time.Now()
	now := func() uint32 { return uint32(time.Since(began) / time.Second) }
	var held *files.Table
	table := clients.New(clients.Config{
		Now:    now,
		Random: rand.Reader, Epoch: binary.LittleEndian.Uint32(epoch[:]),
		Confirmed:    func(id clients.ClientID, minor uint8) { held.AddClient(uint64(id), minor) },
		Lapsed:       func(id clients.ClientID) { held.Revoke(uint64(id), files.Expired) },
		Dropped:      func(id clients.ClientID) { held.DropClient(uint64(id)) },
		LeaseSeconds: uint32(s.cfg.Lease / time.Second), Store: store,
		GraceSeconds: uint32(s.cfg.Grace / time.Second),
		Server:       clients.Server{Major: name, Scope: name},
		RequestMax:   uint32(s.cfg.transfer() + slack), ReplyMax: uint32(s.cfg.transfer() + slack),
	})
	keeper, calls := v4.NewKeeper(), v4.NewCallbacks()
	held = files.New(files.Config{
		Notify: calls.Notify,
		Closed: keeper.Closed, Mirror: keeper.Mirror(),
		LeaseSeconds: uint32(s.cfg.Lease / time.Second),
		Now:          now, Random: rand.Reader, Epoch: binary.LittleEndian.Uint32(epoch[:]),
		Courteous: func(id uint64) bool { return table.Courteous(clients.ClientID(id)) },
		Relieve:   func() bool { return table.Relieve() },
		Expire:    func(id uint64) bool { return table.ExpireID(clients.ClientID(id)) },
		Hold:      func(id uint64, n int) { table.Hold(clients.ClientID(id), n) },
	})
	s.state4 = &state4{clients: table, held: held, store: store, calls: calls, stop: make(chan struct{})}
	if err := table.Recover(); err != nil {
		return errors.Join(err, s.state4.close())
	}
	version := v4.New(s.table, v4.Config{
		ReadMax:   s.cfg.ReadMax,
		WriteMax:  s.cfg.WriteMax,
		Places:    places,
		Refused:   s.journal.refused,
		State:     table,
		Files:     held,
		Lease:     s.cfg.Lease,
		Minors:    [3]bool{s.cfg.Versions&NFSv40 != 0, s.cfg.Versions&NFSv41 != 0, s.cfg.Versions&NFSv42 != 0},
		Keeper:    keeper,
		Unreached: s.unreached,
		Names:     names(s.cfg.IDMapDomain),
		Callbacks: calls,
		Ask:       func(conn uint64, a *rpc.Ask) error { return s.transport.Ask(conn, a) },
	})
	s.ended = table.Disconnect
	target := p.Target
	p.Target = func(c *rpc.Call) rpc.Target {
		if c.Vers == 4 {
			return v4.Target(c)
		}
		return target(c)
	}
	if s.cfg.Versions&NFSv3 == 0 {
		p.Versions = nil
	}
	p.Versions = append(p.Versions, version)
	return nil
}

// state4 is what a server remembers for version 4.
type state4 struct {
	clients *clients.Table
	held    *files.Table
	store   clients.Store // nil for none
	calls   *v4.Callbacks
	stop    chan struct{} // closed to end runSweep
	sweeper sync.WaitGroup
}

// sweepEvery is how often leases and callbacks are looked at, pollEvery how often those are looked
// after who wait for locks of programs of this machine.
const (
	sweepEvery = time.Second
	pollEvery  = sweepEvery / 2
)

// begin starts the goroutines that end what is over, and look after those who wait.
func (x *state4) begin() {
	if x != nil {
		x.sweeper.Go(x.runSweep)
		x.sweeper.Go(x.runPoll)
	}
}

// runSweep ends leases, grace and what nobody waits for any more, until stop is closed. It waits
// for the store.
func (x *state4) runSweep() {
	x.every(sweepEvery, func() {
		x.clients.Sweep()
		x.held.Sweep()
		x.calls.Tick()
	})
}

// runPoll looks for locks that have become free without a word, until stop is closed. It waits for
// file systems whose locks sleep.
func (x *state4) runPoll() { x.every(pollEvery, x.held.Poll) }

func (x *state4) every(period time.Duration, do func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-x.stop:
			return
		case <-tick.C:
			do()
		}
	}
}

// close ends the goroutines and closes the store.
func (x *state4) close() error {
	if x == nil {
		return nil
	}
	close(x.stop)
	x.sweeper.Wait()
	if c, ok := x.store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
