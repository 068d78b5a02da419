package posixfs

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// complaints is a log that keeps what was said.
type complaints struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *complaints) log() *slog.Logger { return slog.New(slog.NewTextHandler(c, nil)) }

// The whole suite holds for a tree that nobody else changes, as long as the suite does not change
// it behind the server's back. The second run looks at one file system.
func TestConformanceOfAnExclusiveTree(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, k := range fileSystems {
		if again.Now() && k.name != "xfs" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			base := k.dir(t)
			vfstest.Run(t, func(t *testing.T) *vfstest.Env {
				e := newEnvWith(t, Config{Exclusive: true}, base, k.name, options{})
				fill := e.Fill
				e.Fill = func(names []string) { fill(names) }
				t.Cleanup(func() {
					_, withdrawn := e.FS.(*FS).Exclusive()
					require.False(t, withdrawn, "nobody else has changed anything")
				})
				return e
			})
		})
	}
}
