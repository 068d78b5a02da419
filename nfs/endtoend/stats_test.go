package endtoend

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/transport"
)

func TestStatsTellHowDataHasLeft(t *testing.T) {
	noLeaks(t)
	for _, path := range []nfs.ReadPath{transport.PathCopy, transport.PathSplice, transport.PathZeroCopy, transport.PathAuto} {
		t.Run(path.String(), func(t *testing.T) {
			cfg := config(t, exportDir(t))
			cfg.ReadPath = path
			s := start(t, cfg)
			zc := false
			for _, f := range s.Info().Features {
				zc = zc || f.Name == "SEND_ZC" && f.On
			}
			c, root := s.mount()
			data := bytes.Repeat([]byte("data"), 64<<10)
			f := put(t, c, root, "file", data)
			for range 8 {
				require.True(t, bytes.Equal(data, c.Read(f, 0, uint32(len(data))).Resok.Data))
			}
			var sum nfs.LaneStats
			add := func() uint64 {
				sum = nfs.LaneStats{}
				lanes := s.Stats()
				require.Len(t, lanes, cfg.Lanes)
				for _, l := range lanes {
					sum.Connections += l.Connections
					sum.Plain += l.Plain
					sum.Spliced += l.Spliced
					sum.ZeroCopy += l.ZeroCopy
				}
				return sum.Spliced
			}
			// A client may have a reply before the reply is counted.
			for end := time.Now().Add(10 * time.Second); add() < 8 && path != transport.PathCopy && path != transport.PathZeroCopy; {
				require.True(t, time.Now().Before(end), "%d replies were spliced", sum.Spliced)
				time.Sleep(time.Millisecond)
			}
			require.Equal(t, 1, sum.Connections)
			require.NotZero(t, sum.Plain, "small replies")
			switch path {
			case transport.PathSplice, transport.PathAuto: // auto, too: the peer is on this machine
				require.EqualValues(t, 8, sum.Spliced)
				require.Zero(t, sum.ZeroCopy)
			case transport.PathZeroCopy:
				if zc {
					require.EqualValues(t, 8, sum.ZeroCopy)
				}
				require.Zero(t, sum.Spliced)
			default:
				require.Zero(t, sum.Spliced+sum.ZeroCopy)
			}
			s.stop()
			require.Len(t, s.Stats(), cfg.Lanes, "also afterwards")
		})
	}
	srv, err := nfs.New(config(t, exportDir(t)))
	require.NoError(t, err)
	require.Nil(t, srv.Stats(), "before it serves")
	require.NoError(t, srv.Close())
}
