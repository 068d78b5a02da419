package nfs

import (
	"log/slog"
	"sync"
	"time"

	"github.com/ringnfs/ringnfs/nfs/notice"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/checkfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// held returns the file system that is served as dir for fs. If fs is not this project's back end
// for directories, the result holds fs to package vfs.
func held(fs vfs.FS, dir string, l *complaints) vfs.FS {
	if _, ok := fs.(*posixfs.FS); ok {
		return fs
	}
	return checkfs.Wrap(fs, func(method, breach string) {
		l.error(
			"a back end broke its contract; the call failed",
			method+breach,
			"export",
			dir,
			"method",
			method,
			"breach",
			breach,
		)
	})
}

// complaints logs faults of procedures and back ends. A client may be able to cause such a fault as
// often as it likes, so each kind is logged at once, and then at most once a minute. Any thread may
// use it.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*notice.Limit // guarded by mu
}

// kindsMax bounds the kinds that are told apart; all further kinds share one limit.
const kindsMax = 256

func newComplaints(log *slog.Logger) *complaints {
	return &complaints{log: log, now: time.Now, kinds: make(map[string]*notice.Limit)}
}

// error logs a fault of the given kind, unless one of this kind was logged lately.
func (l *complaints) error(msg, kind string, args ...any) {
	l.kind(kind).Log(l.log, slog.LevelError, msg, func() []any { return args })
}

// kind returns the limit of a kind, or the shared limit of all kinds beyond kindsMax.
func (l *complaints) kind(kind string) *notice.Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kinds) >= kindsMax && l.kinds[kind] == nil {
		kind = ""
	}
	if l.kinds[kind] == nil {
		l.kinds[kind] = &notice.Limit{Burst: 1, Every: time.Minute, Now: l.now}
	}
	return l.kinds[kind]
}
