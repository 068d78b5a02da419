package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/peers"
	"github.com/ringnfs/ringnfs/bench/report"
)

// Config says what a run of the suite does.
type Config struct {
	Programs string            // directory of the built programs
	Missing  map[string]string // kinds that could not be built, and why
	Disk     string            // directory on a real file system
	Memory   string            // directory on a tmpfs; empty leaves it out
	Rounds   int
	Time     time.Duration // of each measurement
	Warmup   time.Duration
	Only     *regexp.Regexp // names of cases; nil for all
	Servers  []string       // names of variants; nil for all
	Command  string         // for the report
	Source   string         // of ringnfs, for the report: the commit
	Log      io.Writer      // a line for each measurement
}

// portFirst is where the servers' ports begin; each takes two.
const portFirst = 21000

// suite is a run under way.
type suite struct {
	Config
	rep   *report.Report
	fs    map[string]string // name of the file system behind onDisk and onMemory
	ports int
	live  []*live
	gone  map[string]bool // variants that cannot run here
}

// live is a running server with its session.
type live struct {
	variant, fs string
	server      *peers.Server
	session     *load.Session
}

// Run measures all cases and returns the report. It must be called on a locked thread; the servers
// end with that thread.
func Run(ctx context.Context, cfg Config) (_ *report.Report, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	s := &suite{Config: cfg, fs: map[string]string{onDisk: fsName(cfg.Disk)}, gone: make(map[string]bool)}
	if cfg.Memory != "" {
		s.fs[onMemory] = fsName(cfg.Memory)
	}
	s.rep = &report.Report{
		Format: report.Format, Title: "NFS servers compared", Command: cfg.Command,
		Time: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(),
		Notes: []string{
			fmt.Sprintf(
				"%d rounds of %v for each load and server, interleaved; server and client share the machine and talk over loopback",
				cfg.Rounds,
				cfg.Time,
			),
			"the work of delivering to a loopback socket is done by, and counted for, whoever sends: it is in the server's CPU time for replies, for all servers alike",
			"apart: the server's threads have one processor, the client's another; elsewhere all have all processors",
			"all data is in the page cache; WRITEs overwrite and are UNSTABLE; before each run what the run before has written goes to the disc",
			"ringnfs is optimised with a profile of loads like these, which the source has (go build uses it by itself); the floor is built by gcc -O2, go-nfs by go build, nfs-ganesha is Debian's",
		},
	}
	if cfg.Source != "" {
		s.rep.Notes = append(s.rep.Notes, "ringnfs is built from "+cfg.Source)
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	cases := s.cases()
	for round := range cfg.Rounds {
		for i := range cases {
			if err := s.runCase(ctx, &cases[i], round); err != nil {
				return nil, err
			}
		}
	}
	if cfg.Only == nil || cfg.Only.MatchString("memory") {
		if err := s.memory(ctx); err != nil {
			return nil, err
		}
	}
	judge(s.rep, cases, s.fs)
	return s.rep, nil
}

// cases returns the cases that are wanted and possible, each once.
func (s *suite) cases() []Case {
	var list []Case
	for _, c := range Cases() {
		if s.fs[c.FS] == "" || c.Apart && !canPart() || s.Only != nil && !s.Only.MatchString(c.name(s.fs)) {
			continue
		}
		at := slices.IndexFunc(list, func(x Case) bool { return x.name(s.fs) == c.name(s.fs) })
		if at < 0 {
			list = append(list, c)
			continue
		}
		for _, name := range c.Servers {
			if !slices.Contains(list[at].Servers, name) {
				list[at].Servers = append(slices.Clone(list[at].Servers), name)
			}
		}
		list[at].Goals = append(slices.Clone(list[at].Goals), c.Goals...)
	}
	return list
}

// turns returns the order in which n servers are measured in a round. In 2n rounds each server is
// first as often as last, and follows each neighbour equally often.
func turns(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (i + round/2) % n
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// root returns the directory on a file system under which the servers' directories are.
func (s *suite) root(fs string) string {
	if fs == onMemory {
		return s.Memory
	}
	return s.Disk
}

// settle waits until no written data is on its way to the disc. Otherwise the next measurement
// would include that work.
func (s *suite) settle() error {
	dir, err := os.Open(s.Disk)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("syncfs of %s: %w", dir.Name(), err)
	}
	return nil
}

// runCase runs a case once against each of its servers.
func (s *suite) runCase(ctx context.Context, c *Case, round int) error {
	for _, i := range turns(len(c.Servers), round) {
		name := c.Servers[i]
		if len(s.Servers) > 0 && !slices.Contains(s.Servers, name) {
			continue
		}
		l, err := s.get(ctx, name, c.FS)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		res, err := s.run(ctx, c, l)
		if err = errors.Join(err, l.server.Alive()); err != nil {
			if ctx.Err() != nil || name == variants[0].Name {
				return fmt.Errorf("%s, %s: %w", name, c.name(s.fs), err)
			}
			// A rival that fails under a load has no figure there.
			note := fmt.Sprintf("%s failed under %s in round %d: %v", name, c.name(s.fs), round+1, err)
			s.rep.Notes = append(s.rep.Notes, note)
			fmt.Fprintln(s.Log, note)
			continue
		}
		fmt.Fprintf(
			s.Log,
			"round %d of %d  %-34s %-12s %10s calls/s  %8s us/call of the server\n",
			round+1,
			s.Rounds,
			c.name(s.fs),
			name,
			report.Figure(res.OpsPerSecond),
			report.Figure(res.Server.PerOp),
		)
		s.rep.Runs = append(
			s.rep.Runs,
			report.Run{Server: name, Load: c.name(s.fs), FS: s.fs[c.FS], Round: round + 1, Result: *res},
		)
	}
	return nil
}

// run measures a server once.
func (s *suite) run(ctx context.Context, c *Case, l *live) (res *load.Result, err error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	if c.Apart {
		rejoin, why := part(l.server.PID)
		if why != nil {
			return nil, why
		}
		defer func() { err = errors.Join(err, rejoin()) }()
	}
	return l.session.Run(ctx, load.Job{
		Workload:   c.workload(),
		Conns:      c.Conns,
		Depth:      c.Depth,
		Time:       s.Time,
		Warmup:     s.Warmup,
		ServerPIDs: []int{l.server.PID},
	})
}

// get returns a server with its session. It starts the server when it is first wanted, and returns
// nil if there is no such server here.
func (s *suite) get(ctx context.Context, name, fs string) (*live, error) {
	if s.gone[name] {
		return nil, nil
	}
	for _, l := range s.live {
		if l.variant == name && l.fs == fs {
			return l, nil
		}
	}
	v := variants[slices.IndexFunc(variants, func(v Variant) bool { return v.Name == name })]
	missing := func(why string) (*live, error) {
		s.gone[name] = true
		s.rep.Servers = append(
			s.rep.Servers,
			report.Server{Name: name, Missing: why, Durability: v.Kind.Durability},
		)
		fmt.Fprintf(s.Log, "%s takes no part: %s\n", name, why)
		return nil, nil
	}
	if why := s.Missing[v.Kind.Name]; why != "" {
		return missing(why)
	}
	if v.needs != "" && !s.serveHas(v.needs) {
		return missing("this ringnfs has no " + v.needs)
	}
	l, err := s.start(ctx, v, fs)
	if errors.Is(err, peers.ErrMissing) {
		return missing(err.Error())
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.rep.Servers, func(x report.Server) bool { return x.Name == name }) {
		s.rep.Servers = append(s.rep.Servers, l.server.Info)
	}
	return l, nil
}

func (s *suite) start(ctx context.Context, v Variant, fs string, flags ...string) (*live, error) {
	root := s.root(fs)
	port := portFirst + 2*s.ports
	s.ports++
	id := fmt.Sprintf("%s-%d", v.Name, port)
	server, err := peers.Start(
		v.Kind,
		v.Name,
		s.Programs,
		filepath.Join(root, id, "export"),
		filepath.Join(root, id, "own"),
		port,
		append(slices.Clone(v.Flags), flags...)...)
	if err != nil {
		return nil, err
	}
	l := &live{variant: v.Name, fs: fs, server: server}
	if l.session, err = load.Open(ctx, server.Target, load.Options{Version: v.Version}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", v.Name, err), server.Stop())
	}
	s.live = append(s.live, l)
	return l, nil
}

// serveHas reports whether `ringnfs serve` has a flag.
func (s *suite) serveHas(flag string) bool {
	out, err := exec.Command(filepath.Join(s.Programs, "ringnfs"), "serve", "--help").CombinedOutput()
	return err == nil && strings.Contains(string(out), flag+" ")
}

// stop ends all servers. Their directories are removed with that of the run.
func (s *suite) stop() error {
	var err error
	for _, l := range s.live {
		err = errors.Join(err, l.server.Stop())
	}
	return err
}

// fsName names the file system of a directory.
func fsName(dir string) string {
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC:      "ext4",
		unix.TMPFS_MAGIC:           "tmpfs",
		unix.BTRFS_SUPER_MAGIC:     "btrfs",
		unix.XFS_SUPER_MAGIC:       "xfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	}
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	if name := names[int64(st.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("fs-%x", st.Type)
}
