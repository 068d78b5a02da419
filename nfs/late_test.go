package nfs

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/notice"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// lateFS does not answer until the log has a line.
type lateFS struct {
	vfs.FS
	said, heard chan string
}

func (fs *lateFS) Root() vfs.Handle {
	line := <-fs.said
	fs.heard <- line
	return fs.FS.Root()
}

type lineTo chan string

func (c lineTo) Write(b []byte) (int, error) {
	select {
	case c <- string(b):
	default:
	}
	return len(b), nil
}

func TestAnExportThatDoesNotAnswerAtTheStartIsNamed(t *testing.T) {
	before := lateAfter
	defer func() { lateAfter, loadKey = before, export.LoadKey }()
	loadKey = func(dir string) (export.Key, error) {
		k, err := export.LoadKey(dir)
		lateAfter = time.Nanosecond // for what comes next
		return k, err
	}
	state := t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700))
	said := make(lineTo, 1)
	fs := &lateFS{FS: memfs.New(memfs.Config{}), said: said, heard: make(chan string, 1)}
	queue := notice.Behind(slog.NewTextHandler(said, nil))
	s, err := New(Config{
		Exports:  []Export{{Dir: "/late", FS: fs}},
		Listen:   []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap:  PortmapOff,
		Lanes:    1,
		StateDir: state,
		Log:      slog.New(queue),
	})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.True(t, strings.HasSuffix(<-fs.heard, "export=/late\n"))
	require.True(t, queue.Flush(time.Hour))
}

func TestAStateDirectoryThatDoesNotAnswerAtTheStartIsNamed(t *testing.T) {
	before, beforeKey := lateAfter, loadKey
	lateAfter = time.Nanosecond
	defer func() { lateAfter, loadKey = before, beforeKey }()
	said := make(lineTo, 1)
	loadKey = func(string) (k export.Key, err error) {
		return k, errors.New(<-said)
	}
	queue := notice.Behind(slog.NewTextHandler(said, nil))
	_, err := New(Config{
		Exports:  []Export{{Dir: "/late", FS: memfs.New(memfs.Config{})}},
		Listen:   []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Portmap:  PortmapOff,
		Lanes:    1,
		StateDir: "/state",
		Log:      slog.New(queue),
	})
	require.ErrorContains(t, err, "directory=/state")
	require.True(t, queue.Flush(time.Hour))
}
