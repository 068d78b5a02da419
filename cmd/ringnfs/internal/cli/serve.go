package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ringnfs/ringnfs/cmd/ringnfs/internal/privileges"
	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/notice"
)

func newServe(stdout, stderr io.Writer) *cobra.Command {
	var flags serveFlags
	c := &cobra.Command{
		Use:   "serve [flags] DIR...",
		Short: "Serve directories over NFS until a signal ends it",
		Long: "serve exports each DIR over NFS under its own path. Version 4 has all of them below /; by version " +
			"3 a single DIR can be mounted as / too. " +
			"It prints what it started and how to mount it, and serves until SIGINT, SIGTERM or SIGHUP. " +
			"After one of these it finishes the calls in flight. A second signal ends it at once, as does a " +
			"first one before it serves: the exit code is then 128 plus the signal's number. On SIGUSR1 it " +
			"logs what each lane has done, and which clients of version 4 hold what.",
		Example: "  ringnfs serve /srv/data\n" +
			"  ringnfs serve --allow 192.168.1.0/24 --ro /srv/media /srv/music",
		Version: versionText(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which directory shall be served? ringnfs serve DIR")
			}
			if slices.Contains(
				args,
				"",
			) { // a script's variable that was not set; the working directory is "."
				return errors.New("an empty word is no directory")
			}
			return nil
		},
		RunE: func(c *cobra.Command, dirs []string) error {
			cfg, level, err := flags.config(c, dirs)
			if err != nil {
				return err
			}
			outliveReaders()
			// Neither calls nor signals wait for the reader of the log.
			lines := notice.Behind(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
			defer lines.Flush(notice.FlushMax)
			log := slog.New(lines)
			cfg.Log = log
			env := environment{uid: os.Geteuid(), getenv: os.Getenv, hasAddr: canListen}
			notes, portFixed, err := settle(&cfg, c.Flags().Changed("port"), env)
			if err != nil {
				return failure{err}
			}
			return serve(cfg, notes, portFixed, stdout, log)
		},
	}
	c.SetVersionTemplate("{{.Version}}\n")
	flags.register(c)
	completeServe(c)
	return c
}

// serve starts the server, says so on stdout, and blocks until the server has ended.
func serve(cfg nfs.Config, notes []string, portFixed bool, stdout io.Writer, log *slog.Logger) error {
	// Do this before anything is started, so that a signal during the start ends it in order.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	notifyHangup(signals)
	defer signal.Stop(signals)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	defer signal.Stop(asked)

	srv, err := startHeeding(signals, func() (*nfs.Server, error) { return newServer(cfg) })
	if errors.Is(err, syscall.EADDRINUSE) && !portFixed {
		notes = append(notes, fmt.Sprintf("port %d is taken, so on another; --port N fixes one", cfg.Port))
		cfg.Port = 0
		srv, err = startHeeding(signals, func() (*nfs.Server, error) { return newServer(cfg) })
	}
	if errors.As(err, &killed{}) {
		return err
	}
	if err != nil {
		return failure{err}
	}
	leaveProcessors(srv.Info().Lanes)
	defer spareHeap(srv.Info().Memory)()
	defer tellWhenAsked(asked, figures{srv.Stats, srv.Clients, srv.Withdrawn}, log)()
	return runEngine(srv, signals, drainMax, hangMax, log, func() {
		if err := privileges.Drop(); err != nil {
			notes = append(notes, fmt.Sprintf("the process keeps rights that it does not need: %v", err))
		}
		writeBanner(stdout, factsOf(srv.Info(), cfg, notes))
	})
}

// startHeeding calls begin, which may wait for a file system without end. A signal ends the process
// then, because nothing is served yet that should be finished.
func startHeeding(signals <-chan os.Signal, begin func() (*nfs.Server, error)) (*nfs.Server, error) {
	type result struct {
		srv *nfs.Server
		err error
	}
	begun := make(chan result, 1)
	go func() {
		srv, err := begin()
		begun <- result{srv, err}
	}()
	select {
	case r := <-begun:
		return r.srv, r.err
	case s := <-signals:
		return nil, killed{code: 128 + number(s)}
	}
}

// newServer leaves cfg unchanged, for another attempt.
func newServer(cfg nfs.Config) (*nfs.Server, error) {
	cfg.Exports = slices.Clone(cfg.Exports)
	return nfs.New(cfg)
}

// spareProcessors is how many workers can run Go code while all lanes do.
const spareProcessors = 6

// leaveProcessors lets the runtime run more threads at once than there are processors. A busy lane
// never gives up its processor. Without spare ones, a worker that comes back from the kernel waits
// up to 10 ms until the runtime interrupts a lane. The kernel shares the real processors out
// better.
func leaveProcessors(lanes int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), lanes+spareProcessors))
	}
}

// factsOf gathers the facts that the banner tells.
func factsOf(info nfs.Info, cfg nfs.Config, notes []string) facts {
	f := facts{
		version:    versionText(),
		kernel:     info.Kernel,
		lanes:      info.Lanes,
		memory:     info.Memory,
		stateDir:   cfg.StateDir,
		versions:   info.Versions,
		listen:     info.Addrs,
		port:       info.Port,
		mount:      info.MountPort,
		portmap:    info.PortmapPort,
		portmapWhy: info.PortmapWhy,
		notes:      slices.Concat(notes, info.Notes),
		uid:        os.Geteuid(),
		alone:      !info.ActsForOthers,
	}
	for _, x := range info.Features {
		f.features = append(f.features, feature{name: x.Name, on: x.On, why: x.Why})
	}
	for _, x := range info.Exports {
		e := exported{
			path:            x.Dir,
			readOnly:        x.ReadOnly,
			squash:          x.Squash,
			anonUID:         x.AnonUID,
			anonGID:         x.AnonGID,
			allow:           x.Allow,
			insecure:        x.Insecure,
			mountedReadOnly: slices.Contains(info.ReadOnlyMounts, x.Dir),
		}
		if x.IO != nfs.IOBuffered {
			e.io = x.IO.String()
		}
		var served bool
		if e.host, served = hostOf(info.Addrs, localAddrs, e.serves); !served {
			f.notes = append(
				f.notes,
				fmt.Sprintf(
					"nobody can use %s: the clients that it is for (--allow) reach none of the addresses that are listened on (--listen)",
					shown(x.Dir),
				),
			)
		}
		f.host = e.host
		f.exports = append(f.exports, e)
	}
	return f
}
