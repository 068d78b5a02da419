package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" { // started by start
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Otherwise each server sleeps for a second at its end under the race detector.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const testFile = 4 << 20

// forEachWay runs f for all ways of the tables, against a server of its own with two threads: one
// thread with two connections, one with a single one.
func forEachWay(t *testing.T, write bool, ways []named, f func(t *testing.T, s spec, conns []net.Conn)) {
	for _, w := range ways {
		t.Run(w.way, func(t *testing.T) {
			runtime.LockOSThread() // the server ends with the thread
			defer runtime.UnlockOSThread()
			name := filepath.Join(t.TempDir(), "file")
			require.NoError(t, makeFile(name, testFile))
			s := spec{Way: w.way, Write: write, Size: 64 << 10, Threads: 2, Conns: 3, File: name, FileSize: testFile}
			server, port, err := start(s)
			require.NoError(t, err)
			conns := make([]net.Conn, s.Conns)
			for i := range conns {
				conns[i], err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				require.NoError(t, err)
				require.NoError(t, conns[i].SetDeadline(time.Now().Add(time.Minute)))
			}
			f(t, s, conns)
			for _, c := range conns {
				require.NoError(t, c.Close())
			}
			require.NoError(t, server.Wait(), "it ends when the connections have ended")
		})
	}
}

func TestEveryWayOfReadSendsTheBytesOfTheFileInOrder(t *testing.T) {
	forEachWay(t, false, reads, func(t *testing.T, s spec, conns []net.Conn) {
		file, err := os.ReadFile(s.File)
		require.NoError(t, err)
		const calls = 11
		part := len(file) / len(conns) / s.Size * s.Size
		for _, c := range conns {
			_, err := c.Write(make([]byte, calls*small))
			require.NoError(t, err)
		}
		for i, c := range conns {
			for n := range calls {
				got := make([]byte, small+s.Size)
				_, err := io.ReadFull(c, got)
				require.NoError(t, err)
				want := file[i*part+n*s.Size:][:s.Size]
				require.True(t, bytes.Equal(want, got[small:]), "connection %d, reply %d", i, n)
			}
		}
	})
}

func TestEveryWayOfWritePutsTheBytesIntoTheFileInOrder(t *testing.T) {
	forEachWay(t, true, writes, func(t *testing.T, s spec, conns []net.Conn) {
		want, err := os.ReadFile(s.File)
		require.NoError(t, err)
		const calls = 11
		part := len(want) / len(conns) / s.Size * s.Size
		for n := range calls {
			for i, c := range conns {
				record := bytes.Repeat([]byte{byte(16*n + i + 1)}, small+s.Size)
				copy(want[i*part+n*s.Size:], record[:s.Size])
				_, err := c.Write(record)
				require.NoError(t, err)
			}
		}
		for _, c := range conns {
			_, err := io.ReadFull(c, make([]byte, calls*small))
			require.NoError(t, err)
		}
		got, err := os.ReadFile(s.File)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	})
}

func TestAnExtendingRunBeginsWithAnEmptyFile(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, w := range growing {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, makeFile(name, testFile))
		s := spec{Way: w.way, Write: true, Grow: true, Size: 64 << 10, Threads: 1, Conns: 1, File: name, FileSize: testFile}
		server, port, err := start(s)
		require.NoError(t, err)
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err)
		record := bytes.Repeat([]byte{5}, small+s.Size)
		_, err = c.Write(slices.Concat(record, record))
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 2*small))
		require.NoError(t, err)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.Repeat([]byte{5}, 2*s.Size), got), w.way)
		require.NoError(t, c.Close())
		require.NoError(t, server.Wait())
	}
}

func TestARunWritesATableAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	f := flags{rounds: 1, budget: time.Second, dir: dir, fileSize: testFile, only: "an fdatasync|^READ of 64 KiB"}
	require.NoError(t, run(context.Background(), &out, io.Discard, f))
	require.Contains(t, out.String(), "### READ of 64 KiB")
	require.Contains(t, out.String(), "| splice(2), one pipe | **")
	require.NotContains(t, out.String(), "NaN")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	f.only = "nothing is called so"
	require.Error(t, run(context.Background(), &out, io.Discard, f))
	f.only, f.rounds = "", 0
	require.Error(t, run(context.Background(), &out, io.Discard, f))
}
